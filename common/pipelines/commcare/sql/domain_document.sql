-- Keep each document of a project as the greatest version of its document has it.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.domain_id)
           staged.domain_id, staged.domain, staged.default_timezone, staged.hr_name,
           staged.creating_user_id, staged.project_type, staged.is_active, staged.case_sharing,
           staged.commtrack_enabled,
           staged.is_test = 'true' AS is_test,
           staged.location_restriction_for_users, staged.use_sql_backend,
           staged.first_domain_for_user, staged.domain_last_modified, staged.domain_created_on,
           COALESCE(staged.doc_type, '') LIKE '%-Deleted' AS is_marked,
           staged.version_time, staged.read_number
      FROM staging.domain AS staged
     WHERE staged.batch_id = $1
       AND NOT staged.is_tombstone
     ORDER BY staged.domain_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*, stored.id, fate.deleted,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.domain, incoming.default_timezone, incoming.hr_name,
                      incoming.creating_user_id, incoming.project_type, incoming.is_active,
                      incoming.case_sharing, incoming.commtrack_enabled, incoming.is_test,
                      incoming.location_restriction_for_users, incoming.use_sql_backend,
                      incoming.first_domain_for_user, incoming.domain_last_modified,
                      incoming.domain_created_on, fate.deleted, false)
                     IS DISTINCT FROM
                     (stored.domain, stored.default_timezone, stored.hr_name,
                      stored.creating_user_id, stored.project_type, stored.is_active,
                      stored.case_sharing, stored.commtrack_enabled, stored.is_test,
                      stored.location_restriction_for_users, stored.use_sql_backend,
                      stored.first_domain_for_user, stored.domain_last_modified,
                      stored.domain_created_on, stored.deleted, stored.is_inferred) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.domain_document AS stored
        ON stored.domain_id = incoming.domain_id
     CROSS JOIN LATERAL (
           SELECT incoming.is_marked
               OR COALESCE((stored.gone_version_time, stored.gone_read_number)
                           > (incoming.version_time, incoming.read_number), false) AS deleted
           ) AS fate
), inserted AS (
    INSERT INTO warehouse.domain_document (
           domain_id, domain, default_timezone, hr_name, creating_user_id, project_type,
           is_active, case_sharing, commtrack_enabled, is_test, location_restriction_for_users,
           use_sql_backend, first_domain_for_user, domain_last_modified, domain_created_on,
           deleted, version_time, read_number, batch_id)
    SELECT judged.domain_id, judged.domain, judged.default_timezone, judged.hr_name,
           judged.creating_user_id, judged.project_type, judged.is_active, judged.case_sharing,
           judged.commtrack_enabled, judged.is_test, judged.location_restriction_for_users,
           judged.use_sql_backend, judged.first_domain_for_user, judged.domain_last_modified,
           judged.domain_created_on, judged.deleted, judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.domain_id
    RETURNING 1
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.domain_document AS dim
       SET domain = judged.domain,
           default_timezone = judged.default_timezone,
           hr_name = judged.hr_name,
           creating_user_id = judged.creating_user_id,
           project_type = judged.project_type,
           is_active = judged.is_active,
           case_sharing = judged.case_sharing,
           commtrack_enabled = judged.commtrack_enabled,
           is_test = judged.is_test,
           location_restriction_for_users = judged.location_restriction_for_users,
           use_sql_backend = judged.use_sql_backend,
           first_domain_for_user = judged.first_domain_for_user,
           domain_last_modified = judged.domain_last_modified,
           domain_created_on = judged.domain_created_on,
           deleted = judged.deleted,
           is_inferred = false,
           version_time = judged.version_time,
           read_number = judged.read_number,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE dim.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND dim.id = judged.id
    RETURNING judged.verdict
), judgement AS (
    SELECT count(*) AS keys,
           count(*) FILTER (WHERE judged.verdict = 'same') AS same,
           count(*) FILTER (WHERE judged.verdict = 'older') AS older
      FROM judged
), written AS (
    SELECT count(*) FILTER (WHERE rewritten.verdict = 'changed') AS changed,
           count(*) FILTER (WHERE rewritten.verdict = 'raised') AS raised
      FROM rewritten
), staged AS (
    SELECT count(*) AS lines
      FROM staging.domain AS line
     WHERE line.batch_id = $1
       AND NOT line.is_tombstone
)
SELECT staged.lines AS rows_staged,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       written.changed AS rows_updated,
       judgement.same + written.raised AS rows_unchanged,
       staged.lines - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older
  FROM staged
 CROSS JOIN judgement
 CROSS JOIN written;

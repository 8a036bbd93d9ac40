-- Keep each user as the greatest version of its document has it.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.user_id)
           staged.user_id, staged.username, staged.first_name, staged.last_name, staged.email,
           staged.doc_type,
           CASE WHEN staged.user_id = 'system' THEN 'system'
                WHEN staged.user_id = 'demo_user' THEN 'demo'
                WHEN staged.user_id = 'commtrack-system' THEN 'supply'
                WHEN staged.doc_type LIKE 'CommCareUser%' THEN 'mobile'
                WHEN staged.doc_type LIKE 'WebUser%' THEN 'web'
                ELSE 'unknown'
            END AS user_type,
           staged.domain, staged.assigned_location_ids, staged.domain_memberships,
           staged.is_active, staged.is_staff, staged.is_superuser, staged.last_login,
           staged.date_joined, staged.user_last_modified,
           (COALESCE(staged.base_doc, '') LIKE '%-Deleted'
            OR COALESCE(staged.doc_type, '') LIKE '%-Deleted') AS is_marked,
           staged.version_time, staged.read_number
      FROM staging.user AS staged
     WHERE staged.batch_id = $1
       AND NOT staged.is_tombstone
     ORDER BY staged.user_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*, stored.id, fate.deleted,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.username, incoming.first_name, incoming.last_name,
                      incoming.email, incoming.doc_type, incoming.user_type, incoming.domain,
                      incoming.assigned_location_ids, incoming.domain_memberships,
                      incoming.is_active, incoming.is_staff, incoming.is_superuser,
                      incoming.last_login, incoming.date_joined, incoming.user_last_modified,
                      fate.deleted, false)
                     IS DISTINCT FROM
                     (stored.username, stored.first_name, stored.last_name, stored.email,
                      stored.doc_type, stored.user_type, stored.domain,
                      stored.assigned_location_ids, stored.domain_memberships, stored.is_active,
                      stored.is_staff, stored.is_superuser, stored.last_login,
                      stored.date_joined, stored.user_last_modified, stored.deleted,
                      stored.is_inferred) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.user_dim AS stored
        ON stored.user_id = incoming.user_id
     CROSS JOIN LATERAL (
           SELECT incoming.is_marked
               OR COALESCE((stored.gone_version_time, stored.gone_read_number)
                           > (incoming.version_time, incoming.read_number), false) AS deleted
           ) AS fate
), inserted AS (
    INSERT INTO warehouse.user_dim (
           user_id, username, first_name, last_name, email, doc_type, user_type, domain,
           assigned_location_ids, domain_memberships, is_active, is_staff, is_superuser,
           last_login, date_joined, user_last_modified, deleted, version_time, read_number,
           batch_id)
    SELECT judged.user_id, judged.username, judged.first_name, judged.last_name, judged.email,
           judged.doc_type, judged.user_type, judged.domain, judged.assigned_location_ids,
           judged.domain_memberships, judged.is_active, judged.is_staff, judged.is_superuser,
           judged.last_login, judged.date_joined, judged.user_last_modified, judged.deleted,
           judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.user_id
    RETURNING 1
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.user_dim AS dim
       SET username = judged.username,
           first_name = judged.first_name,
           last_name = judged.last_name,
           email = judged.email,
           doc_type = judged.doc_type,
           user_type = judged.user_type,
           domain = judged.domain,
           assigned_location_ids = judged.assigned_location_ids,
           domain_memberships = judged.domain_memberships,
           is_active = judged.is_active,
           is_staff = judged.is_staff,
           is_superuser = judged.is_superuser,
           last_login = judged.last_login,
           date_joined = judged.date_joined,
           user_last_modified = judged.user_last_modified,
           deleted = judged.deleted,
           is_inferred = false,
           version_time = judged.version_time,
           read_number = judged.read_number,
           dim_last_modified = CASE judged.verdict WHEN 'changed' THEN now()
                               ELSE dim.dim_last_modified END,
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
      FROM staging.user AS line
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

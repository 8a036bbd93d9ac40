-- Keep each group as the greatest version of its document has it.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.group_id)
           staged.group_id, staged.name, staged.domain, staged.user_ids,
           staged.removed_user_ids, staged.case_sharing, staged.reporting,
           staged.group_last_modified,
           COALESCE(staged.doc_type, '') LIKE '%-Deleted' AS is_marked,
           staged.version_time, staged.read_number
      FROM staging.group AS staged
     WHERE staged.batch_id = $1
       AND NOT staged.is_tombstone
     ORDER BY staged.group_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*, stored.id, fate.deleted,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.name, incoming.domain, incoming.user_ids,
                      incoming.removed_user_ids, incoming.case_sharing, incoming.reporting,
                      incoming.group_last_modified, fate.deleted, false)
                     IS DISTINCT FROM
                     (stored.name, stored.domain, stored.user_ids, stored.removed_user_ids,
                      stored.case_sharing, stored.reporting, stored.group_last_modified,
                      stored.deleted, stored.is_inferred) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.group_dim AS stored
        ON stored.group_id = incoming.group_id
     CROSS JOIN LATERAL (
           SELECT incoming.is_marked
               OR COALESCE((stored.gone_version_time, stored.gone_read_number)
                           > (incoming.version_time, incoming.read_number), false) AS deleted
           ) AS fate
), inserted AS (
    INSERT INTO warehouse.group_dim (
           group_id, name, domain, user_ids, removed_user_ids, case_sharing, reporting,
           group_last_modified, deleted, version_time, read_number, batch_id)
    SELECT judged.group_id, judged.name, judged.domain, judged.user_ids,
           judged.removed_user_ids, judged.case_sharing, judged.reporting,
           judged.group_last_modified, judged.deleted, judged.version_time, judged.read_number,
           $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.group_id
    RETURNING 1
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.group_dim AS dim
       SET name = judged.name,
           domain = judged.domain,
           user_ids = judged.user_ids,
           removed_user_ids = judged.removed_user_ids,
           case_sharing = judged.case_sharing,
           reporting = judged.reporting,
           group_last_modified = judged.group_last_modified,
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
      FROM staging.group AS line
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

-- Keep each application and build as the greatest version of its document has it.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.application_id)
           staged.application_id, staged.domain, staged.name, staged.version, staged.copy_of,
           staged.application_last_modified,
           COALESCE(staged.doc_type, '') LIKE '%-Deleted' AS is_marked,
           staged.version_time, staged.read_number
      FROM staging.application AS staged
     WHERE staged.batch_id = $1
       AND NOT staged.is_tombstone
     ORDER BY staged.application_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*, stored.id, fate.deleted,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.domain, incoming.name, incoming.version, incoming.copy_of,
                      incoming.application_last_modified, fate.deleted, false)
                     IS DISTINCT FROM
                     (stored.domain, stored.name, stored.version, stored.copy_of,
                      stored.application_last_modified, stored.deleted, stored.is_inferred)
                THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.application_dim AS stored
        ON stored.application_id = incoming.application_id
     CROSS JOIN LATERAL (
           SELECT incoming.is_marked
               OR COALESCE((stored.gone_version_time, stored.gone_read_number)
                           > (incoming.version_time, incoming.read_number), false) AS deleted
           ) AS fate
), inserted AS (
    INSERT INTO warehouse.application_dim (
           application_id, domain, name, version, copy_of, application_last_modified, deleted,
           version_time, read_number, batch_id)
    SELECT judged.application_id, judged.domain, judged.name, judged.version, judged.copy_of,
           judged.application_last_modified, judged.deleted, judged.version_time,
           judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.application_id
    RETURNING 1
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.application_dim AS dim
       SET domain = judged.domain,
           name = judged.name,
           version = judged.version,
           copy_of = judged.copy_of,
           application_last_modified = judged.application_last_modified,
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
      FROM staging.application AS line
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

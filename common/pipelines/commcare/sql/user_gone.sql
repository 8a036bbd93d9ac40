-- Mark each user that a true deletion took away, unless it was made again later.
-- param $1 batch_id bigint
WITH incoming AS (
    SELECT DISTINCT ON (staged.user_id)
           staged.user_id, staged.version_time, staged.read_number
      FROM staging.user AS staged
     WHERE staged.batch_id = $1
       AND staged.is_tombstone
     ORDER BY staged.user_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.user_id, incoming.version_time, incoming.read_number, stored.id,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.gone_version_time, stored.gone_read_number) THEN 'same'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.gone_version_time, stored.gone_read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     <= (stored.version_time, stored.read_number) THEN 'older'
                WHEN stored.deleted THEN 'raised'
                ELSE 'changed'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.user_dim AS stored
        ON stored.user_id = incoming.user_id
), inserted AS (
    INSERT INTO warehouse.user_dim (
           user_id, deleted, is_inferred, version_time, read_number, gone_version_time,
           gone_read_number, batch_id)
    SELECT judged.user_id, true, true, '-infinity', 0, judged.version_time,
           judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.user_id
    RETURNING 1
), rewritten AS (
    -- a row that was deleted before only remembers the later deletion, and keeps the batch id
    UPDATE warehouse.user_dim AS dim
       SET deleted = true,
           gone_version_time = judged.version_time,
           gone_read_number = judged.read_number,
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
       AND line.is_tombstone
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

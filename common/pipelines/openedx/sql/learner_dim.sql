-- Keep each learner as the greatest version has it.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.user_id)
           staged.user_id, staged.username, staged.is_staff, staged.is_active, staged.date_joined,
           staged.last_login,
           staged.version_time, staged.read_number
      FROM staging.learner AS staged
     WHERE staged.batch_id = $1
     ORDER BY staged.user_id, staged.version_time DESC,
              staged.read_number DESC, staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*,
           CASE WHEN stored.user_id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.username, incoming.is_staff, incoming.is_active,
                      incoming.date_joined,
                      incoming.last_login, false)
                     IS DISTINCT FROM
                     (stored.username, stored.is_staff, stored.is_active, stored.date_joined,
                      stored.last_login,
                      stored.is_inferred) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.learner_dim AS stored
        ON stored.user_id = incoming.user_id
), inserted AS (
    INSERT INTO warehouse.learner_dim (
           user_id, username, is_staff, is_active, date_joined, last_login, version_time,
           read_number, batch_id)
    SELECT judged.user_id, judged.username, judged.is_staff, judged.is_active, judged.date_joined,
           judged.last_login,
           judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.user_id
    RETURNING user_id
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.learner_dim AS stored
       SET username = judged.username,
           is_staff = judged.is_staff,
           is_active = judged.is_active,
           date_joined = judged.date_joined,
           last_login = judged.last_login,
           is_inferred = false,
           dim_last_modified = CASE judged.verdict WHEN 'changed' THEN now()
                               ELSE stored.dim_last_modified END,
           version_time = judged.version_time,
           read_number = judged.read_number,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE stored.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND stored.user_id = judged.user_id
    RETURNING judged.verdict, judged.user_id
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
      FROM staging.learner AS line
     WHERE line.batch_id = $1
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

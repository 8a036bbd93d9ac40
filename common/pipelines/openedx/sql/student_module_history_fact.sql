-- Keep each history row as its greatest version has it: the platform updates rows in place.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.source_table, staged.source_id)
           staged.source_table, staged.source_id AS history_source_id, staged.student_module_id AS
           student_module_source_id, staged.created AS created_on, staged.grade, staged.max_grade,
           part.attempts, part.content_hash,
           staged.version_time, staged.read_number
      FROM staging.student_module_history AS staged
     CROSS JOIN LATERAL (
               SELECT (staged.state ->> 'attempts')::bigint AS attempts,
                      hash_record_extended((
                          staged.student_module_id, staged.created, staged.grade,
                          staged.max_grade, staged.state::text), 1) AS content_hash) AS part
     WHERE staged.batch_id = $1
     ORDER BY staged.source_table, staged.source_id, staged.version_time DESC,
              staged.read_number DESC, staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*,
           CASE WHEN stored.source_table IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.student_module_source_id, incoming.created_on, incoming.grade,
                      incoming.max_grade,
                      incoming.attempts, incoming.content_hash)
                     IS DISTINCT FROM
                     (stored.student_module_source_id, stored.created_on, stored.grade,
                      stored.max_grade,
                      stored.attempts, stored.content_hash) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.student_module_history_fact AS stored
        ON stored.source_table = incoming.source_table
           AND stored.history_source_id = incoming.history_source_id
), inserted AS (
    INSERT INTO warehouse.student_module_history_fact (
           source_table, history_source_id, student_module_source_id, created_on, grade,
           max_grade, attempts,
           content_hash, version_time, read_number, batch_id)
    SELECT judged.source_table, judged.history_source_id, judged.student_module_source_id,
           judged.created_on,
           judged.grade, judged.max_grade, judged.attempts, judged.content_hash,
           judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.source_table, judged.history_source_id
    RETURNING source_table, history_source_id
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.student_module_history_fact AS stored
       SET student_module_source_id = judged.student_module_source_id,
           created_on = judged.created_on,
           grade = judged.grade,
           max_grade = judged.max_grade,
           attempts = judged.attempts,
           content_hash = judged.content_hash,
           version_time = judged.version_time,
           read_number = judged.read_number,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE stored.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND stored.source_table = judged.source_table
       AND stored.history_source_id = judged.history_source_id
    RETURNING judged.verdict, judged.source_table, judged.history_source_id
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
      FROM staging.student_module_history AS line
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

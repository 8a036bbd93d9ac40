-- Keep the certificate of each learner and course as its greatest version has it.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (context.id, learner.id)
           context.id AS context_id, learner.id AS learner_id, staged.user_id, staged.course_id,
           staged.status, staged.created_date AS created_on,
           staged.version_time, staged.read_number
      FROM staging.certificate AS staged
      JOIN warehouse.learner_dim AS learner
        ON learner.user_id = staged.user_id
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = staged.course_id
     WHERE staged.batch_id = $1
     ORDER BY context.id, learner.id, staged.version_time DESC,
              staged.read_number DESC, staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*,
           CASE WHEN stored.context_id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.user_id, incoming.course_id, incoming.status, incoming.created_on)
                     IS DISTINCT FROM
                     (stored.user_id, stored.course_id, stored.status, stored.created_on)
                THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.certificate_fact AS stored
        ON stored.context_id = incoming.context_id
           AND stored.learner_id = incoming.learner_id
), inserted AS (
    INSERT INTO warehouse.certificate_fact (
           context_id, learner_id, user_id, course_id, status, created_on, version_time,
           read_number, batch_id)
    SELECT judged.context_id, judged.learner_id, judged.user_id, judged.course_id, judged.status,
           judged.created_on,
           judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.context_id, judged.learner_id
    RETURNING context_id, learner_id
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.certificate_fact AS stored
       SET user_id = judged.user_id,
           course_id = judged.course_id,
           status = judged.status,
           created_on = judged.created_on,
           version_time = judged.version_time,
           read_number = judged.read_number,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE stored.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND stored.context_id = judged.context_id
       AND stored.learner_id = judged.learner_id
    RETURNING judged.verdict, judged.context_id, judged.learner_id
), logged AS (
    -- what was revoked counts no more from the day that it counted from
    INSERT INTO warehouse.learning_change_log (batch_id, context_id, learner_id, metric_date)
    SELECT DISTINCT $1, dated.context_id, dated.learner_id,
           (dated.created_on AT TIME ZONE 'UTC')::date
      FROM (SELECT judged.context_id, judged.learner_id, judged.created_on
              FROM judged
             WHERE judged.verdict IN ('new', 'changed')
             UNION ALL
            SELECT judged.context_id, judged.learner_id, stored.created_on
              FROM judged
              JOIN warehouse.certificate_fact AS stored
                ON stored.learner_id = judged.learner_id
               AND stored.context_id = judged.context_id
             WHERE judged.verdict = 'changed') AS dated
     WHERE dated.created_on IS NOT NULL
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
      FROM staging.certificate AS line
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

-- Keep each enrollment as its greatest version has it; what did not change is not written.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (learner.id, context.id)
           learner.id AS learner_id, context.id AS context_id, staged.source_id, staged.created AS
           created_on, part.is_active, staged.mode, part.deleted_on, part.content_hash,
           part.last_change_on, staged.user_id, staged.course_id,
           staged.version_time, staged.read_number
      FROM staging.enrollment AS staged
      JOIN warehouse.learner_dim AS learner
        ON learner.user_id = staged.user_id
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = staged.course_id
     CROSS JOIN LATERAL (
               SELECT COALESCE(staged.is_active, false) AND NOT staged.is_deleted AS is_active,
                      CASE WHEN staged.is_deleted
                           THEN COALESCE(staged.history_date, staged.version_time)
                       END AS deleted_on,
                      COALESCE(staged.history_date, staged.created) AS last_change_on,
                      hash_record_extended((
                          staged.source_id, staged.created, staged.is_active, staged.mode,
                          staged.history_date, staged.is_deleted), 1)
                      AS content_hash) AS part
     WHERE staged.batch_id = $1
     ORDER BY learner.id, context.id, staged.version_time DESC,
              staged.read_number DESC, staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*,
           CASE WHEN stored.learner_id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN incoming.content_hash <> stored.content_hash THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.enrollment_fact AS stored
        ON stored.learner_id = incoming.learner_id
           AND stored.context_id = incoming.context_id
), inserted AS (
    INSERT INTO warehouse.enrollment_fact (
           learner_id, context_id, source_id, created_on, is_active, mode, deleted_on, content_hash,
           last_change_on, user_id, course_id, is_course_staff, version_time, read_number, batch_id)
    SELECT judged.learner_id, judged.context_id, judged.source_id, judged.created_on,
           judged.is_active,
           judged.mode, judged.deleted_on, judged.content_hash, judged.last_change_on,
           judged.user_id, judged.course_id, warehouse.is_course_staff(judged.user_id,
           judged.course_id),
           judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.learner_id, judged.context_id
    RETURNING learner_id, context_id
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.enrollment_fact AS stored
       SET source_id = judged.source_id,
           created_on = judged.created_on,
           is_active = judged.is_active,
           mode = judged.mode,
           deleted_on = judged.deleted_on,
           content_hash = judged.content_hash,
           last_change_on = judged.last_change_on,
           user_id = judged.user_id,
           course_id = judged.course_id,
           version_time = judged.version_time,
           read_number = judged.read_number,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE stored.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND stored.learner_id = judged.learner_id
       AND stored.context_id = judged.context_id
    RETURNING judged.verdict, judged.learner_id, judged.context_id
), logged AS (
    INSERT INTO warehouse.learning_change_log (batch_id, context_id, learner_id, metric_date)
    SELECT $1, inserted.context_id, inserted.learner_id, NULL::date
      FROM inserted
     UNION
    SELECT $1, rewritten.context_id, rewritten.learner_id, NULL::date
      FROM rewritten
     WHERE rewritten.verdict = 'changed'
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
      FROM staging.enrollment AS line
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

-- Keep each student module as its greatest version has it; what did not change is not written.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
--
-- The seed of the hash is not 0, which is the hash of NULL and, by a seed of 0, of a float's zero.
WITH incoming AS (
    SELECT DISTINCT ON (learner.id, context.id, block.id)
           learner.id AS learner_id, context.id AS context_id, block.id AS block_id,
           staged.source_id,
           staged.module_type, staged.grade, staged.max_grade, part.state_kind, part.position,
           part.attempts, part.selected, staged.created AS created_on, staged.modified AS
           modified_on, part.deleted_on, part.content_hash, staged.student_id AS user_id,
           staged.course_id, staged.module_id,
           staged.version_time, staged.read_number
      FROM staging.student_module AS staged
      JOIN warehouse.learner_dim AS learner
        ON learner.user_id = staged.student_id
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = staged.course_id
      JOIN warehouse.block_dim AS block
        ON block.context_id = context.id
       AND block.usage_key = staged.module_id
     CROSS JOIN LATERAL (
               SELECT CASE WHEN staged.state IS NULL THEN 'null'
                           WHEN staged.state = '{}' THEN 'empty'
                           ELSE 'object'
                       END AS state_kind,
                      (staged.state ->> 'position')::bigint AS position,
                      (staged.state ->> 'attempts')::bigint AS attempts,
                      CASE WHEN jsonb_typeof(staged.state -> 'selected') = 'array'
                           THEN ARRAY(SELECT (child.pair ->> 0) || '/' || (child.pair ->> 1)
                                        FROM jsonb_array_elements(staged.state -> 'selected')
                                             AS child (pair)
                                       WHERE jsonb_typeof(child.pair) = 'array')
                       END COLLATE "C" AS selected,
                      CASE WHEN staged.is_deleted
                           THEN COALESCE(staged.modified, staged.version_time)
                       END AS deleted_on,
                      hash_record_extended((
                          staged.source_id, staged.module_type, staged.grade, staged.max_grade,
                          staged.state::text, staged.created, staged.modified,
                          staged.is_deleted), 1) AS content_hash) AS part
     WHERE staged.batch_id = $1
     ORDER BY learner.id, context.id, block.id, staged.version_time DESC,
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
      LEFT JOIN warehouse.student_module_fact AS stored
        ON stored.learner_id = incoming.learner_id
           AND stored.context_id = incoming.context_id
           AND stored.block_id = incoming.block_id
), inserted AS (
    INSERT INTO warehouse.student_module_fact (
           learner_id, context_id, block_id, source_id, module_type, grade, max_grade, state_kind,
           position,
           attempts, selected, created_on, modified_on, deleted_on, content_hash, user_id,
           course_id, module_id, version_time, read_number, batch_id)
    SELECT judged.learner_id, judged.context_id, judged.block_id, judged.source_id,
           judged.module_type,
           judged.grade, judged.max_grade, judged.state_kind, judged.position, judged.attempts,
           judged.selected, judged.created_on, judged.modified_on, judged.deleted_on,
           judged.content_hash, judged.user_id, judged.course_id, judged.module_id,
           judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.learner_id, judged.context_id, judged.block_id
    RETURNING learner_id, context_id, block_id
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.student_module_fact AS stored
       SET source_id = judged.source_id,
           module_type = judged.module_type,
           grade = judged.grade,
           max_grade = judged.max_grade,
           state_kind = judged.state_kind,
           position = judged.position,
           attempts = judged.attempts,
           selected = judged.selected,
           created_on = judged.created_on,
           modified_on = judged.modified_on,
           deleted_on = judged.deleted_on,
           content_hash = judged.content_hash,
           user_id = judged.user_id,
           course_id = judged.course_id,
           module_id = judged.module_id,
           version_time = judged.version_time,
           read_number = judged.read_number,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE stored.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND stored.learner_id = judged.learner_id
       AND stored.context_id = judged.context_id
       AND stored.block_id = judged.block_id
    RETURNING judged.verdict, judged.learner_id, judged.context_id, judged.block_id
), logged AS (
    INSERT INTO warehouse.learning_change_log (batch_id, context_id, learner_id, metric_date)
    SELECT $1, inserted.context_id, inserted.learner_id, NULL::date
      FROM inserted
     UNION
    SELECT $1, rewritten.context_id, rewritten.learner_id, NULL::date
      FROM rewritten
     WHERE rewritten.verdict = 'changed'
), noted AS (
    SELECT count(*) FILTER (WHERE context.context_type IN ('library_v1', 'library_v2'))
               AS library_row,
           count(*) FILTER (WHERE judged.module_type <> block.block_type) AS module_type_mismatch
      FROM judged
      JOIN warehouse.learning_context_dim AS context
        ON context.id = judged.context_id
      JOIN warehouse.block_dim AS block
        ON block.id = judged.block_id
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
      FROM staging.student_module AS line
     WHERE line.batch_id = $1
)
SELECT staged.lines AS rows_staged,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       written.changed AS rows_updated,
       judgement.same + written.raised AS rows_unchanged,
       staged.lines - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older,
       noted.library_row,
       noted.module_type_mismatch
  FROM staged
 CROSS JOIN judgement
 CROSS JOIN written
 CROSS JOIN noted;

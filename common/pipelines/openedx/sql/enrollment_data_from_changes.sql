-- Write the enrollment data of the enrollments that changed, as the definition has it.
-- param $1 batches bigint[]
-- param $2 batch_id bigint
-- param $3 units text[]
-- param $4 as_of timestamptz
--
-- Touched are enrollments whose student modules or own row changed, and all those of a course whose
-- scoring changed, with those of the CCXs that are measured by it.
WITH restructured AS (
    SELECT log.context_id
      FROM warehouse.learning_change_log AS log
     WHERE log.batch_id = ANY ($1)
       AND log.learner_id IS NULL
       AND log.metric_date IS NULL
     UNION
    SELECT coached.id
      FROM warehouse.learning_change_log AS log
      JOIN warehouse.learning_context_dim AS coached
        ON coached.parent_context_id = log.context_id
       AND coached.parent_context_id <> 0
     WHERE log.batch_id = ANY ($1)
       AND log.learner_id IS NULL
       AND log.metric_date IS NULL
), touched AS (
    SELECT log.learner_id, log.context_id
      FROM warehouse.learning_change_log AS log
     WHERE log.batch_id = ANY ($1)
       AND log.learner_id IS NOT NULL
       AND log.metric_date IS NULL
     UNION
    SELECT fact.learner_id, fact.context_id
      FROM restructured
      JOIN warehouse.enrollment_fact AS fact
        ON fact.context_id = restructured.context_id
), chosen AS (
    SELECT touched.learner_id, touched.context_id
      FROM touched
      JOIN warehouse.context_structure AS context
        ON context.context_id = touched.context_id
       AND ($3::text[] IS NULL OR context.context_key = ANY ($3))
), keys AS (
    SELECT array_agg(chosen.learner_id ORDER BY chosen.context_id, chosen.learner_id) AS learners,
           array_agg(chosen.context_id ORDER BY chosen.context_id, chosen.learner_id) AS contexts
      FROM chosen
)
SELECT written.keys_touched, written.rows_inserted, written.rows_updated, written.rows_deleted,
       written.rows_unchanged
  FROM keys
 CROSS JOIN LATERAL warehouse.write_enrollment_data(
           keys.learners, keys.contexts, $2::bigint, $4::timestamptz) AS written;

-- Keep what the learners that changed add to the daily metrics of their courses.
-- param $1 batches bigint[]
-- param $2 batch_id bigint
-- param $3 units text[]
WITH restructured AS (
    SELECT log.context_id
      FROM warehouse.learning_change_log AS log
     WHERE log.batch_id = ANY ($1)
       AND log.learner_id IS NULL
     UNION
    SELECT coached.id
      FROM warehouse.learning_change_log AS log
      JOIN warehouse.learning_context_dim AS coached
        ON coached.parent_context_id = log.context_id
       AND coached.parent_context_id <> 0
     WHERE log.batch_id = ANY ($1)
       AND log.learner_id IS NULL
), touched AS (
    SELECT log.learner_id, log.context_id
      FROM warehouse.learning_change_log AS log
     WHERE log.batch_id = ANY ($1)
       AND log.learner_id IS NOT NULL
     UNION
    -- of a course whose structure changed those whose enrollment data did
    SELECT data.learner_id, data.context_id
      FROM restructured
      JOIN warehouse.enrollment_data AS data
        ON data.context_id = restructured.context_id
       AND data.batch_id = $2
), keys AS (
    SELECT array_agg(touched.learner_id ORDER BY touched.context_id, touched.learner_id)
               AS learners,
           array_agg(touched.context_id ORDER BY touched.context_id, touched.learner_id)
               AS contexts
      FROM touched
      JOIN warehouse.context_structure AS context
        ON context.context_id = touched.context_id
       AND ($3::text[] IS NULL OR context.context_key = ANY ($3))
)
SELECT written.changes_written, written.days_changed, written.negative_days
  FROM keys
 CROSS JOIN LATERAL warehouse.write_metric_changes(keys.learners, keys.contexts, $2) AS written;

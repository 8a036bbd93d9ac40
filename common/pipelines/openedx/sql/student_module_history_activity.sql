-- Remember each day on which a learner was active, as far as the history shows it.
-- param $1 batch_id bigint
WITH seen AS (
    SELECT DISTINCT module.learner_id, module.context_id,
           (staged.created AT TIME ZONE 'UTC')::date AS activity_date, module.user_id
      FROM staging.student_module_history AS staged
      JOIN warehouse.student_module_fact AS module
        ON module.source_id = staged.student_module_id
     WHERE staged.batch_id = $1
       AND staged.created IS NOT NULL
), added AS (
    INSERT INTO warehouse.learner_activity_fact (
           learner_id, context_id, activity_date, user_id, batch_id)
    SELECT seen.learner_id, seen.context_id, seen.activity_date, seen.user_id, $1
      FROM seen
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.learner_activity_fact AS known
                WHERE known.context_id = seen.context_id
                  AND known.activity_date = seen.activity_date
                  AND known.learner_id = seen.learner_id)
     ORDER BY seen.context_id, seen.activity_date, seen.learner_id
        ON CONFLICT (context_id, activity_date, learner_id) DO NOTHING
    RETURNING context_id, learner_id, activity_date
), logged AS (
    INSERT INTO warehouse.learning_change_log (batch_id, context_id, learner_id, metric_date)
    SELECT $1, added.context_id, added.learner_id, added.activity_date
      FROM added
)
SELECT count(*) AS activity_added
  FROM added;

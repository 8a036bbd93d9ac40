-- History that came before its student module: the days on which the learner was active.
-- param $1 batch_id bigint
WITH seen AS (
    SELECT DISTINCT module.learner_id, module.context_id,
           (history.created_on AT TIME ZONE 'UTC')::date AS activity_date, module.user_id
      FROM (SELECT DISTINCT staged.source_id
              FROM staging.student_module AS staged
             WHERE staged.batch_id = $1
               AND staged.source_id IS NOT NULL) AS named
      JOIN warehouse.student_module_history_fact AS history
        ON history.student_module_source_id = named.source_id
       AND history.created_on IS NOT NULL
      JOIN warehouse.student_module_fact AS module
        ON module.source_id = named.source_id
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

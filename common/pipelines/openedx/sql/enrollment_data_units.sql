-- The courses and CCXs that a run touches.
-- param $1 batches bigint[]
-- param $2 is_all boolean
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
    SELECT log.context_id
      FROM warehouse.learning_change_log AS log
     WHERE NOT $2
       AND log.batch_id = ANY ($1)
     UNION
    SELECT restructured.context_id
      FROM restructured
     WHERE NOT $2
     UNION
    -- those without enrollments, too: they have daily metrics
    SELECT known.context_id
      FROM warehouse.context_structure AS known
     WHERE $2
)
SELECT context.context_key AS unit
  FROM touched
  JOIN warehouse.context_structure AS context
    ON context.context_id = touched.context_id
 ORDER BY context.context_key;

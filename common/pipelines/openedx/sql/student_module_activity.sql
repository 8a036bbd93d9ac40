-- Remember each day on which a learner was active, as far as the student modules show it.
-- param $1 batch_id bigint
-- param $2 activity_types text
WITH seen AS (
    SELECT DISTINCT learner.id AS learner_id, context.id AS context_id,
           (day.seen_on AT TIME ZONE 'UTC')::date AS activity_date, staged.student_id AS user_id
      FROM staging.student_module AS staged
     CROSS JOIN LATERAL (VALUES (staged.created), (staged.modified)) AS day (seen_on)
      JOIN warehouse.learner_dim AS learner
        ON learner.user_id = staged.student_id
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = staged.course_id
     WHERE staged.batch_id = $1
       AND NOT staged.is_deleted
       AND day.seen_on IS NOT NULL
       AND ($2::text IS NULL OR staged.module_type = ANY (regexp_split_to_array($2, ' *, *')))
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

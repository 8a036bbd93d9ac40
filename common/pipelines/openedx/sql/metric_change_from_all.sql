-- Keep what all learners, or those of some courses, add to the daily metrics.
-- param $1 batch_id bigint
-- param $2 units text[]
WITH known AS (
    SELECT activity.learner_id, activity.context_id
      FROM warehouse.learner_activity_fact AS activity
     UNION
    SELECT event.learner_id, event.context_id
      FROM warehouse.enrollment_event_fact AS event
     UNION
    SELECT certificate.learner_id, certificate.context_id
      FROM warehouse.certificate_fact AS certificate
     UNION
    SELECT change.learner_id, change.context_id
      FROM warehouse.learner_metric_change AS change
), keys AS (
    SELECT array_agg(known.learner_id ORDER BY known.context_id, known.learner_id) AS learners,
           array_agg(known.context_id ORDER BY known.context_id, known.learner_id) AS contexts
      FROM known
      JOIN warehouse.context_structure AS context
        ON context.context_id = known.context_id
       AND ($2::text[] IS NULL OR context.context_key = ANY ($2))
)
SELECT written.changes_written, written.days_changed, written.negative_days
  FROM keys
 CROSS JOIN LATERAL warehouse.write_metric_changes(keys.learners, keys.contexts, $1) AS written;

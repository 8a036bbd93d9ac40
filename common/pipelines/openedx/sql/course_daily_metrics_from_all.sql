-- Write the daily metrics of all courses, or of some, from their first day on.
-- param $1 batch_id bigint
-- param $2 units text[]
-- param $3 as_of timestamptz
WITH dated AS (
    SELECT change.context_id, change.on_date
      FROM warehouse.course_metric_change AS change
     UNION ALL
    SELECT known.context_id, known.metric_date
      FROM warehouse.course_daily_metrics AS known
), span AS (
    SELECT dated.context_id, min(dated.on_date) AS from_date
      FROM dated
      JOIN warehouse.context_structure AS context
        ON context.context_id = dated.context_id
       AND ($2::text[] IS NULL OR context.context_key = ANY ($2))
     GROUP BY dated.context_id
)
SELECT warehouse.write_course_daily_metrics(
           array_agg(span.context_id ORDER BY span.context_id),
           array_agg(span.from_date ORDER BY span.context_id), $1, $3) AS metrics_written
  FROM span;

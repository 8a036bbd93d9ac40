-- Write the daily metrics of the courses that changed, from the first day that the changes touch.
-- param $1 batches bigint[]
-- param $2 batch_id bigint
-- param $3 units text[]
-- param $4 as_of timestamptz
WITH touched AS (
    -- days that nothing touched since the last run have their rows, too
    SELECT log.context_id, min(log.metric_date) AS from_date
      FROM warehouse.learning_change_log AS log
     WHERE log.batch_id = ANY ($1)
     GROUP BY log.context_id
     UNION ALL
    SELECT change.context_id, min(change.on_date)
      FROM warehouse.course_metric_change AS change
     WHERE change.batch_id = $2
     GROUP BY change.context_id
), span AS (
    SELECT touched.context_id,
           LEAST(min(touched.from_date),
                 (COALESCE($4::timestamptz, now()) AT TIME ZONE 'UTC')::date,
                 (SELECT max(known.metric_date) + 1
                    FROM warehouse.course_daily_metrics AS known
                   WHERE known.context_id = touched.context_id)) AS from_date
      FROM touched
      JOIN warehouse.context_structure AS context
        ON context.context_id = touched.context_id
       AND ($3::text[] IS NULL OR context.context_key = ANY ($3))
     GROUP BY touched.context_id
)
SELECT warehouse.write_course_daily_metrics(
           array_agg(span.context_id ORDER BY span.context_id),
           array_agg(span.from_date ORDER BY span.context_id), $2, $4) AS metrics_written
  FROM span;

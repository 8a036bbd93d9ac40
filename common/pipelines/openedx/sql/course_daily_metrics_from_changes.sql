-- Write the daily metrics of the courses that changed, from the first day that the changes touch.
-- param $1 batches bigint[]
-- param $2 batch_id bigint
-- param $3 units text[]
-- param $4 as_of timestamptz
WITH touched AS (
    -- progress is known as of today; activity, enrollments and certificates have their own days
    SELECT log.context_id,
           LEAST(log.metric_date, (COALESCE($4::timestamptz,
           now()) AT TIME ZONE 'UTC')::date) AS from_date
      FROM warehouse.learning_change_log AS log
     WHERE log.batch_id = ANY ($1)
     UNION ALL
    SELECT data.context_id,
           LEAST(data.first_completed_on, (COALESCE($4::timestamptz,
           now()) AT TIME ZONE 'UTC')::date)
      FROM warehouse.enrollment_data AS data
     WHERE data.batch_id = $2
       AND data.context_id = ANY (ARRAY(
               SELECT DISTINCT log.context_id
                 FROM warehouse.learning_change_log AS log
                WHERE log.batch_id = ANY ($1)
                UNION
               SELECT coached.id
                 FROM warehouse.learning_change_log AS log
                 JOIN warehouse.learning_context_dim AS coached
                   ON coached.parent_context_id = log.context_id
                WHERE log.batch_id = ANY ($1)
                  AND log.context_id <> 0))
), span AS (
    -- days that nothing touched since the last run have their rows, too
    SELECT touched.context_id,
           LEAST(min(touched.from_date),
                 (SELECT max(known.metric_date) + 1
                    FROM warehouse.course_daily_metrics AS known
                   WHERE known.context_id = touched.context_id)) AS from_date
      FROM touched
      JOIN warehouse.context_structure AS context
        ON context.context_id = touched.context_id
       AND ($3::text[] IS NULL OR context.context_key = ANY ($3))
     GROUP BY touched.context_id
), computed AS MATERIALIZED (
    SELECT metrics.context_id, metrics.metric_date, metrics.active_learners, metrics.mau_to_date,
           metrics.enrollment_count, metrics.completions,
           metrics.certificates, metrics.progress_active_sum, metrics.progress_active_n,
           metrics.progress_all_sum, metrics.progress_all_n, metrics.days_to_complete_sum,
           metrics.days_to_complete_n,
           metrics.negative_days
      FROM (SELECT array_agg(span.context_id ORDER BY span.context_id) AS contexts,
                   array_agg(span.from_date ORDER BY span.context_id) AS from_dates
              FROM span) AS keys
     CROSS JOIN LATERAL warehouse.course_daily_metrics_of(
               keys.contexts, keys.from_dates,
               (COALESCE($4::timestamptz, now()) AT TIME ZONE 'UTC')::date) AS metrics
), written AS (
    INSERT INTO warehouse.course_daily_metrics AS stored (
           context_id, metric_date, active_learners, mau_to_date, enrollment_count, completions,
           certificates, progress_active_sum,
           progress_active_n, progress_all_sum, progress_all_n, days_to_complete_sum,
           days_to_complete_n, batch_id)
    SELECT computed.context_id, computed.metric_date,
           computed.active_learners, computed.mau_to_date, computed.enrollment_count,
           computed.completions,
           computed.certificates, computed.progress_active_sum, computed.progress_active_n,
           computed.progress_all_sum, computed.progress_all_n, computed.days_to_complete_sum,
           computed.days_to_complete_n, $2
      FROM computed
      LEFT JOIN warehouse.course_daily_metrics AS known
        ON known.context_id = computed.context_id
       AND known.metric_date = computed.metric_date
     WHERE (known.active_learners, known.mau_to_date, known.enrollment_count, known.completions,
            known.certificates, known.progress_active_sum, known.progress_active_n,
            known.progress_all_sum, known.progress_all_n, known.days_to_complete_sum,
            known.days_to_complete_n)
           IS DISTINCT FROM
           (computed.active_learners, computed.mau_to_date, computed.enrollment_count,
            computed.completions,
            computed.certificates, computed.progress_active_sum, computed.progress_active_n,
            computed.progress_all_sum, computed.progress_all_n, computed.days_to_complete_sum,
            computed.days_to_complete_n)
     ORDER BY computed.context_id, computed.metric_date
        ON CONFLICT (context_id, metric_date) DO UPDATE
       SET active_learners = EXCLUDED.active_learners,
           mau_to_date = EXCLUDED.mau_to_date,
           enrollment_count = EXCLUDED.enrollment_count,
           completions = EXCLUDED.completions,
           certificates = EXCLUDED.certificates,
           progress_active_sum = EXCLUDED.progress_active_sum,
           progress_active_n = EXCLUDED.progress_active_n,
           progress_all_sum = EXCLUDED.progress_all_sum,
           progress_all_n = EXCLUDED.progress_all_n,
           days_to_complete_sum = EXCLUDED.days_to_complete_sum,
           days_to_complete_n = EXCLUDED.days_to_complete_n,
           batch_id = EXCLUDED.batch_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS metrics_written,
       (SELECT count(*) FROM computed WHERE computed.negative_days > 0) AS negative_days;

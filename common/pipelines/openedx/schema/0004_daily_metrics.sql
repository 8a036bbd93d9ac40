-- Daily metrics of courses, and of the site by distinct counts over the facts.

CREATE TABLE warehouse.course_daily_metrics (
    context_id bigint NOT NULL,
    metric_date date NOT NULL,
    active_learners bigint NOT NULL,
    mau_to_date bigint NOT NULL,
    enrollment_count bigint NOT NULL,
    completions bigint NOT NULL,
    certificates bigint NOT NULL,
    progress_active_sum numeric NOT NULL,
    progress_active_n bigint NOT NULL,
    progress_all_sum numeric NOT NULL,
    progress_all_n bigint NOT NULL,
    days_to_complete_sum bigint NOT NULL,
    days_to_complete_n bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (context_id, metric_date)
) WITH (fillfactor = 75);

-- An average of nothing is NULL, never 0.
CREATE VIEW warehouse.course_daily_metrics_report AS
SELECT context.context_key,
       metrics.metric_date,
       metrics.active_learners,
       metrics.mau_to_date,
       metrics.enrollment_count,
       metrics.completions,
       metrics.certificates,
       metrics.progress_active_sum / NULLIF(metrics.progress_active_n, 0)
           AS average_progress_active,
       metrics.progress_active_n,
       metrics.progress_all_sum / NULLIF(metrics.progress_all_n, 0) AS average_progress_all,
       metrics.progress_all_n,
       metrics.days_to_complete_sum::numeric / NULLIF(metrics.days_to_complete_n, 0)
           AS days_to_complete
  FROM warehouse.course_daily_metrics AS metrics
  JOIN warehouse.learning_context_dim AS context
    ON context.id = metrics.context_id;

-- Learners of the site: each counts once, in however many courses.
CREATE VIEW warehouse.site_daily_metrics AS
SELECT day.metric_date,
       day.active_learners,
       sum(day.new_in_month) OVER (
           PARTITION BY date_trunc('month', day.metric_date::timestamp)
               ORDER BY day.metric_date)::bigint AS mau_to_date
  FROM (SELECT seen.activity_date AS metric_date,
               count(*) AS active_learners,
               count(*) FILTER (WHERE seen.is_first) AS new_in_month
          FROM (SELECT activity.learner_id, activity.activity_date,
                       activity.activity_date = min(activity.activity_date) OVER (
                           PARTITION BY activity.learner_id,
                                        date_trunc('month', activity.activity_date::timestamp))
                       AS is_first
                  FROM warehouse.learner_activity_fact AS activity
                 GROUP BY activity.learner_id, activity.activity_date) AS seen
         GROUP BY seen.activity_date) AS day;

CREATE VIEW warehouse.site_monthly_metrics AS
SELECT date_trunc('month', activity.activity_date::timestamp)::date AS metric_month,
       count(DISTINCT activity.learner_id) AS active_learners
  FROM warehouse.learner_activity_fact AS activity
 GROUP BY 1;

-- Learners with at least one active enrollment now, staff of a course left out there.
CREATE VIEW warehouse.site_enrollment AS
SELECT count(DISTINCT enrollment.learner_id) AS enrolled_learners,
       count(*) AS enrollments
  FROM warehouse.enrollment_fact AS enrollment
 WHERE enrollment.is_active
   AND enrollment.deleted_on IS NULL
   AND NOT enrollment.is_course_staff;

-- The metrics of contexts[i] for each day from from_dates[i] to as_of. Each learner gives spans of
-- days to each number; a day's number is the sum of the spans that have begun, less those that have
-- ended, so the cost is that of the events and the days, not of their product. Facts are looked up
-- by context (LATERAL, OFFSET 0); all else is joined by hash.
CREATE FUNCTION warehouse.course_daily_metrics_of(
        contexts bigint[], from_dates date[], as_of date)
    RETURNS TABLE (
        context_id bigint,
        metric_date date,
        active_learners bigint,
        mau_to_date bigint,
        enrollment_count bigint,
        completions bigint,
        certificates bigint,
        progress_active_sum numeric,
        progress_active_n bigint,
        progress_all_sum numeric,
        progress_all_n bigint,
        days_to_complete_sum bigint,
        days_to_complete_n bigint,
        negative_days bigint)
    LANGUAGE sql STABLE ROWS 100000 SET enable_nestloop = off AS $$
WITH wanted AS MATERIALIZED (
    SELECT wanted.context_id, wanted.from_date
      FROM unnest(contexts, from_dates) AS wanted (context_id, from_date)
     WHERE wanted.from_date <= as_of
), event AS (
    -- the last event of a day holds at its end
    SELECT DISTINCT ON (fact.context_id, fact.learner_id, (fact.event_on AT TIME ZONE 'UTC')::date)
           fact.context_id, fact.learner_id, fact.is_active,
           (fact.event_on AT TIME ZONE 'UTC')::date AS begins
      FROM wanted
     CROSS JOIN LATERAL (
               SELECT known.context_id, known.learner_id, known.event_on, known.is_active
                 FROM warehouse.enrollment_event_fact AS known
                WHERE known.context_id = wanted.context_id
               OFFSET 0) AS fact
     ORDER BY fact.context_id, fact.learner_id, (fact.event_on AT TIME ZONE 'UTC')::date,
              fact.event_on DESC
), enrolled AS MATERIALIZED (
    SELECT span.context_id, span.learner_id, span.begins, span.ends
      FROM (SELECT event.context_id, event.learner_id, event.is_active, event.begins,
                   COALESCE(lead(event.begins) OVER (
                       PARTITION BY event.context_id, event.learner_id ORDER BY event.begins),
                       'infinity') AS ends
              FROM event) AS span
      JOIN warehouse.enrollment_fact AS enrollment
        ON enrollment.learner_id = span.learner_id
       AND enrollment.context_id = span.context_id
       AND NOT enrollment.is_course_staff
     WHERE span.is_active
), seen AS (
    SELECT activity.context_id, activity.learner_id, min(activity.activity_date) AS first_on
      FROM wanted
     CROSS JOIN LATERAL (
               SELECT known.context_id, known.learner_id, known.activity_date
                 FROM warehouse.learner_activity_fact AS known
                WHERE known.context_id = wanted.context_id
               OFFSET 0) AS activity
     GROUP BY activity.context_id, activity.learner_id
), progress AS (
    SELECT day.context_id, day.learner_id, day.progress_percent::numeric AS progress,
           day.as_of_date AS begins,
           COALESCE(lead(day.as_of_date) OVER (
               PARTITION BY day.context_id, day.learner_id ORDER BY day.as_of_date), 'infinity')
           AS ends
      FROM wanted
     CROSS JOIN LATERAL (
               SELECT known.context_id, known.learner_id, known.as_of_date, known.progress_percent
                 FROM warehouse.enrollment_data_day AS known
                WHERE known.context_id = wanted.context_id
               OFFSET 0) AS day
), completed AS (
    SELECT enrolled.context_id, enrolled.ends,
           GREATEST(enrolled.begins, data.first_completed_on) AS begins,
           data.first_completed_on - (data.date_enrolled AT TIME ZONE 'UTC')::date AS days
      FROM enrolled
      JOIN warehouse.enrollment_data AS data
        ON data.learner_id = enrolled.learner_id
       AND data.context_id = enrolled.context_id
       AND data.first_completed_on IS NOT NULL
), measured AS (
    SELECT enrolled.context_id, progress.progress, seen.first_on,
           GREATEST(enrolled.begins, progress.begins) AS begins,
           LEAST(enrolled.ends, progress.ends) AS ends
      FROM enrolled
      JOIN progress
        ON progress.context_id = enrolled.context_id
       AND progress.learner_id = enrolled.learner_id
       AND progress.begins < enrolled.ends
       AND progress.ends > enrolled.begins
      LEFT JOIN seen
        ON seen.context_id = enrolled.context_id
       AND seen.learner_id = enrolled.learner_id
), span (context_id, begins, ends, enrolled, completed, days, days_n, negative, certified,
         active_sum, active_n, all_sum, all_n) AS (
    SELECT enrolled.context_id, enrolled.begins, enrolled.ends,
           1, 0, 0, 0, 0, 0, 0::numeric, 0, 0::numeric, 0
      FROM enrolled
     UNION ALL
    SELECT completed.context_id, completed.begins, completed.ends,
           0, 1, CASE WHEN completed.days >= 0 THEN completed.days ELSE 0 END,
           CASE WHEN completed.days >= 0 THEN 1 ELSE 0 END,
           CASE WHEN completed.days < 0 THEN 1 ELSE 0 END, 0, 0, 0, 0, 0
      FROM completed
     UNION ALL
    SELECT measured.context_id, measured.begins, measured.ends,
           0, 0, 0, 0, 0, 0, 0, 0, measured.progress, 1
      FROM measured
     UNION ALL
    SELECT measured.context_id, GREATEST(measured.begins, measured.first_on), measured.ends,
           0, 0, 0, 0, 0, 0, measured.progress, 1, 0, 0
      FROM measured
     WHERE measured.first_on IS NOT NULL
     UNION ALL
    SELECT certificate.context_id, (certificate.created_on AT TIME ZONE 'UTC')::date, 'infinity',
           0, 0, 0, 0, 0, 1, 0, 0, 0, 0
      FROM wanted
     CROSS JOIN LATERAL (
               SELECT known.context_id, known.created_on
                 FROM warehouse.certificate_fact AS known
                WHERE known.context_id = wanted.context_id
                  AND known.status = 'downloadable'
                  AND known.created_on IS NOT NULL
               OFFSET 0) AS certificate
), edge AS (
    SELECT span.context_id, GREATEST(span.begins, wanted.from_date) AS on_date, 1 AS sign,
           span.enrolled, span.completed, span.days, span.days_n, span.negative, span.certified,
           span.active_sum, span.active_n, span.all_sum, span.all_n
      FROM span
      JOIN wanted
        ON wanted.context_id = span.context_id
     WHERE span.begins < span.ends
       AND span.begins <= as_of
       AND span.ends > wanted.from_date
     UNION ALL
    SELECT span.context_id, span.ends, -1,
           span.enrolled, span.completed, span.days, span.days_n, span.negative, span.certified,
           span.active_sum, span.active_n, span.all_sum, span.all_n
      FROM span
      JOIN wanted
        ON wanted.context_id = span.context_id
     WHERE span.begins < span.ends
       AND span.ends <= as_of
       AND span.ends > wanted.from_date
), change AS (
    SELECT edge.context_id, edge.on_date,
           sum(edge.sign * edge.enrolled) AS enrolled,
           sum(edge.sign * edge.completed) AS completed,
           sum(edge.sign * edge.days) AS days,
           sum(edge.sign * edge.days_n) AS days_n,
           sum(edge.sign * edge.negative) AS negative,
           sum(edge.sign * edge.certified) AS certified,
           sum(edge.sign * edge.active_sum) AS active_sum,
           sum(edge.sign * edge.active_n) AS active_n,
           sum(edge.sign * edge.all_sum) AS all_sum,
           sum(edge.sign * edge.all_n) AS all_n
      FROM edge
     GROUP BY edge.context_id, edge.on_date
), visit AS (
    SELECT first.context_id, first.activity_date, count(*) AS learners,
           count(*) FILTER (WHERE first.is_first) AS new_in_month
      FROM (SELECT activity.context_id, activity.activity_date,
                   activity.activity_date = min(activity.activity_date) OVER (
                       PARTITION BY activity.context_id, activity.learner_id,
                                    date_trunc('month', activity.activity_date::timestamp))
                   AS is_first
              FROM wanted
             CROSS JOIN LATERAL (
                       SELECT known.context_id, known.learner_id, known.activity_date
                         FROM warehouse.learner_activity_fact AS known
                        WHERE known.context_id = wanted.context_id
                          AND known.activity_date
                              >= date_trunc('month', wanted.from_date::timestamp)::date
                          AND known.activity_date <= as_of
                       OFFSET 0) AS activity) AS first
     GROUP BY first.context_id, first.activity_date
), day AS (
    -- from the first of the month, for the month's count
    SELECT wanted.context_id, wanted.from_date, day.on_date::date AS on_date
      FROM wanted
     CROSS JOIN LATERAL generate_series(
               date_trunc('month', wanted.from_date::timestamp), as_of::timestamp,
               interval '1 day') AS day (on_date)
), running AS (
    SELECT day.context_id, day.from_date, day.on_date,
           COALESCE(visit.learners, 0) AS learners,
           sum(COALESCE(visit.new_in_month, 0)) OVER (
               PARTITION BY day.context_id, date_trunc('month', day.on_date::timestamp)
                   ORDER BY day.on_date) AS mau,
           sum(change.enrolled) OVER so_far AS enrolled,
           sum(change.completed) OVER so_far AS completed,
           sum(change.days) OVER so_far AS days,
           sum(change.days_n) OVER so_far AS days_n,
           sum(change.negative) OVER so_far AS negative,
           sum(change.certified) OVER so_far AS certified,
           sum(change.active_sum) OVER so_far AS active_sum,
           sum(change.active_n) OVER so_far AS active_n,
           sum(change.all_sum) OVER so_far AS all_sum,
           sum(change.all_n) OVER so_far AS all_n
      FROM day
      LEFT JOIN visit
        ON visit.context_id = day.context_id
       AND visit.activity_date = day.on_date
      LEFT JOIN change
        ON change.context_id = day.context_id
       AND change.on_date = day.on_date
    WINDOW so_far AS (PARTITION BY day.context_id ORDER BY day.on_date)
)
SELECT running.context_id,
       running.on_date,
       running.learners,
       running.mau::bigint,
       COALESCE(running.enrolled, 0)::bigint,
       COALESCE(running.completed, 0)::bigint,
       COALESCE(running.certified, 0)::bigint,
       COALESCE(running.active_sum, 0),
       COALESCE(running.active_n, 0)::bigint,
       COALESCE(running.all_sum, 0),
       COALESCE(running.all_n, 0)::bigint,
       COALESCE(running.days, 0)::bigint,
       COALESCE(running.days_n, 0)::bigint,
       COALESCE(running.negative, 0)::bigint
  FROM running
 WHERE running.on_date >= running.from_date
$$;

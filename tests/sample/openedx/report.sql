-- SPDX-License-Identifier: MIT
-- Enrollment data and the newest daily metrics for a person's eyes: a line per course.
-- psql -f report.sql
\set ON_ERROR_STOP on
\pset footer off
\pset null '---'
SET TIME ZONE 'UTC';
SELECT max(metric_date) AS as_of FROM warehouse.course_daily_metrics \gset

\echo
\echo 'Enrollment data as of' :as_of
\echo
SELECT context.context_key AS "course",
       count(*) AS "enrollments",
       count(*) FILTER (WHERE data.is_enrolled) AS "active",
       count(*) FILTER (WHERE data.sections_worked = 0) AS "not begun",
       count(*) FILTER (WHERE data.is_completed) AS "completed",
       round(avg(data.progress_percent)::numeric * 100, 1) AS "progress %",
       round(sum(data.points_earned)::numeric, 1) AS "points",
       round(sum(data.points_possible)::numeric, 1) AS "of",
       count(*) FILTER (WHERE data.is_estimated) AS "estimated"
  FROM warehouse.enrollment_data AS data
  JOIN warehouse.learning_context_dim AS context
    ON context.id = data.context_id
 GROUP BY context.context_key
 ORDER BY context.context_key;

\echo 'Daily metrics of the last three days'
\echo
SELECT report.metric_date AS "day",
       report.context_key AS "course",
       report.active_learners AS "active",
       report.mau_to_date AS "in the month",
       report.enrollment_count AS "enrolled",
       report.completions AS "completed",
       report.certificates AS "certificates",
       round(report.average_progress_active * 100, 1) AS "progress % active",
       round(report.average_progress_all * 100, 1) AS "all",
       round(report.days_to_complete, 1) AS "days"
  FROM warehouse.course_daily_metrics_report AS report
 WHERE report.metric_date > :'as_of'::date - 3
 ORDER BY report.metric_date, report.context_key;

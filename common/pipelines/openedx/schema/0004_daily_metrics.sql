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

-- What each learner adds to the numbers of a course on a day, and all later days: their sum up to a
-- day is that day's number. The sum over all learners is kept beside it, so that a day costs what
-- changed in it: what the touched learners add is compared with what is kept here, and what it
-- differs by is added there. new_in_month: the first activity in a month, taken back at its
-- end.
CREATE TABLE warehouse.learner_metric_change (
    context_id bigint NOT NULL,
    learner_id bigint NOT NULL,
    on_date date NOT NULL,
    new_in_month bigint NOT NULL,
    enrolled bigint NOT NULL,
    completed bigint NOT NULL,
    certified bigint NOT NULL,
    active_sum numeric NOT NULL,
    active_n bigint NOT NULL,
    all_sum numeric NOT NULL,
    all_n bigint NOT NULL,
    days bigint NOT NULL,
    days_n bigint NOT NULL,
    PRIMARY KEY (context_id, learner_id, on_date)
) WITH (fillfactor = 90);

CREATE TABLE warehouse.course_metric_change (
    context_id bigint NOT NULL,
    on_date date NOT NULL,
    new_in_month bigint NOT NULL,
    enrolled bigint NOT NULL,
    completed bigint NOT NULL,
    certified bigint NOT NULL,
    active_sum numeric NOT NULL,
    active_n bigint NOT NULL,
    all_sum numeric NOT NULL,
    all_n bigint NOT NULL,
    days bigint NOT NULL,
    days_n bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (context_id, on_date)
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

-- What learners[i] adds to the numbers of contexts[i], by days. Each fact gives spans of days to a
-- number; a span adds where it begins and takes back where it ends. Facts are looked up by key
-- (LATERAL, OFFSET 0); all else is joined by hash.
CREATE FUNCTION warehouse.learner_metric_change_of(learners bigint[], contexts bigint[])
    RETURNS TABLE (
        context_id bigint,
        learner_id bigint,
        on_date date,
        new_in_month bigint,
        enrolled bigint,
        completed bigint,
        certified bigint,
        active_sum numeric,
        active_n bigint,
        all_sum numeric,
        all_n bigint,
        days bigint,
        days_n bigint)
    LANGUAGE sql STABLE ROWS 100000 SET enable_nestloop = off AS $$
WITH wanted AS MATERIALIZED (
    SELECT wanted.learner_id, wanted.context_id
      FROM unnest(learners, contexts) AS wanted (learner_id, context_id)
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
                  AND known.learner_id = wanted.learner_id
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
     CROSS JOIN LATERAL (
               SELECT known.is_course_staff
                 FROM warehouse.enrollment_fact AS known
                WHERE known.learner_id = span.learner_id
                  AND known.context_id = span.context_id
               OFFSET 0) AS enrollment
     WHERE span.is_active
       AND NOT enrollment.is_course_staff
), month AS MATERIALIZED (
    SELECT activity.context_id, activity.learner_id, min(activity.activity_date) AS first_on,
           date_trunc('month', activity.activity_date::timestamp)::date AS begins
      FROM wanted
     CROSS JOIN LATERAL (
               SELECT known.context_id, known.learner_id, known.activity_date
                 FROM warehouse.learner_activity_fact AS known
                WHERE known.context_id = wanted.context_id
                  AND known.learner_id = wanted.learner_id
               OFFSET 0) AS activity
     GROUP BY activity.context_id, activity.learner_id,
              date_trunc('month', activity.activity_date::timestamp)::date
), seen AS (
    SELECT month.context_id, month.learner_id, min(month.first_on) AS first_on
      FROM month
     GROUP BY month.context_id, month.learner_id
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
                  AND known.learner_id = wanted.learner_id
               OFFSET 0) AS day
), completed AS (
    SELECT enrolled.context_id, enrolled.learner_id, enrolled.ends,
           GREATEST(enrolled.begins, data.first_completed_on) AS begins,
           data.first_completed_on - (data.date_enrolled AT TIME ZONE 'UTC')::date AS days
      FROM enrolled
     CROSS JOIN LATERAL (
               SELECT known.first_completed_on, known.date_enrolled
                 FROM warehouse.enrollment_data AS known
                WHERE known.learner_id = enrolled.learner_id
                  AND known.context_id = enrolled.context_id
                  AND known.first_completed_on IS NOT NULL
               OFFSET 0) AS data
), measured AS (
    SELECT enrolled.context_id, enrolled.learner_id, progress.progress, seen.first_on,
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
), span (context_id, learner_id, begins, ends, new_in_month, enrolled, completed, certified,
         active_sum, active_n, all_sum, all_n, days, days_n) AS (
    SELECT month.context_id, month.learner_id, month.first_on,
           (month.begins + interval '1 month')::date, 1, 0, 0, 0, 0::numeric, 0, 0::numeric, 0, 0, 0
      FROM month
     UNION ALL
    SELECT enrolled.context_id, enrolled.learner_id, enrolled.begins, enrolled.ends,
           0, 1, 0, 0, 0, 0, 0, 0, 0, 0
      FROM enrolled
     UNION ALL
    SELECT completed.context_id, completed.learner_id, completed.begins, completed.ends,
           0, 0, 1, 0, 0, 0, 0, 0,
           GREATEST(completed.days, 0), CASE WHEN completed.days >= 0 THEN 1 ELSE 0 END
      FROM completed
     UNION ALL
    SELECT certificate.context_id, certificate.learner_id,
           (certificate.created_on AT TIME ZONE 'UTC')::date, 'infinity',
           0, 0, 0, 1, 0, 0, 0, 0, 0, 0
      FROM wanted
     CROSS JOIN LATERAL (
               SELECT known.context_id, known.learner_id, known.created_on
                 FROM warehouse.certificate_fact AS known
                WHERE known.context_id = wanted.context_id
                  AND known.learner_id = wanted.learner_id
                  AND known.status = 'downloadable'
                  AND known.created_on IS NOT NULL
               OFFSET 0) AS certificate
     UNION ALL
    SELECT measured.context_id, measured.learner_id, GREATEST(measured.begins, measured.first_on),
           measured.ends, 0, 0, 0, 0, measured.progress, 1, 0, 0, 0, 0
      FROM measured
     WHERE measured.first_on IS NOT NULL
     UNION ALL
    SELECT measured.context_id, measured.learner_id, measured.begins, measured.ends,
           0, 0, 0, 0, 0, 0, measured.progress, 1, 0, 0
      FROM measured
), edge AS (
    SELECT span.*, span.begins AS on_date, 1 AS sign
      FROM span
     WHERE span.begins < span.ends
     UNION ALL
    SELECT span.*, span.ends, -1
      FROM span
     WHERE span.begins < span.ends
       AND span.ends < 'infinity'
), change AS (
    SELECT edge.context_id, edge.learner_id, edge.on_date,
           sum(edge.sign * edge.new_in_month) AS new_in_month,
           sum(edge.sign * edge.enrolled) AS enrolled,
           sum(edge.sign * edge.completed) AS completed,
           sum(edge.sign * edge.certified) AS certified,
           sum(edge.sign * edge.active_sum) AS active_sum,
           sum(edge.sign * edge.active_n) AS active_n,
           sum(edge.sign * edge.all_sum) AS all_sum,
           sum(edge.sign * edge.all_n) AS all_n,
           sum(edge.sign * edge.days) AS days,
           sum(edge.sign * edge.days_n) AS days_n
      FROM edge
     GROUP BY edge.context_id, edge.learner_id, edge.on_date
)
SELECT change.context_id, change.learner_id, change.on_date,
       change.new_in_month::bigint, change.enrolled::bigint, change.completed::bigint,
       change.certified::bigint, change.active_sum, change.active_n::bigint, change.all_sum,
       change.all_n::bigint, change.days::bigint, change.days_n::bigint
  FROM change
 WHERE (change.new_in_month, change.enrolled, change.completed, change.certified,
        change.active_sum, change.active_n, change.all_sum, change.all_n, change.days,
        change.days_n) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
$$;

-- Keep what learners[i] adds to the numbers of contexts[i], and its sums by course. negative_days
-- counts who completed before the enrollment, and has no days to completion.
CREATE FUNCTION warehouse.write_metric_changes(learners bigint[], contexts bigint[], batch bigint)
    RETURNS TABLE (changes_written bigint, days_changed bigint, negative_days bigint)
    LANGUAGE sql AS $$
WITH wanted AS MATERIALIZED (
    SELECT change.*
      FROM warehouse.learner_metric_change_of(learners, contexts) AS change
), stored AS MATERIALIZED (
    SELECT known.*
      FROM unnest(learners, contexts) AS wanted (learner_id, context_id)
     CROSS JOIN LATERAL (
               SELECT kept.*
                 FROM warehouse.learner_metric_change AS kept
                WHERE kept.context_id = wanted.context_id
                  AND kept.learner_id = wanted.learner_id
               OFFSET 0) AS known
), judged AS MATERIALIZED (
    SELECT COALESCE(wanted.context_id, stored.context_id) AS context_id,
           COALESCE(wanted.learner_id, stored.learner_id) AS learner_id,
           COALESCE(wanted.on_date, stored.on_date) AS on_date,
           wanted.context_id IS NULL AS is_extra,
           stored.context_id IS NULL AS is_missing,
           COALESCE(wanted.new_in_month, 0) AS new_in_month,
           COALESCE(wanted.new_in_month, 0) - COALESCE(stored.new_in_month, 0) AS new_in_month_more,
           COALESCE(wanted.enrolled, 0) AS enrolled,
           COALESCE(wanted.enrolled, 0) - COALESCE(stored.enrolled, 0) AS enrolled_more,
           COALESCE(wanted.completed, 0) AS completed,
           COALESCE(wanted.completed, 0) - COALESCE(stored.completed, 0) AS completed_more,
           COALESCE(wanted.certified, 0) AS certified,
           COALESCE(wanted.certified, 0) - COALESCE(stored.certified, 0) AS certified_more,
           COALESCE(wanted.active_sum, 0) AS active_sum,
           COALESCE(wanted.active_sum, 0) - COALESCE(stored.active_sum, 0) AS active_sum_more,
           COALESCE(wanted.active_n, 0) AS active_n,
           COALESCE(wanted.active_n, 0) - COALESCE(stored.active_n, 0) AS active_n_more,
           COALESCE(wanted.all_sum, 0) AS all_sum,
           COALESCE(wanted.all_sum, 0) - COALESCE(stored.all_sum, 0) AS all_sum_more,
           COALESCE(wanted.all_n, 0) AS all_n,
           COALESCE(wanted.all_n, 0) - COALESCE(stored.all_n, 0) AS all_n_more,
           COALESCE(wanted.days, 0) AS days,
           COALESCE(wanted.days, 0) - COALESCE(stored.days, 0) AS days_more,
           COALESCE(wanted.days_n, 0) AS days_n,
           COALESCE(wanted.days_n, 0) - COALESCE(stored.days_n, 0) AS days_n_more
      FROM wanted
      FULL JOIN stored
        ON stored.context_id = wanted.context_id
       AND stored.learner_id = wanted.learner_id
       AND stored.on_date = wanted.on_date
     WHERE wanted.context_id IS NULL
        OR stored.context_id IS NULL
        OR (wanted.new_in_month, wanted.enrolled, wanted.completed, wanted.certified,
            wanted.active_sum, wanted.active_n, wanted.all_sum, wanted.all_n, wanted.days,
            wanted.days_n)
           <>
           (stored.new_in_month, stored.enrolled, stored.completed, stored.certified,
            stored.active_sum, stored.active_n, stored.all_sum, stored.all_n, stored.days,
            stored.days_n)
), deleted AS (
    DELETE FROM warehouse.learner_metric_change AS kept
     USING judged
     WHERE judged.is_extra
       AND kept.context_id = judged.context_id
       AND kept.learner_id = judged.learner_id
       AND kept.on_date = judged.on_date
), updated AS (
    UPDATE warehouse.learner_metric_change AS kept
       SET new_in_month = judged.new_in_month,
           enrolled = judged.enrolled,
           completed = judged.completed,
           certified = judged.certified,
           active_sum = judged.active_sum,
           active_n = judged.active_n,
           all_sum = judged.all_sum,
           all_n = judged.all_n,
           days = judged.days,
           days_n = judged.days_n
      FROM judged
     WHERE NOT judged.is_extra
       AND NOT judged.is_missing
       AND kept.context_id = judged.context_id
       AND kept.learner_id = judged.learner_id
       AND kept.on_date = judged.on_date
), inserted AS (
    INSERT INTO warehouse.learner_metric_change (
           context_id, learner_id, on_date, new_in_month, enrolled, completed, certified,
           active_sum, active_n, all_sum, all_n, days, days_n)
    SELECT judged.context_id, judged.learner_id, judged.on_date, judged.new_in_month,
           judged.enrolled, judged.completed, judged.certified, judged.active_sum,
           judged.active_n, judged.all_sum, judged.all_n, judged.days, judged.days_n
      FROM judged
     WHERE judged.is_missing
     ORDER BY judged.context_id, judged.learner_id, judged.on_date
), summed AS (
    INSERT INTO warehouse.course_metric_change AS course (
           context_id, on_date, new_in_month, enrolled, completed, certified, active_sum,
           active_n, all_sum, all_n, days, days_n, batch_id)
    SELECT judged.context_id, judged.on_date,
           sum(judged.new_in_month_more),
           sum(judged.enrolled_more),
           sum(judged.completed_more),
           sum(judged.certified_more),
           sum(judged.active_sum_more),
           sum(judged.active_n_more),
           sum(judged.all_sum_more),
           sum(judged.all_n_more),
           sum(judged.days_more),
           sum(judged.days_n_more),
           batch
      FROM judged
     GROUP BY judged.context_id, judged.on_date
     ORDER BY judged.context_id, judged.on_date
        ON CONFLICT (context_id, on_date) DO UPDATE
       SET new_in_month = course.new_in_month + EXCLUDED.new_in_month,
           enrolled = course.enrolled + EXCLUDED.enrolled,
           completed = course.completed + EXCLUDED.completed,
           certified = course.certified + EXCLUDED.certified,
           active_sum = course.active_sum + EXCLUDED.active_sum,
           active_n = course.active_n + EXCLUDED.active_n,
           all_sum = course.all_sum + EXCLUDED.all_sum,
           all_n = course.all_n + EXCLUDED.all_n,
           days = course.days + EXCLUDED.days,
           days_n = course.days_n + EXCLUDED.days_n,
           batch_id = EXCLUDED.batch_id
    RETURNING 1
)
SELECT count(*), (SELECT count(*) FROM summed),
       count(*) FILTER (WHERE judged.completed > judged.days_n)
  FROM judged
$$;

-- Write the metrics of contexts[i] from from_dates[i] to as_of, today where that is NULL, or to the
-- last day that has its row; what is right already is not written. No change touches a day before
-- from_dates[i], and a day that is left as it is would stay wrong: later ones start from it.
CREATE FUNCTION warehouse.write_course_daily_metrics(
        contexts bigint[], from_dates date[], batch bigint, as_of timestamptz)
    RETURNS bigint
    LANGUAGE sql AS $$
WITH wanted AS MATERIALIZED (
    SELECT wanted.context_id, wanted.from_date, last.on_date AS to_date
      FROM unnest(contexts, from_dates) AS wanted (context_id, from_date)
     CROSS JOIN LATERAL (
               SELECT GREATEST((COALESCE(as_of, now()) AT TIME ZONE 'UTC')::date,
                               max(known.metric_date)) AS on_date
                 FROM warehouse.course_daily_metrics AS known
                WHERE known.context_id = wanted.context_id) AS last
     WHERE wanted.from_date <= last.on_date
), before AS MATERIALIZED (
    -- what the numbers were on the day before, where it has its row
    SELECT wanted.context_id, wanted.from_date, day.mau_to_date, day.enrollment_count,
           day.completions, day.certificates, day.progress_active_sum, day.progress_active_n,
           day.progress_all_sum, day.progress_all_n, day.days_to_complete_sum,
           day.days_to_complete_n
      FROM wanted
      JOIN warehouse.course_daily_metrics AS day
        ON day.context_id = wanted.context_id
       AND day.metric_date = wanted.from_date - 1
), known AS (
    SELECT wanted.context_id, GREATEST(kept.on_date, wanted.from_date) AS on_date,
           kept.new_in_month, kept.enrolled, kept.completed, kept.certified, kept.active_sum,
           kept.active_n, kept.all_sum, kept.all_n, kept.days, kept.days_n
      FROM wanted
      LEFT JOIN before
        ON before.context_id = wanted.context_id
     CROSS JOIN LATERAL (
               SELECT change.*
                 FROM warehouse.course_metric_change AS change
                WHERE change.context_id = wanted.context_id
                  AND change.on_date >= COALESCE(before.from_date, '-infinity')
                  AND change.on_date <= wanted.to_date
               OFFSET 0) AS kept
     UNION ALL
    SELECT before.context_id, before.from_date, before.mau_to_date, before.enrollment_count,
           before.completions, before.certificates, before.progress_active_sum,
           before.progress_active_n, before.progress_all_sum, before.progress_all_n,
           before.days_to_complete_sum, before.days_to_complete_n
      FROM before
), change AS (
    SELECT known.context_id, known.on_date,
           sum(known.new_in_month) AS new_in_month,
           sum(known.enrolled) AS enrolled,
           sum(known.completed) AS completed,
           sum(known.certified) AS certified,
           sum(known.active_sum) AS active_sum,
           sum(known.active_n) AS active_n,
           sum(known.all_sum) AS all_sum,
           sum(known.all_n) AS all_n,
           sum(known.days) AS days,
           sum(known.days_n) AS days_n
      FROM known
     GROUP BY known.context_id, known.on_date
), visit AS (
    SELECT activity.context_id, activity.activity_date, count(*) AS learners
      FROM wanted
     CROSS JOIN LATERAL (
               SELECT known.context_id, known.activity_date
                 FROM warehouse.learner_activity_fact AS known
                WHERE known.context_id = wanted.context_id
                  AND known.activity_date >= wanted.from_date
                  AND known.activity_date <= wanted.to_date
               OFFSET 0) AS activity
     GROUP BY activity.context_id, activity.activity_date
), day AS (
    SELECT wanted.context_id, day.on_date::date AS on_date
      FROM wanted
     CROSS JOIN LATERAL generate_series(
               wanted.from_date::timestamp, wanted.to_date::timestamp, interval '1 day')
           AS day (on_date)
), computed AS MATERIALIZED (
    SELECT day.context_id, day.on_date AS metric_date, COALESCE(visit.learners, 0) AS learners,
           COALESCE(sum(change.new_in_month) OVER so_far, 0) AS new_in_month,
           COALESCE(sum(change.enrolled) OVER so_far, 0) AS enrolled,
           COALESCE(sum(change.completed) OVER so_far, 0) AS completed,
           COALESCE(sum(change.certified) OVER so_far, 0) AS certified,
           COALESCE(sum(change.active_sum) OVER so_far, 0) AS active_sum,
           COALESCE(sum(change.active_n) OVER so_far, 0) AS active_n,
           COALESCE(sum(change.all_sum) OVER so_far, 0) AS all_sum,
           COALESCE(sum(change.all_n) OVER so_far, 0) AS all_n,
           COALESCE(sum(change.days) OVER so_far, 0) AS days,
           COALESCE(sum(change.days_n) OVER so_far, 0) AS days_n
      FROM day
      LEFT JOIN visit
        ON visit.context_id = day.context_id
       AND visit.activity_date = day.on_date
      LEFT JOIN change
        ON change.context_id = day.context_id
       AND change.on_date = day.on_date
    WINDOW so_far AS (PARTITION BY day.context_id ORDER BY day.on_date)
), written AS (
    INSERT INTO warehouse.course_daily_metrics AS stored (
           context_id, metric_date, active_learners, mau_to_date, enrollment_count, completions,
           certificates, progress_active_sum, progress_active_n, progress_all_sum,
           progress_all_n, days_to_complete_sum, days_to_complete_n, batch_id)
    SELECT computed.context_id, computed.metric_date, computed.learners, computed.new_in_month,
           computed.enrolled, computed.completed, computed.certified, computed.active_sum,
           computed.active_n, computed.all_sum, computed.all_n, computed.days, computed.days_n,
           batch
      FROM computed
      LEFT JOIN warehouse.course_daily_metrics AS known
        ON known.context_id = computed.context_id
       AND known.metric_date = computed.metric_date
     WHERE (known.active_learners, known.mau_to_date, known.enrollment_count, known.completions,
            known.certificates, known.progress_active_sum, known.progress_active_n,
            known.progress_all_sum, known.progress_all_n, known.days_to_complete_sum,
            known.days_to_complete_n)
           IS DISTINCT FROM
           (computed.learners, computed.new_in_month, computed.enrolled, computed.completed,
            computed.certified, computed.active_sum, computed.active_n, computed.all_sum,
            computed.all_n, computed.days, computed.days_n)
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
SELECT count(*) FROM written
$$;

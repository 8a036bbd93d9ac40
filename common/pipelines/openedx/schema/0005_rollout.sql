-- Enrollment data beside that of Figures, while both run side by side.

-- An export of figures_enrollmentdata. Never kept: it is read, compared and rolled back.
CREATE UNLOGGED TABLE staging.figures_enrollment_data (
    batch_id bigint,
    read_number bigint,
    version_time timestamptz,
    line_no bigint,
    is_tombstone boolean,
    user_id bigint,
    course_id text COLLATE "C",
    date_for timestamptz,
    date_enrolled timestamptz,
    is_enrolled boolean,
    is_completed boolean,
    progress_percent double precision,
    points_possible double precision,
    points_earned double precision,
    sections_possible bigint,
    sections_worked bigint
);

-- Each enrollment of either side: missing (only Figures has it), extra (only we have it),
-- different, pending (a batch is still to be derived) or same. what[i] differs because of
-- reasons[i], NULL where nothing that is known of Figures explains it. Figures makes the row of
-- date_for on the next day: it holds all that had happened to the end of date_for, and what came
-- later perhaps. So a later change explains a difference, an earlier one does not.
CREATE FUNCTION warehouse.figures_enrollment_data_beside_ours()
    RETURNS TABLE (
        user_id bigint,
        course_id text,
        date_for date,
        difference text,
        what text[],
        reasons text[])
    LANGUAGE sql STABLE ROWS 100000 SET enable_nestloop = off AS $$
WITH theirs AS MATERIALIZED (
    SELECT DISTINCT ON (line.course_id, line.user_id)
           line.user_id, line.course_id, line.date_for::date AS date_for,
           (line.date_for::date + 1)::timestamp AT TIME ZONE 'UTC' AS read_up_to,
           line.date_enrolled::date AS date_enrolled, line.is_enrolled, line.is_completed,
           line.progress_percent, line.points_possible, line.points_earned,
           line.sections_possible, line.sections_worked
      FROM staging.figures_enrollment_data AS line
     ORDER BY line.course_id, line.user_id, line.date_for DESC, line.line_no DESC
), newest AS (
    SELECT theirs.course_id, max(theirs.read_up_to) AS read_up_to
      FROM theirs
     GROUP BY theirs.course_id
), ours AS MATERIALIZED (
    SELECT data.learner_id, data.context_id, data.user_id, context.context_key AS course_id,
           (data.date_enrolled AT TIME ZONE 'UTC')::date AS date_enrolled,
           data.date_enrolled AS enrolled_on, data.is_enrolled, data.is_completed,
           data.progress_percent, data.points_possible, data.points_earned,
           data.sections_possible, data.sections_worked, data.last_activity_on, data.is_estimated
      FROM warehouse.enrollment_data AS data
      JOIN warehouse.learning_context_dim AS context
        ON context.id = data.context_id
), first_seen AS (
    SELECT activity.context_id, activity.learner_id, min(activity.activity_date) AS first_on
      FROM warehouse.learner_activity_fact AS activity
     GROUP BY activity.context_id, activity.learner_id
), deleted AS (
    SELECT module.context_id, module.learner_id, max(module.deleted_on) AS deleted_on
      FROM warehouse.student_module_fact AS module
     WHERE module.deleted_on IS NOT NULL
     GROUP BY module.context_id, module.learner_id
), assessed AS (
    SELECT DISTINCT structure.context_id
      FROM warehouse.block_dim AS block
      JOIN warehouse.context_structure AS structure
        ON structure.structure_id = block.context_id
     WHERE block.in_structure
       AND block.block_type = 'openassessment'
), gone AS (
    SELECT fact.user_id, fact.course_id
      FROM warehouse.enrollment_fact AS fact
     WHERE fact.deleted_on IS NOT NULL
), waiting AS MATERIALIZED (
    SELECT learner.user_id, context.context_key AS course_id
      FROM warehouse.enrollment_data_waiting AS waiting
      JOIN warehouse.learning_context_dim AS context
        ON context.id = waiting.context_id
      LEFT JOIN warehouse.learner_dim AS learner
        ON learner.id = waiting.learner_id
), paired AS (
    SELECT COALESCE(ours.user_id, theirs.user_id) AS user_id,
           COALESCE(ours.course_id, theirs.course_id) AS course_id,
           theirs.date_for,
           theirs.user_id IS NULL AS is_extra,
           ours.user_id IS NULL AS is_missing,
           ours.is_enrolled <> theirs.is_enrolled AS is_enrolled,
           ours.date_enrolled <> theirs.date_enrolled AS date_enrolled,
           abs(ours.points_possible - theirs.points_possible) > 1e-6
           OR abs(ours.points_earned - theirs.points_earned) > 1e-6 AS points,
           (ours.sections_possible, ours.sections_worked)
           <> (theirs.sections_possible, theirs.sections_worked)
           OR abs(ours.progress_percent - theirs.progress_percent) > 0.005 AS sections,
           ours.is_completed <> theirs.is_completed AS is_completed,
           CASE WHEN gone.user_id IS NOT NULL
                THEN 'the enrollment was deleted, and Figures deletes no row'
            END AS why_missing,
           CASE WHEN newest.course_id IS NULL
                THEN 'no row of the course is in the file: its runs failed, or another site''s'
                WHEN first_seen.learner_id IS NULL
                THEN 'the learner never opened anything: Figures makes no row'
                WHEN first_seen.first_on >= (newest.read_up_to AT TIME ZONE 'UTC')::date
                     OR ours.enrolled_on >= newest.read_up_to
                THEN 'it began after the newest day of its course in the file'
            END AS why_extra,
           CASE WHEN enrollment.last_change_on >= theirs.read_up_to
                THEN 'left or came back after date_for: only activity renews a row'
            END AS why_enrolled,
           CASE WHEN abs(ours.date_enrolled - theirs.date_enrolled) = 1
                THEN 'a day apart: Figures takes the day of the platform''s time zone'
            END AS why_dated,
           CASE WHEN ours.last_activity_on >= theirs.read_up_to
                THEN 'activity after date_for, which Figures has not read yet'
                WHEN version.published_at >= theirs.read_up_to
                THEN 'the course was published after date_for: only activity renews a row'
                WHEN deleted.deleted_on >= theirs.read_up_to
                THEN 'state was deleted after date_for: only activity renews a row'
                WHEN ours.is_estimated
                THEN 'randomised content, of which the learner''s share is not known here'
                WHEN assessed.context_id IS NOT NULL
                THEN 'open response assessments, whose scores are not in student modules'
            END AS why_scored,
           waiting.course_id IS NOT NULL AS is_waiting
      FROM ours
      FULL JOIN theirs
        ON theirs.user_id = ours.user_id
       AND theirs.course_id = ours.course_id
      LEFT JOIN newest
        ON newest.course_id = COALESCE(ours.course_id, theirs.course_id)
      LEFT JOIN first_seen
        ON first_seen.context_id = ours.context_id
       AND first_seen.learner_id = ours.learner_id
      LEFT JOIN deleted
        ON deleted.context_id = ours.context_id
       AND deleted.learner_id = ours.learner_id
      LEFT JOIN warehouse.enrollment_fact AS enrollment
        ON enrollment.learner_id = ours.learner_id
       AND enrollment.context_id = ours.context_id
      LEFT JOIN warehouse.context_structure AS structure
        ON structure.context_id = ours.context_id
      LEFT JOIN warehouse.course_version_dim AS version
        ON version.id = structure.course_version_id
      LEFT JOIN assessed
        ON assessed.context_id = ours.context_id
      LEFT JOIN gone
        ON gone.user_id = theirs.user_id
       AND gone.course_id = theirs.course_id
      LEFT JOIN (SELECT DISTINCT context.course_id, learner.user_id
                   FROM waiting AS context
                   JOIN (SELECT known.user_id, known.course_id FROM theirs AS known
                          UNION
                         SELECT known.user_id, known.course_id FROM ours AS known) AS learner
                     ON learner.course_id = context.course_id
                  WHERE COALESCE(context.user_id, learner.user_id) = learner.user_id) AS waiting
        ON waiting.user_id = COALESCE(ours.user_id, theirs.user_id)
       AND waiting.course_id = COALESCE(ours.course_id, theirs.course_id)
), explained AS (
    SELECT paired.user_id, paired.course_id, paired.date_for, paired.is_extra, paired.is_missing,
           paired.is_waiting, why.what, why.reasons
      FROM paired
     CROSS JOIN LATERAL (
               SELECT array_agg(aspect.what ORDER BY aspect.place) AS what,
                      array_agg(aspect.reason ORDER BY aspect.place) AS reasons
                 FROM (VALUES (1, 'row', paired.is_missing, paired.why_missing),
                              (2, 'row', paired.is_extra, paired.why_extra),
                              (3, 'is_enrolled', paired.is_enrolled, paired.why_enrolled),
                              (4, 'date_enrolled', paired.date_enrolled, paired.why_dated),
                              (5, 'points', paired.points, paired.why_scored),
                              (6, 'sections', paired.sections, paired.why_scored),
                              (7, 'is_completed', paired.is_completed, paired.why_scored))
                      AS aspect (place, what, differs, reason)
                WHERE aspect.differs) AS why
)
SELECT explained.user_id, explained.course_id, explained.date_for,
       CASE WHEN explained.what IS NULL THEN 'same'
            WHEN explained.is_waiting THEN 'pending'
            WHEN explained.is_missing THEN 'missing'
            WHEN explained.is_extra THEN 'extra'
            ELSE 'different'
        END,
       explained.what, explained.reasons
  FROM explained
$$;

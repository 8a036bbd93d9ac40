-- Write all enrollment data, or that of some courses, as the definition has it; what is right
-- already is not written.
-- param $1 batch_id bigint
-- param $2 units text[]
-- param $3 as_of timestamptz
WITH chosen AS MATERIALIZED (
    SELECT known.learner_id, known.context_id
      FROM (SELECT fact.learner_id, fact.context_id
              FROM warehouse.enrollment_fact AS fact
             UNION
            SELECT data.learner_id, data.context_id
              FROM warehouse.enrollment_data AS data) AS known
      JOIN warehouse.context_structure AS context
        ON context.context_id = known.context_id
       AND ($2::text[] IS NULL OR context.context_key = ANY ($2))
), wanted AS MATERIALIZED (
    SELECT data.learner_id, data.context_id, data.user_id, data.date_enrolled, data.is_enrolled,
           data.mode, data.points_possible,
           data.points_earned, data.sections_possible, data.sections_worked,
           data.progress_percent, data.is_completed, data.last_activity_on,
           data.course_version_id, data.is_estimated
      FROM (SELECT array_agg(chosen.learner_id ORDER BY chosen.context_id, chosen.learner_id)
                       AS learners,
                   array_agg(chosen.context_id ORDER BY chosen.context_id, chosen.learner_id)
                       AS contexts
              FROM chosen) AS keys
     CROSS JOIN LATERAL warehouse.enrollment_data_of(keys.learners, keys.contexts) AS data
), judged AS MATERIALIZED (
    SELECT chosen.learner_id, chosen.context_id,
           wanted.user_id, wanted.date_enrolled, wanted.is_enrolled, wanted.mode,
           wanted.points_possible,
           wanted.points_earned, wanted.sections_possible, wanted.sections_worked,
           wanted.progress_percent, wanted.is_completed, wanted.last_activity_on,
           wanted.course_version_id, wanted.is_estimated,
           -- when a run first saw it; content that is added later does not take it back
           COALESCE(stored.first_completed_on,
                    CASE WHEN wanted.is_completed
                         THEN (wanted.last_activity_on AT TIME ZONE 'UTC')::date END)
           AS first_completed_on,
           CASE WHEN wanted.learner_id IS NULL AND stored.learner_id IS NULL THEN 'none'
                WHEN stored.learner_id IS NULL THEN 'missing'
                WHEN wanted.learner_id IS NULL THEN 'extra'
                WHEN (stored.user_id, stored.date_enrolled, stored.is_enrolled, stored.mode,
                      stored.points_possible,
                      stored.points_earned, stored.sections_possible, stored.sections_worked,
                      stored.progress_percent, stored.is_completed, stored.last_activity_on,
                      stored.is_estimated)
                     IS DISTINCT FROM
                     (wanted.user_id, wanted.date_enrolled, wanted.is_enrolled, wanted.mode,
                      wanted.points_possible,
                      wanted.points_earned, wanted.sections_possible, wanted.sections_worked,
                      wanted.progress_percent, wanted.is_completed, wanted.last_activity_on,
                      wanted.is_estimated)
                THEN 'different'
                ELSE 'same'
            END AS verdict
      FROM chosen
      LEFT JOIN wanted
        ON wanted.learner_id = chosen.learner_id
       AND wanted.context_id = chosen.context_id
      LEFT JOIN warehouse.enrollment_data AS stored
        ON stored.learner_id = chosen.learner_id
       AND stored.context_id = chosen.context_id
), deleted AS (
    DELETE FROM warehouse.enrollment_data AS stored
     USING judged
     WHERE judged.verdict = 'extra'
       AND stored.learner_id = judged.learner_id
       AND stored.context_id = judged.context_id
    RETURNING 1
), inserted AS (
    INSERT INTO warehouse.enrollment_data (
           learner_id, context_id, user_id, date_enrolled, is_enrolled, mode, points_possible,
           points_earned, sections_possible,
           sections_worked, progress_percent, is_completed, last_activity_on, course_version_id,
           is_estimated, first_completed_on, batch_id)
    SELECT judged.learner_id, judged.context_id,
           judged.user_id, judged.date_enrolled, judged.is_enrolled, judged.mode,
           judged.points_possible,
           judged.points_earned, judged.sections_possible, judged.sections_worked,
           judged.progress_percent, judged.is_completed, judged.last_activity_on,
           judged.course_version_id, judged.is_estimated,
           judged.first_completed_on, $1
      FROM judged
     WHERE judged.verdict = 'missing'
     ORDER BY judged.learner_id, judged.context_id
    RETURNING 1
), updated AS (
    UPDATE warehouse.enrollment_data AS stored
       SET user_id = judged.user_id,
           date_enrolled = judged.date_enrolled,
           is_enrolled = judged.is_enrolled,
           mode = judged.mode,
           points_possible = judged.points_possible,
           points_earned = judged.points_earned,
           sections_possible = judged.sections_possible,
           sections_worked = judged.sections_worked,
           progress_percent = judged.progress_percent,
           is_completed = judged.is_completed,
           last_activity_on = judged.last_activity_on,
           course_version_id = judged.course_version_id,
           is_estimated = judged.is_estimated,
           first_completed_on = judged.first_completed_on,
           collected_at = now(),
           batch_id = $1
      FROM judged
     WHERE judged.verdict = 'different'
       AND stored.learner_id = judged.learner_id
       AND stored.context_id = judged.context_id
    RETURNING 1
), kept AS (
    INSERT INTO warehouse.enrollment_data_day AS day (
           learner_id, context_id, as_of_date, user_id, date_enrolled, is_enrolled, mode,
           points_possible, points_earned, sections_possible,
           sections_worked, progress_percent, is_completed, last_activity_on, course_version_id,
           is_estimated,
           first_completed_on, collected_at, batch_id)
    SELECT judged.learner_id, judged.context_id,
           (COALESCE($3::timestamptz, now()) AT TIME ZONE 'UTC')::date,
           judged.user_id, judged.date_enrolled, judged.is_enrolled, judged.mode,
           judged.points_possible,
           judged.points_earned, judged.sections_possible, judged.sections_worked,
           judged.progress_percent, judged.is_completed, judged.last_activity_on,
           judged.course_version_id, judged.is_estimated,
           judged.first_completed_on, now(), $1
      FROM judged
     WHERE judged.verdict IN ('missing', 'different')
     ORDER BY judged.context_id, judged.learner_id
        ON CONFLICT (context_id, learner_id, as_of_date) DO UPDATE
       SET user_id = EXCLUDED.user_id,
           date_enrolled = EXCLUDED.date_enrolled,
           is_enrolled = EXCLUDED.is_enrolled,
           mode = EXCLUDED.mode,
           points_possible = EXCLUDED.points_possible,
           points_earned = EXCLUDED.points_earned,
           sections_possible = EXCLUDED.sections_possible,
           sections_worked = EXCLUDED.sections_worked,
           progress_percent = EXCLUDED.progress_percent,
           is_completed = EXCLUDED.is_completed,
           last_activity_on = EXCLUDED.last_activity_on,
           course_version_id = EXCLUDED.course_version_id,
           is_estimated = EXCLUDED.is_estimated,
           first_completed_on = EXCLUDED.first_completed_on,
           collected_at = EXCLUDED.collected_at,
           batch_id = EXCLUDED.batch_id
)
SELECT (SELECT count(*) FROM judged WHERE judged.verdict <> 'none') AS keys_touched,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       (SELECT count(*) FROM updated) AS rows_updated,
       (SELECT count(*) FROM deleted) AS rows_deleted,
       (SELECT count(*) FROM judged WHERE judged.verdict = 'same') AS rows_unchanged;

-- Count where the enrollment data differs from its definition, and what is only waiting to be
-- derived.
WITH waiting AS MATERIALIZED (
    SELECT waiting.context_id, waiting.learner_id
      FROM warehouse.enrollment_data_waiting AS waiting
), waiting_context AS (
    SELECT waiting.context_id
      FROM waiting
     WHERE waiting.learner_id IS NULL
), chosen AS (
    -- a course that cannot be computed is waiting, and is not computed here either
    SELECT fact.learner_id, fact.context_id
      FROM warehouse.enrollment_fact AS fact
     WHERE fact.context_id NOT IN (SELECT waiting_context.context_id FROM waiting_context)
), wanted AS (
    SELECT data.learner_id, data.context_id, data.user_id, data.date_enrolled, data.is_enrolled,
           data.mode, data.points_possible,
           data.points_earned, data.sections_possible, data.sections_worked,
           data.progress_percent, data.is_completed, data.last_activity_on, data.is_estimated
      FROM (SELECT array_agg(chosen.learner_id ORDER BY chosen.context_id, chosen.learner_id)
                       AS learners,
                   array_agg(chosen.context_id ORDER BY chosen.context_id, chosen.learner_id)
                       AS contexts
              FROM chosen) AS keys
     CROSS JOIN LATERAL warehouse.enrollment_data_of(keys.learners, keys.contexts) AS data
), compared AS (
    SELECT COALESCE(wanted.learner_id, stored.learner_id) AS learner_id,
           COALESCE(wanted.context_id, stored.context_id) AS context_id,
           CASE WHEN stored.learner_id IS NULL THEN 'missing'
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
      FROM wanted
      FULL JOIN warehouse.enrollment_data AS stored
        ON stored.learner_id = wanted.learner_id
       AND stored.context_id = wanted.context_id
), judged AS (
    SELECT compared.verdict,
           compared.context_id IN (SELECT waiting_context.context_id FROM waiting_context)
           OR EXISTS (
                  SELECT
                    FROM waiting
                   WHERE waiting.learner_id = compared.learner_id
                     AND waiting.context_id = compared.context_id) AS is_pending
      FROM compared
)
SELECT count(*) AS rows_checked,
       count(*) FILTER (WHERE judged.verdict = 'missing' AND NOT judged.is_pending)
           AS rows_missing,
       count(*) FILTER (WHERE judged.verdict = 'extra' AND NOT judged.is_pending) AS rows_extra,
       count(*) FILTER (WHERE judged.verdict = 'different' AND NOT judged.is_pending)
           AS rows_different,
       count(*) FILTER (WHERE judged.verdict <> 'same' AND judged.is_pending) AS rows_pending
  FROM judged;

-- Remember when an enrollment became active or inactive.
-- param $1 batch_id bigint
-- param $2 own_times boolean
--
-- The time is the change's own where it is known. A server's snapshot shows only how things stand
-- now: the first one tells of the enrollment itself, later ones of what differs from the last
-- event.
WITH incoming AS (
    SELECT DISTINCT ON (context.id, learner.id, part.event_on)
           context.id AS context_id, learner.id AS learner_id, part.event_on, staged.user_id,
           COALESCE(staged.is_active, false) AND NOT staged.is_deleted AS is_active, staged.mode,
           staged.version_time, staged.read_number,
           staged.history_date IS NULL AND NOT $2 AS is_snapshot
      FROM staging.enrollment AS staged
      JOIN warehouse.learner_dim AS learner
        ON learner.user_id = staged.user_id
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = staged.course_id
     CROSS JOIN LATERAL (
               SELECT CASE WHEN staged.history_date IS NOT NULL THEN staged.history_date
                           WHEN staged.is_deleted THEN staged.version_time
                           WHEN $2 THEN staged.created
                           WHEN EXISTS (
                                    SELECT
                                      FROM warehouse.enrollment_event_fact AS known
                                     WHERE known.context_id = context.id
                                       AND known.learner_id = learner.id)
                           THEN staged.version_time
                           ELSE COALESCE(staged.created, staged.version_time)
                       END AS event_on) AS part
     WHERE staged.batch_id = $1
       AND part.event_on IS NOT NULL
     ORDER BY context.id, learner.id, part.event_on, staged.version_time DESC,
              staged.read_number DESC, staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*
      FROM incoming
      LEFT JOIN warehouse.enrollment_event_fact AS stored
        ON stored.context_id = incoming.context_id
       AND stored.learner_id = incoming.learner_id
       AND stored.event_on = incoming.event_on
     CROSS JOIN LATERAL (
               SELECT (SELECT (known.is_active, known.mode)
                              IS NOT DISTINCT FROM (incoming.is_active, incoming.mode)
                         FROM warehouse.enrollment_event_fact AS known
                        WHERE known.context_id = incoming.context_id
                          AND known.learner_id = incoming.learner_id
                          AND known.event_on < incoming.event_on
                        ORDER BY known.event_on DESC
                        LIMIT 1) AS is_known) AS last
     WHERE (stored.learner_id IS NULL
            OR (stored.version_time, stored.read_number)
               < (incoming.version_time, incoming.read_number)
               AND (stored.is_active, stored.mode)
                   IS DISTINCT FROM (incoming.is_active, incoming.mode))
       AND NOT (incoming.is_snapshot AND COALESCE(last.is_known, false))
), written AS (
    INSERT INTO warehouse.enrollment_event_fact AS fact (
           context_id, learner_id, event_on, user_id, is_active, mode, version_time, read_number,
           batch_id)
    SELECT judged.context_id, judged.learner_id, judged.event_on, judged.user_id,
           judged.is_active, judged.mode, judged.version_time, judged.read_number, $1
      FROM judged
     ORDER BY judged.context_id, judged.learner_id, judged.event_on
        ON CONFLICT (context_id, learner_id, event_on) DO UPDATE
       SET is_active = EXCLUDED.is_active,
           mode = EXCLUDED.mode,
           version_time = EXCLUDED.version_time,
           read_number = EXCLUDED.read_number,
           batch_id = EXCLUDED.batch_id
    RETURNING fact.context_id, fact.learner_id, fact.event_on
), logged AS (
    INSERT INTO warehouse.learning_change_log (batch_id, context_id, learner_id, metric_date)
    SELECT $1, written.context_id, written.learner_id,
           (written.event_on AT TIME ZONE 'UTC')::date
      FROM written
)
SELECT count(*) AS events_written
  FROM written;

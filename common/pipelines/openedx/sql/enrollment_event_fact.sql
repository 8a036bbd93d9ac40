-- Remember when an enrollment became active or inactive.
-- param $1 batch_id bigint
-- param $2 own_times boolean
--
-- The time is the change's own where it is known. A server's snapshot shows only how things stand
-- now: the first one tells of the enrollment itself, later ones of what differs from the last
-- event. One that comes after a later read is put before what that one told: the first snapshot is
-- the earlier of both, and what the later one showed holds from its own time on.
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
), compared AS MATERIALIZED (
    SELECT incoming.*, last.event_on AS last_on, last.version_time AS last_version_time,
           last.read_number AS last_read_number, last.is_active AS last_is_active,
           last.mode AS last_mode,
           (last.is_active, last.mode)
           IS NOT DISTINCT FROM (incoming.is_active, incoming.mode) AS is_known,
           incoming.is_snapshot
           AND COALESCE((last.version_time, last.read_number)
                        > (incoming.version_time, incoming.read_number), false) AS is_first
      FROM incoming
      LEFT JOIN LATERAL (
               SELECT known.event_on, known.is_active, known.mode, known.version_time,
                      known.read_number
                 FROM warehouse.enrollment_event_fact AS known
                WHERE known.context_id = incoming.context_id
                  AND known.learner_id = incoming.learner_id
                  AND known.event_on < incoming.event_on
                ORDER BY known.event_on DESC
                LIMIT 1) AS last
        ON true
), told AS (
    SELECT compared.context_id, compared.learner_id, compared.event_on, compared.user_id,
           compared.is_active, compared.mode, compared.version_time, compared.read_number
      FROM compared
      LEFT JOIN warehouse.enrollment_event_fact AS stored
        ON stored.context_id = compared.context_id
       AND stored.learner_id = compared.learner_id
       AND stored.event_on = compared.event_on
     WHERE NOT compared.is_first
       AND (stored.learner_id IS NULL
            OR (stored.version_time, stored.read_number)
               < (compared.version_time, compared.read_number)
               AND (stored.is_active, stored.mode)
                   IS DISTINCT FROM (compared.is_active, compared.mode))
       AND NOT (compared.is_snapshot AND compared.is_known)
     UNION ALL
    SELECT compared.context_id, compared.learner_id, compared.last_on, compared.user_id,
           compared.is_active, compared.mode, compared.version_time, compared.read_number
      FROM compared
     WHERE compared.is_first
     UNION ALL
    SELECT compared.context_id, compared.learner_id, compared.last_version_time,
           compared.user_id, compared.last_is_active, compared.last_mode,
           compared.last_version_time, compared.last_read_number
      FROM compared
     WHERE compared.is_first
       AND NOT compared.is_known
     UNION ALL
    SELECT compared.context_id, compared.learner_id, later.version_time, compared.user_id,
           later.is_active, later.mode, later.version_time, later.read_number
      FROM compared
     CROSS JOIN LATERAL (
               SELECT fact.is_active, fact.mode, fact.version_time, fact.read_number
                 FROM warehouse.enrollment_fact AS fact
                WHERE fact.learner_id = compared.learner_id
                  AND fact.context_id = compared.context_id
                LIMIT 1) AS later
     WHERE compared.is_snapshot
       AND NOT compared.is_first
       AND NOT compared.is_known
       AND later.version_time > compared.version_time
       AND (later.is_active, later.mode) IS DISTINCT FROM (compared.is_active, compared.mode)
       AND NOT EXISTS (
               SELECT
                 FROM warehouse.enrollment_event_fact AS known
                WHERE known.context_id = compared.context_id
                  AND known.learner_id = compared.learner_id
                  AND known.event_on > compared.event_on)
), judged AS (
    SELECT DISTINCT ON (told.context_id, told.learner_id, told.event_on) told.*
      FROM told
     ORDER BY told.context_id, told.learner_id, told.event_on, told.version_time DESC,
              told.read_number DESC
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

-- Enrollment data: the table, its history, and its definition over the facts.

CREATE TABLE warehouse.enrollment_data (
    learner_id bigint NOT NULL,
    context_id bigint NOT NULL,
    user_id bigint NOT NULL,
    date_enrolled timestamptz,
    is_enrolled boolean NOT NULL,
    mode text COLLATE "C",
    points_possible double precision NOT NULL,
    points_earned double precision NOT NULL,
    sections_possible bigint NOT NULL,
    sections_worked bigint NOT NULL,
    progress_percent double precision NOT NULL, -- 0 to 1
    is_completed boolean NOT NULL,
    first_completed_on date,
    last_activity_on timestamptz,
    course_version_id bigint NOT NULL,
    is_estimated boolean NOT NULL,
    collected_at timestamptz NOT NULL DEFAULT now(),
    batch_id bigint NOT NULL, -- 0: written by verify-enrollment-data --repair
    PRIMARY KEY (learner_id, context_id)
) WITH (fillfactor = 75);
CREATE INDEX enrollment_data_by_context ON warehouse.enrollment_data (context_id, learner_id);

-- What enrollment_data said at the end of a day; a row only when values change.
CREATE TABLE warehouse.enrollment_data_day (
    learner_id bigint NOT NULL,
    context_id bigint NOT NULL,
    as_of_date date NOT NULL,
    user_id bigint NOT NULL,
    date_enrolled timestamptz,
    is_enrolled boolean NOT NULL,
    mode text COLLATE "C",
    points_possible double precision NOT NULL,
    points_earned double precision NOT NULL,
    sections_possible bigint NOT NULL,
    sections_worked bigint NOT NULL,
    progress_percent double precision NOT NULL,
    is_completed boolean NOT NULL,
    first_completed_on date,
    last_activity_on timestamptz,
    course_version_id bigint NOT NULL,
    is_estimated boolean NOT NULL,
    collected_at timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (context_id, learner_id, as_of_date)
);

-- Whose structure a course's learners are measured by: its own; of a CCX that has none, its
-- course's.
CREATE VIEW warehouse.context_structure AS
SELECT context.id AS context_id,
       context.context_key,
       CASE WHEN own.id IS NULL AND parent.id IS NOT NULL THEN context.parent_context_id
            ELSE context.id
        END AS structure_id,
       COALESCE(own.id, parent.id, 0) AS course_version_id
  FROM warehouse.learning_context_dim AS context
  LEFT JOIN warehouse.course_version_dim AS own
    ON own.context_id = context.id
   AND own.is_current
  LEFT JOIN warehouse.course_version_dim AS parent
    ON parent.context_id = context.parent_context_id
   AND parent.is_current
   AND context.context_type = 'ccx'
 WHERE context.context_type IN ('course', 'ccx');

-- What is only waiting to be derived: an enrollment, or all of a context (learner_id NULL), by
-- batches that are not consumed yet or as a course that could not be computed.
CREATE VIEW warehouse.enrollment_data_waiting AS
WITH unconsumed AS (
    SELECT log.context_id, log.learner_id
      FROM etl.consumer AS consumer
      JOIN etl.batch AS batch
        ON batch.workflow = consumer.source_workflow
       AND batch.state = 'complete'
      JOIN warehouse.learning_change_log AS log
        ON log.batch_id = batch.id
       AND log.metric_date IS NULL
     WHERE consumer.consumer = 'enrollment_data'
       AND NOT EXISTS (
               SELECT
                 FROM etl.batch_consumption AS consumption
                WHERE consumption.consumer = 'enrollment_data'
                  AND consumption.source_batch_id = batch.id)
)
SELECT unconsumed.context_id, unconsumed.learner_id
  FROM unconsumed
 UNION
SELECT coached.id, NULL
  FROM unconsumed
  JOIN warehouse.learning_context_dim AS coached
    ON coached.parent_context_id = unconsumed.context_id
 WHERE unconsumed.learner_id IS NULL
 UNION
SELECT context.id, NULL
  FROM etl.pending_unit AS pending
  JOIN warehouse.learning_context_dim AS context
    ON context.context_key = pending.unit COLLATE "C"
 WHERE pending.workflow = 'enrollment_data';

-- What enrollment_data has to hold for these enrollments, learners[i] in contexts[i]; none where
-- there is no enrollment. Points are summed as numeric, so that their order does not matter. Of the
-- children of a randomised parent the first max_count are counted: selected, then seen, then in
-- the order of the course. What is looked up by key says so (LATERAL, OFFSET 0); all else is joined
-- by hash, however few the planner takes the enrollments for.
CREATE FUNCTION warehouse.enrollment_data_of(learners bigint[], contexts bigint[])
    RETURNS TABLE (
        learner_id bigint,
        context_id bigint,
        user_id bigint,
        date_enrolled timestamptz,
        is_enrolled boolean,
        mode text,
        points_possible double precision,
        points_earned double precision,
        sections_possible bigint,
        sections_worked bigint,
        progress_percent double precision,
        is_completed boolean,
        last_activity_on timestamptz,
        course_version_id bigint,
        is_estimated boolean)
    LANGUAGE sql STABLE ROWS 100000 SET enable_nestloop = off AS $$
WITH enrollment AS MATERIALIZED (
    SELECT fact.learner_id, fact.context_id, fact.user_id, fact.created_on, fact.is_active,
           fact.mode, structure.structure_id, structure.course_version_id
      FROM unnest(learners, contexts) AS wanted (learner_id, context_id)
     CROSS JOIN LATERAL (
               SELECT known.learner_id, known.context_id, known.user_id, known.created_on,
                      known.is_active, known.mode
                 FROM warehouse.enrollment_fact AS known
                WHERE known.learner_id = wanted.learner_id
                  AND known.context_id = wanted.context_id
                  AND known.deleted_on IS NULL
               OFFSET 0) AS fact
      JOIN warehouse.context_structure AS structure
        ON structure.context_id = fact.context_id
), named AS MATERIALIZED (
    SELECT block.id, block.local_key, block.in_structure
      FROM warehouse.block_dim AS block
     WHERE block.context_id = ANY (ARRAY(SELECT DISTINCT enrollment.context_id FROM enrollment))
), own AS MATERIALIZED (
    -- a key of the old spelling beside one of the new names another block of the same local key
    SELECT module.learner_id, module.context_id,
           CASE WHEN block.in_structure OR enrollment.structure_id <> enrollment.context_id
                THEN block.local_key
            END AS local_key,
           module.grade, module.max_grade, module.modified_on, module.selected
      FROM enrollment
     CROSS JOIN LATERAL (
               SELECT fact.learner_id, fact.context_id, fact.block_id, fact.grade, fact.max_grade,
                      fact.modified_on, fact.selected
                 FROM warehouse.student_module_fact AS fact
                WHERE fact.learner_id = enrollment.learner_id
                  AND fact.context_id = enrollment.context_id
                  AND fact.deleted_on IS NULL
               OFFSET 0) AS module
      JOIN named AS block
        ON block.id = module.block_id
), structure AS MATERIALIZED (
    SELECT block.context_id AS structure_id, block.id, block.local_key, block.block_type,
           block.subsection_block_id, block.random_parent_block_id, block.has_score, block.weight,
           block.max_score, block.ordinal, block.max_count
      FROM warehouse.block_dim AS block
     WHERE block.context_id = ANY (ARRAY(SELECT DISTINCT enrollment.structure_id FROM enrollment))
       AND block.in_structure
       AND NOT block.staff_only
), shown AS (
    SELECT enrollment.learner_id, enrollment.context_id, block.local_key,
           block.subsection_block_id, block.weight, block.max_score, false AS is_guess
      FROM enrollment
      JOIN structure AS block
        ON block.structure_id = enrollment.structure_id
     WHERE block.random_parent_block_id = 0
       AND block.has_score
       AND block.subsection_block_id <> 0
     UNION ALL
    SELECT child.learner_id, child.context_id, child.local_key, child.subsection_block_id,
           child.weight, child.max_score, child.standing = 2 AND child.max_count >= 0
      FROM (SELECT ranked.*,
                   row_number() OVER (
                       PARTITION BY ranked.learner_id, ranked.context_id, ranked.parent_id
                           ORDER BY ranked.standing, ranked.seen_on DESC, ranked.ordinal,
                                    ranked.local_key) AS place
              FROM (SELECT enrollment.learner_id, enrollment.context_id, parent.id AS parent_id,
                           parent.max_count, block.local_key, block.subsection_block_id,
                           block.weight, block.max_score, block.has_score, block.ordinal,
                           CASE WHEN block.local_key = ANY (choice.selected) THEN 0
                                WHEN seen.learner_id IS NOT NULL THEN 1
                                ELSE 2
                            END AS standing,
                           CASE WHEN block.local_key = ANY (choice.selected)
                                THEN 'infinity'::timestamptz
                                ELSE COALESCE(seen.modified_on, '-infinity')
                            END AS seen_on
                      FROM enrollment
                      JOIN structure AS block
                        ON block.structure_id = enrollment.structure_id
                       AND block.random_parent_block_id <> 0
                      JOIN structure AS parent
                        ON parent.structure_id = enrollment.structure_id
                       AND parent.id = block.random_parent_block_id
                      LEFT JOIN own AS choice
                        ON choice.learner_id = enrollment.learner_id
                       AND choice.context_id = enrollment.context_id
                       AND choice.local_key = parent.local_key
                      LEFT JOIN own AS seen
                        ON seen.learner_id = enrollment.learner_id
                       AND seen.context_id = enrollment.context_id
                       AND seen.local_key = block.local_key) AS ranked) AS child
     WHERE (child.max_count < 0 OR child.place <= child.max_count)
       AND child.has_score
       AND child.subsection_block_id <> 0
), scored AS (
    SELECT shown.learner_id, shown.context_id, shown.subsection_block_id, shown.is_guess,
           CASE WHEN shown.weight IS NULL OR raw.possible = 0 THEN raw.earned
                ELSE raw.earned * shown.weight / raw.possible
            END AS earned,
           CASE WHEN shown.weight IS NULL OR raw.possible = 0 THEN raw.possible
                ELSE shown.weight
            END AS possible
      FROM shown
      LEFT JOIN own
        ON own.learner_id = shown.learner_id
       AND own.context_id = shown.context_id
       AND own.local_key = shown.local_key
     CROSS JOIN LATERAL (
               SELECT CASE WHEN own.max_grade IS NULL THEN 0::double precision
                           ELSE COALESCE(own.grade, 0)
                       END AS earned,
                      COALESCE(own.max_grade, shown.max_score) AS possible) AS raw
     WHERE raw.possible IS NOT NULL
), subsection AS (
    SELECT scored.learner_id, scored.context_id,
           sum(scored.earned::numeric) AS earned, sum(scored.possible::numeric) AS possible,
           bool_or(scored.is_guess) AS is_guess
      FROM scored
     GROUP BY scored.learner_id, scored.context_id, scored.subsection_block_id
), total AS (
    SELECT subsection.learner_id, subsection.context_id,
           sum(subsection.earned) AS earned, sum(subsection.possible) AS possible,
           count(*) FILTER (WHERE subsection.possible > 0) AS counted,
           count(*) FILTER (WHERE subsection.possible > 0 AND subsection.earned > 0) AS worked,
           bool_or(subsection.is_guess) AS is_guess
      FROM subsection
     GROUP BY subsection.learner_id, subsection.context_id
), activity AS (
    SELECT own.learner_id, own.context_id, max(own.modified_on) AS last_on
      FROM own
     GROUP BY own.learner_id, own.context_id
)
SELECT enrollment.learner_id,
       enrollment.context_id,
       enrollment.user_id,
       enrollment.created_on,
       enrollment.is_active,
       enrollment.mode,
       COALESCE(total.possible, 0)::double precision,
       COALESCE(total.earned, 0)::double precision,
       COALESCE(total.counted, 0),
       COALESCE(total.worked, 0),
       CASE WHEN COALESCE(total.counted, 0) = 0 THEN 0::double precision
            ELSE total.worked::double precision / total.counted
        END,
       COALESCE(total.worked > 0 AND total.worked = total.counted, false),
       activity.last_on,
       enrollment.course_version_id,
       COALESCE(total.is_guess, false)
  FROM enrollment
  LEFT JOIN total
    ON total.learner_id = enrollment.learner_id
   AND total.context_id = enrollment.context_id
  LEFT JOIN activity
    ON activity.learner_id = enrollment.learner_id
   AND activity.context_id = enrollment.context_id
$$;

-- Write the enrollment data of these enrollments, learners[i] in contexts[i], as the definition has
-- it: what is right already is not written. keys_touched counts those that there are or were.
CREATE FUNCTION warehouse.write_enrollment_data(
        learners bigint[], contexts bigint[], batch bigint, as_of timestamptz)
    RETURNS TABLE (
        keys_touched bigint,
        rows_inserted bigint,
        rows_updated bigint,
        rows_deleted bigint,
        rows_unchanged bigint)
    LANGUAGE sql AS $$
WITH chosen AS MATERIALIZED (
    SELECT chosen.learner_id, chosen.context_id
      FROM unnest(learners, contexts) AS chosen (learner_id, context_id)
), wanted AS MATERIALIZED (
    SELECT data.learner_id, data.context_id, data.user_id, data.date_enrolled, data.is_enrolled,
           data.mode, data.points_possible,
           data.points_earned, data.sections_possible, data.sections_worked,
           data.progress_percent, data.is_completed, data.last_activity_on,
           data.course_version_id, data.is_estimated
      FROM warehouse.enrollment_data_of(learners, contexts) AS data
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
           judged.first_completed_on, batch
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
           batch_id = batch
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
           (COALESCE(as_of, now()) AT TIME ZONE 'UTC')::date,
           judged.user_id, judged.date_enrolled, judged.is_enrolled, judged.mode,
           judged.points_possible,
           judged.points_earned, judged.sections_possible, judged.sections_worked,
           judged.progress_percent, judged.is_completed, judged.last_activity_on,
           judged.course_version_id, judged.is_estimated,
           judged.first_completed_on, now(), batch
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
       (SELECT count(*) FROM judged WHERE judged.verdict = 'same') AS rows_unchanged
$$;

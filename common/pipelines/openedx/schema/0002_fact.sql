-- Student modules, their history, enrollments and certificates: staging, facts, and the log of what
-- changed. No index on a column that each write stamps: an update stays on its page.

CREATE TABLE staging.student_module (
    batch_id bigint NOT NULL,
    read_number bigint,
    version_time timestamptz,
    line_no bigint,
    is_tombstone boolean,
    source_id bigint,
    module_type text COLLATE "C",
    module_id text COLLATE "C",
    student_id bigint,
    state jsonb,
    grade double precision,
    max_grade double precision,
    done text COLLATE "C",
    created timestamptz,
    modified timestamptz,
    course_id text COLLATE "C",
    is_deleted boolean,
    user_agent text
) PARTITION BY LIST (batch_id);

CREATE TABLE staging.student_module_history (
    batch_id bigint NOT NULL,
    read_number bigint,
    version_time timestamptz,
    line_no bigint,
    is_tombstone boolean,
    source_id bigint,
    student_module_id bigint,
    version text COLLATE "C",
    created timestamptz,
    state jsonb,
    grade double precision,
    max_grade double precision,
    source_table text COLLATE "C"
) PARTITION BY LIST (batch_id);

CREATE TABLE staging.enrollment (
    batch_id bigint NOT NULL,
    read_number bigint,
    version_time timestamptz,
    line_no bigint,
    is_tombstone boolean,
    source_id bigint,
    user_id bigint,
    course_id text COLLATE "C",
    created timestamptz,
    is_active boolean,
    mode text COLLATE "C",
    history_date timestamptz,
    is_deleted boolean
) PARTITION BY LIST (batch_id);

CREATE TABLE staging.certificate (
    batch_id bigint NOT NULL,
    read_number bigint,
    version_time timestamptz,
    line_no bigint,
    is_tombstone boolean,
    user_id bigint,
    course_id text COLLATE "C",
    status text COLLATE "C",
    created_date timestamptz
) PARTITION BY LIST (batch_id);

-- One row per learner, context and block. selected holds local keys (TYPE/ID) of children.
CREATE TABLE warehouse.student_module_fact (
    learner_id bigint NOT NULL,
    context_id bigint NOT NULL,
    block_id bigint NOT NULL,
    user_id bigint NOT NULL,
    course_id text COLLATE "C" NOT NULL,
    module_id text COLLATE "C" NOT NULL,
    source_id bigint,
    module_type text COLLATE "C",
    grade double precision,
    max_grade double precision,
    state_kind text NOT NULL, -- null, empty, object
    position bigint,
    attempts bigint,
    selected text[] COLLATE "C",
    created_on timestamptz,
    modified_on timestamptz,
    deleted_on timestamptz,
    content_hash bigint NOT NULL,
    version_time timestamptz NOT NULL,
    read_number bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (learner_id, context_id, block_id)
) WITH (fillfactor = 75);
CREATE INDEX student_module_fact_by_source ON warehouse.student_module_fact (source_id);

CREATE TABLE warehouse.student_module_history_fact (
    source_table text COLLATE "C" NOT NULL, -- csmh, csmhe
    history_source_id bigint NOT NULL,
    student_module_source_id bigint NOT NULL,
    created_on timestamptz,
    grade double precision,
    max_grade double precision,
    attempts bigint,
    content_hash bigint NOT NULL,
    version_time timestamptz NOT NULL,
    read_number bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (source_table, history_source_id)
) WITH (fillfactor = 90);
CREATE INDEX student_module_history_fact_by_module
    ON warehouse.student_module_history_fact (student_module_source_id);

-- Insert-only: the source overwrites when a learner was last active, so a later visit must not
-- erase yesterday's.
CREATE TABLE warehouse.learner_activity_fact (
    learner_id bigint NOT NULL,
    context_id bigint NOT NULL,
    activity_date date NOT NULL,
    user_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (context_id, activity_date, learner_id)
);
CREATE INDEX learner_activity_fact_by_learner
    ON warehouse.learner_activity_fact (context_id, learner_id, activity_date);

CREATE TABLE warehouse.enrollment_fact (
    learner_id bigint NOT NULL,
    context_id bigint NOT NULL,
    user_id bigint NOT NULL,
    course_id text COLLATE "C" NOT NULL,
    source_id bigint,
    created_on timestamptz,
    is_active boolean NOT NULL,
    mode text COLLATE "C",
    is_course_staff boolean NOT NULL,
    last_change_on timestamptz,
    deleted_on timestamptz,
    content_hash bigint NOT NULL,
    version_time timestamptz NOT NULL,
    read_number bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (learner_id, context_id)
) WITH (fillfactor = 75);
CREATE INDEX enrollment_fact_by_context ON warehouse.enrollment_fact (context_id, learner_id);
CREATE INDEX enrollment_fact_by_user ON warehouse.enrollment_fact (user_id);

-- When an enrollment became active or inactive.
CREATE TABLE warehouse.enrollment_event_fact (
    learner_id bigint NOT NULL,
    context_id bigint NOT NULL,
    event_on timestamptz NOT NULL,
    user_id bigint NOT NULL,
    is_active boolean NOT NULL,
    mode text COLLATE "C",
    version_time timestamptz NOT NULL,
    read_number bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (context_id, learner_id, event_on)
) WITH (fillfactor = 90);

CREATE TABLE warehouse.certificate_fact (
    learner_id bigint NOT NULL,
    context_id bigint NOT NULL,
    user_id bigint NOT NULL,
    course_id text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    created_on timestamptz,
    version_time timestamptz NOT NULL,
    read_number bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (context_id, learner_id)
) WITH (fillfactor = 75);

-- What changed: an enrollment (learner_id alone), all of a context (neither), or what a learner
-- adds to the metrics of a context on a day (both).
CREATE TABLE warehouse.learning_change_log (
    batch_id bigint NOT NULL,
    context_id bigint NOT NULL,
    learner_id bigint,
    metric_date date
);
CREATE INDEX learning_change_log_by_batch ON warehouse.learning_change_log (batch_id);

-- How the platform reads a learner's state: where there is no row, or state_kind is not object, it
-- says that there is none.
CREATE VIEW warehouse.student_module_state AS
SELECT module.user_id,
       module.course_id,
       module.module_id,
       module.module_type,
       module.state_kind = 'object' AS has_state,
       module.state_kind,
       module.position,
       module.attempts,
       module.modified_on AS updated_on
  FROM warehouse.student_module_fact AS module
 WHERE module.deleted_on IS NULL;

-- How the platform reads the history of a problem's scores: newest first, the extended table before
-- the old one. Other blocks have none.
CREATE VIEW warehouse.student_module_score_history AS
SELECT module.user_id,
       module.course_id,
       module.module_id,
       history.created_on AS updated_on,
       history.grade,
       history.max_grade,
       history.attempts,
       history.source_table,
       history.history_source_id
  FROM warehouse.student_module_history_fact AS history
  JOIN warehouse.student_module_fact AS module
    ON module.source_id = history.student_module_source_id
   AND module.deleted_on IS NULL
 WHERE module.module_type = 'problem'
 ORDER BY history.source_table DESC, history.history_source_id DESC;

-- Whether a user is staff of a course, by a role there or in its whole organisation.
CREATE FUNCTION warehouse.is_course_staff(of_user bigint, of_course text) RETURNS boolean
    LANGUAGE sql STABLE AS $$
SELECT EXISTS (
           SELECT
             FROM warehouse.course_access_role_dim AS role
            WHERE role.user_id = of_user
              AND NOT role.deleted
              AND role.role IN ('staff', 'instructor', 'ccx_coach')
              AND (role.course_id = of_course COLLATE "C"
                   OR role.course_id = ''
                      AND role.org = (SELECT context.org
                                        FROM warehouse.learning_context_dim AS context
                                       WHERE context.context_key = of_course COLLATE "C")))
$$;

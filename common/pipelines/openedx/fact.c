/* SPDX-License-Identifier: MIT
 *
 * The facts of Open edX: what learners did, and where they are enrolled.
 */
#include "etl/opaque_key.h"
#include "openedx_sql.h"
#include "pipelines/openedx/openedx.h"

#define MODULES "warehouse.student_module_fact"
#define ACTIVITY "warehouse.learner_activity_fact"
#define DIMENSIONS "warehouse.learner_dim " OPENEDX_CONTEXTS

/* ---- student modules ---- */

/* The rest of a state is the learner's answers, and is not copied. */
static const struct field state_fields[] = {
    {.column = "position", .path = "position", .type = FIELD_INTEGER},
    {.column = "attempts", .path = "attempts", .type = FIELD_INTEGER},
    {.column = "selected", .path = "selected", .type = FIELD_LIST},
    {0},
};

static const struct field student_module_fields[] = {
    {.column = "source_id", .path = "id|source_id", .type = FIELD_INTEGER},
    {.column = "module_type", .path = "module_type", .type = FIELD_TEXT},
    {.column = "module_id",
     .path = "module_id",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_usage_key,
     .within = "course_id",
     .is_listed = true},
    {.column = "student_id",
     .path = "student_id",
     .type = FIELD_INTEGER,
     .required = true,
     .is_listed = true},
    {.column = "state",
     .path = "state",
     .type = FIELD_EXTRACT,
     .elements = state_fields,
     .reason = "state_not_json"},
    {.column = "grade", .path = "grade", .type = FIELD_FLOAT},
    {.column = "max_grade", .path = "max_grade", .type = FIELD_FLOAT},
    {.column = "done", .path = "done", .type = FIELD_TEXT},
    {.column = "created", .path = "created", .type = FIELD_TIME},
    {.column = "modified", .path = "modified", .type = FIELD_TIME, .is_modified = true},
    {.column = "course_id",
     .path = "course_id",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_context_key,
     .is_listed = true},
    {.column = "is_deleted",
     .path = "deleted|is_deleted",
     .type = FIELD_BOOLEAN,
     .or_number = true,
     .otherwise = "false",
     .is_deletion = true},
    {.column = "user_agent", .path = "user_agent", .type = FIELD_TEXT, .is_agent = true},
    {0},
};

static const struct pipeline_step student_module_members[] = {
    {.sql = &sql_openedx_student_module_learner_members,
     .reads = "staging.student_module",
     .writes = "warehouse.learner_dim",
     .meaning = "learners that student modules name"},
    {.sql = &sql_openedx_student_module_context_members,
     .reads = "staging.student_module",
     .writes = OPENEDX_CONTEXTS,
     .meaning = "contexts that student modules name"},
    {.sql = &sql_openedx_student_module_block_members,
     .reads = "staging.student_module " OPENEDX_CONTEXTS,
     .writes = "warehouse.block_dim",
     .meaning = "blocks that student modules name"},
    {0},
};

static const struct pipeline_step student_module_steps[] = {
    {.sql = &sql_openedx_student_module_fact,
     .reads = "staging.student_module " DIMENSIONS " warehouse.block_dim",
     .writes = MODULES " " OPENEDX_CHANGES,
     .meaning = "one row per learner, context and block, and the enrollments that changed"},
    {.sql = &sql_openedx_student_module_activity,
     .reads = "staging.student_module " DIMENSIONS,
     .writes = ACTIVITY " " OPENEDX_CHANGES,
     .meaning = "the days on which learners were active"},
    {.sql = &sql_openedx_student_module_past_activity,
     .reads = "staging.student_module warehouse.student_module_history_fact " MODULES,
     .writes = ACTIVITY " " OPENEDX_CHANGES,
     .meaning = "such days by history that came before its student module"},
    {0},
};

const struct feed openedx_student_module = {
    .name = "student_module",
    .kind = FEED_FACT,
    .target = MODULES,
    .change_log = OPENEDX_CHANGES,
    .fields = student_module_fields,
    .stage = &sql_openedx_student_module_staging,
    .reconcile = &sql_openedx_student_module_reconcile,
    .source = &sql_openedx_student_module_source,
    .members = student_module_members,
    .steps = student_module_steps,
};

/* ---- their history ---- */

static const char *const source_tables[] = {"csmh", "csmhe", NULL};

static const struct field student_module_history_fields[] = {
    {.column = "source_id", .path = "id|source_id", .type = FIELD_INTEGER, .required = true},
    {.column = "student_module_id",
     .path = "student_module_id",
     .type = FIELD_INTEGER,
     .required = true},
    {.column = "version", .path = "version", .type = FIELD_TEXT},
    {.column = "created", .path = "created", .type = FIELD_TIME, .is_modified = true},
    {.column = "state",
     .path = "state",
     .type = FIELD_EXTRACT,
     .elements = state_fields,
     .reason = "state_not_json"},
    {.column = "grade", .path = "grade", .type = FIELD_FLOAT},
    {.column = "max_grade", .path = "max_grade", .type = FIELD_FLOAT},
    {.column = "source_table",
     .path = "source_table",
     .type = FIELD_TEXT,
     .choices = source_tables,
     .otherwise = "csmhe"},
    {0},
};

static const struct pipeline_step student_module_history_steps[] = {
    {.sql = &sql_openedx_student_module_history_fact,
     .reads = "staging.student_module_history",
     .writes = "warehouse.student_module_history_fact",
     .meaning = "one row per state that was kept"},
    {.sql = &sql_openedx_student_module_history_activity,
     .reads = "staging.student_module_history " MODULES,
     .writes = ACTIVITY " " OPENEDX_CHANGES,
     .meaning = "the days on which learners were active"},
    {0},
};

/* Whichever comes later finds the days of activity. */
const struct feed openedx_student_module_history = {
    .name = "student_module_history",
    .kind = FEED_FACT,
    .target = "warehouse.student_module_history_fact",
    .lock = MODULES,
    .change_log = OPENEDX_CHANGES,
    .fields = student_module_history_fields,
    .stage = &sql_openedx_student_module_history_staging,
    .source = &sql_openedx_student_module_history_source,
    .steps = student_module_history_steps,
};

/* ---- enrollments ---- */

static const struct field enrollment_fields[] = {
    {.column = "source_id", .path = "id|source_id", .type = FIELD_INTEGER},
    {.column = "user_id",
     .path = "user_id",
     .type = FIELD_INTEGER,
     .required = true,
     .is_listed = true},
    {.column = "course_id",
     .path = "course_id",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_context_key,
     .is_listed = true},
    {.column = "created", .path = "created", .type = FIELD_TIME, .is_modified = true},
    {.column = "is_active", .path = "is_active", .type = FIELD_BOOLEAN, .or_number = true},
    {.column = "mode", .path = "mode", .type = FIELD_TEXT},
    {.column = "history_date", .path = "history_date", .type = FIELD_TIME, .is_modified = true},
    {.column = "is_deleted",
     .path = "deleted|is_deleted",
     .type = FIELD_BOOLEAN,
     .or_number = true,
     .otherwise = "false",
     .is_deletion = true},
    {0},
};

static const struct pipeline_step enrollment_members[] = {
    {.sql = &sql_openedx_enrollment_learner_members,
     .reads = "staging.enrollment",
     .writes = "warehouse.learner_dim",
     .meaning = "learners that enrollments name"},
    {.sql = &sql_openedx_enrollment_context_members,
     .reads = "staging.enrollment",
     .writes = OPENEDX_CONTEXTS,
     .meaning = "courses that enrollments name"},
    {0},
};

static const struct pipeline_step enrollment_steps[] = {
    {.sql = &sql_openedx_enrollment_fact,
     .reads = "staging.enrollment " DIMENSIONS " warehouse.course_access_role_dim",
     .writes = "warehouse.enrollment_fact " OPENEDX_CHANGES,
     .meaning = "one row per learner and course"},
    {.sql = &sql_openedx_enrollment_event_fact,
     .reads = "staging.enrollment " DIMENSIONS " warehouse.enrollment_fact",
     .writes = "warehouse.enrollment_event_fact " OPENEDX_CHANGES,
     .meaning = "when enrollments became active or inactive"},
    {0},
};

const struct feed openedx_enrollment = {
    .name = "enrollment",
    .kind = FEED_FACT,
    .target = "warehouse.enrollment_fact",
    .change_log = OPENEDX_CHANGES,
    .fields = enrollment_fields,
    .stage = &sql_openedx_enrollment_staging,
    .reconcile = &sql_openedx_enrollment_reconcile,
    .source = &sql_openedx_enrollment_source,
    .members = enrollment_members,
    .steps = enrollment_steps,
};

/* ---- certificates ---- */

static const struct field certificate_fields[] = {
    {.column = "user_id", .path = "user_id", .type = FIELD_INTEGER, .required = true},
    {.column = "course_id",
     .path = "course_id",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_context_key},
    {.column = "status", .path = "status", .type = FIELD_TEXT, .required = true},
    {.column = "created_date", .path = "created_date", .type = FIELD_TIME},
    {0},
};

static const struct pipeline_step certificate_members[] = {
    {.sql = &sql_openedx_certificate_learner_members,
     .reads = "staging.certificate",
     .writes = "warehouse.learner_dim",
     .meaning = "learners that certificates name"},
    {.sql = &sql_openedx_certificate_context_members,
     .reads = "staging.certificate",
     .writes = OPENEDX_CONTEXTS,
     .meaning = "courses that certificates name"},
    {0},
};

static const struct pipeline_step certificate_steps[] = {
    {.sql = &sql_openedx_certificate_fact,
     .reads = "staging.certificate " DIMENSIONS,
     .writes = "warehouse.certificate_fact " OPENEDX_CHANGES,
     .meaning = "one row per learner and course"},
    {0},
};

const struct feed openedx_certificate = {
    .name = "certificate",
    .kind = FEED_FACT,
    .target = "warehouse.certificate_fact",
    .change_log = OPENEDX_CHANGES,
    .fields = certificate_fields,
    .stage = &sql_openedx_certificate_staging,
    .source = &sql_openedx_certificate_source,
    .members = certificate_members,
    .steps = certificate_steps,
};

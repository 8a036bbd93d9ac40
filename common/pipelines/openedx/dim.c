/* SPDX-License-Identifier: MIT
 *
 * The dimensions of Open edX: learners, the structure of courses, roles in courses.
 */
#include "etl/opaque_key.h"
#include "openedx_sql.h"
#include "pipelines/openedx/openedx.h"

/* ---- learners ---- */

static const struct field learner_fields[] = {
    {.column = "user_id", .path = "id|user_id", .type = FIELD_INTEGER, .required = true},
    {.column = "username", .path = "username", .type = FIELD_TEXT},
    {.column = "is_staff", .path = "is_staff", .type = FIELD_BOOLEAN, .or_number = true},
    {.column = "is_active", .path = "is_active", .type = FIELD_BOOLEAN, .or_number = true},
    {.column = "date_joined", .path = "date_joined", .type = FIELD_TIME},
    {.column = "last_login", .path = "last_login", .type = FIELD_TIME},
    {0},
};

static const struct pipeline_step learner_steps[] = {
    {.sql = &sql_openedx_learner_dim,
     .reads = "staging.learner",
     .writes = "warehouse.learner_dim",
     .meaning = "one row per learner"},
    {0},
};

const struct feed openedx_learner = {
    .name = "learner",
    .kind = FEED_DIM,
    .target = "warehouse.learner_dim",
    .fields = learner_fields,
    .stage = &sql_openedx_learner_staging,
    .source = &sql_openedx_learner_source,
    .steps = learner_steps,
};

/* ---- the structure of courses ---- */

static const struct field extra_fields[] = {
    {.column = "max_count", .path = "max_count", .type = FIELD_INTEGER},
    {0},
};

static const struct field course_block_fields[] = {
    {.column = "course_id",
     .path = "course_id",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_context_key},
    {.column = "course_version",
     .path = "course_version",
     .type = FIELD_TEXT,
     .otherwise = "",
     .longest = FIELD_ID_LONGEST},
    {.column = "published_at", .path = "published_at", .type = FIELD_TIME, .is_modified = true},
    {.column = "usage_key",
     .path = "usage_key",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_usage_key,
     .within = "course_id"},
    {.column = "block_type", .path = "block_type", .type = FIELD_TEXT},
    {.column = "parent",
     .path = "parent",
     .type = FIELD_TEXT,
     .grammar = &opaque_usage_key,
     .within = "course_id"},
    {.column = "ordinal", .path = "ordinal", .type = FIELD_INTEGER},
    {.column = "display_name", .path = "display_name", .type = FIELD_TEXT},
    {.column = "has_score", .path = "has_score", .type = FIELD_BOOLEAN, .or_number = true},
    {.column = "graded", .path = "graded", .type = FIELD_BOOLEAN, .or_number = true},
    {.column = "weight", .path = "weight", .type = FIELD_FLOAT},
    {.column = "max_score", .path = "max_score", .type = FIELD_FLOAT},
    {.column = "visible_to_staff_only",
     .path = "visible_to_staff_only",
     .type = FIELD_BOOLEAN,
     .or_number = true},
    {.column = "extra", .path = "extra", .type = FIELD_EXTRACT, .elements = extra_fields},
    {0},
};

static const struct pipeline_step course_block_members[] = {
    {.sql = &sql_openedx_course_block_context_members,
     .reads = "staging.course_block",
     .writes = OPENEDX_CONTEXTS,
     .meaning = "courses that blocks name"},
    {0},
};

static const struct pipeline_step course_block_steps[] = {
    {.sql = &sql_openedx_course_version_dim,
     .reads = "staging.course_block " OPENEDX_CONTEXTS,
     .writes = "warehouse.course_version_dim",
     .meaning = "the version of each course that is shown"},
    {.sql = &sql_openedx_course_block_dim,
     .reads = "staging.course_block " OPENEDX_CONTEXTS " warehouse.course_version_dim",
     .writes = "warehouse.block_dim",
     .meaning = "one row per block of that version"},
    {.sql = &sql_openedx_course_block_gone,
     .reads = "staging.course_block " OPENEDX_CONTEXTS " warehouse.course_version_dim",
     .writes = "warehouse.block_dim",
     .meaning = "blocks that it lacks"},
    {.sql = &sql_openedx_course_scoring,
     .reads = "warehouse.block_dim",
     .writes = "warehouse.course_version_dim " OPENEDX_CHANGES,
     .meaning = "courses whose scoring it changes"},
    {0},
};

const struct feed openedx_course_block = {
    .name = "course_block",
    .kind = FEED_DIM,
    .target = "warehouse.block_dim",
    .change_log = OPENEDX_CHANGES,
    .fields = course_block_fields,
    .stage = &sql_openedx_course_block_staging,
    .members = course_block_members,
    .steps = course_block_steps,
};

/* ---- roles in courses ---- */

static const struct field course_access_role_fields[] = {
    {.column = "user_id",
     .path = "user_id",
     .type = FIELD_INTEGER,
     .required = true,
     .is_listed = true},
    {.column = "org", .path = "org", .type = FIELD_TEXT, .is_listed = true, .longest = 255},
    {.column = "course_id",
     .path = "course_id",
     .type = FIELD_TEXT,
     .grammar = &opaque_context_key,
     .is_listed = true},
    {.column = "role",
     .path = "role",
     .type = FIELD_TEXT,
     .required = true,
     .is_listed = true,
     .longest = 255},
    {0},
};

static const struct pipeline_step course_access_role_steps[] = {
    {.sql = &sql_openedx_course_access_role_dim,
     .reads = "staging.course_access_role",
     .writes = "warehouse.course_access_role_dim",
     .meaning = "one row per user, organisation or course, and role"},
    {.sql = &sql_openedx_course_access_role_gone,
     .reads = "staging.course_access_role",
     .writes = "warehouse.course_access_role_dim",
     .meaning = "roles that a server no longer shows"},
    {.sql = &sql_openedx_course_access_role_enrollment,
     .reads = "warehouse.course_access_role_dim " OPENEDX_CONTEXTS,
     .writes = "warehouse.enrollment_fact " OPENEDX_CHANGES,
     .meaning = "who is staff of the course that they are enrolled in"},
    {0},
};

/* It marks enrollments, and their transform looks for roles. */
const struct feed openedx_course_access_role = {
    .name = "course_access_role",
    .kind = FEED_DIM,
    .target = "warehouse.course_access_role_dim",
    .lock = "warehouse.enrollment_fact",
    .change_log = OPENEDX_CHANGES,
    .fields = course_access_role_fields,
    .stage = &sql_openedx_course_access_role_staging,
    .reconcile = &sql_openedx_course_access_role_reconcile,
    .shows_all = true,
    .source = &sql_openedx_course_access_role_source,
    .steps = course_access_role_steps,
};

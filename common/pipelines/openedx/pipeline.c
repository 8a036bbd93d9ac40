/* SPDX-License-Identifier: MIT
 *
 * Open edX: student modules and enrollments become facts, and the facts become enrollment data and
 * daily metrics.
 */
#include "pipelines/openedx/openedx.h"

#include "etl/opaque_key.h"
#include "openedx_sql.h"

#define ENROLLMENT_DATA "warehouse.enrollment_data"
#define FACTS                                                                      \
    "warehouse.student_module_fact warehouse.enrollment_fact warehouse.block_dim " \
    "warehouse.course_version_dim " OPENEDX_CONTEXTS
#define METRIC_CHANGES "warehouse.learner_metric_change warehouse.course_metric_change"
#define METRIC_FACTS                                                   \
    "warehouse.learner_activity_fact warehouse.enrollment_event_fact " \
    "warehouse.certificate_fact warehouse.enrollment_fact "            \
    "warehouse.course_version_dim warehouse.enrollment_data_day " OPENEDX_CONTEXTS

static const struct pipeline_step data_changed[] = {
    {.sql = &sql_openedx_enrollment_data_from_changes,
     .reads = OPENEDX_CHANGES " " FACTS,
     .writes = ENROLLMENT_DATA " warehouse.enrollment_data_day",
     .meaning = "the enrollments that changed"},
    {.sql = &sql_openedx_metric_change_from_changes,
     .reads = OPENEDX_CHANGES " " METRIC_FACTS " " ENROLLMENT_DATA,
     .writes = METRIC_CHANGES,
     .meaning = "what the learners that changed add to the metrics"},
    {.sql = &sql_openedx_course_daily_metrics_from_changes,
     .reads = OPENEDX_CHANGES " " METRIC_CHANGES " warehouse.learner_activity_fact "
                              "warehouse.course_version_dim " OPENEDX_CONTEXTS,
     .writes = "warehouse.course_daily_metrics",
     .meaning = "the days of the courses that changed"},
    {0},
};

static const struct pipeline_step data_all[] = {
    {.sql = &sql_openedx_enrollment_data_from_all,
     .reads = FACTS,
     .writes = ENROLLMENT_DATA " warehouse.enrollment_data_day",
     .meaning = "all enrollments, or those of some courses"},
    {.sql = &sql_openedx_metric_change_from_all,
     .reads = METRIC_FACTS " " ENROLLMENT_DATA,
     .writes = METRIC_CHANGES,
     .meaning = "what all learners add to the metrics"},
    {.sql = &sql_openedx_course_daily_metrics_from_all,
     .reads = METRIC_CHANGES " warehouse.learner_activity_fact "
                             "warehouse.course_version_dim " OPENEDX_CONTEXTS,
     .writes = "warehouse.course_daily_metrics",
     .meaning = "all days of all courses, or of some"},
    {0},
};

static const char *const data_sources[] = {"student_module",
                                           "student_module_history",
                                           "enrollment",
                                           "course_block",
                                           "course_access_role",
                                           "certificate",
                                           NULL};
static const struct derivation data = {
    .workflow = "enrollment_data",
    .task = "enrollment-data-from-fact",
    .sources = data_sources,
    .target = ENROLLMENT_DATA,
    .changed = data_changed,
    .all = data_all,
    .units = &sql_openedx_enrollment_data_units,
};

/* Figures' own table, as mysql prints it or as CSV; other columns (id, site_id, created, modified)
 * are not looked at. */
static const struct field figures_fields[] = {
    {.column = "user_id", .path = "user_id", .type = FIELD_INTEGER, .required = true},
    {.column = "course_id",
     .path = "course_id",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_context_key},
    {.column = "date_for", .path = "date_for", .type = FIELD_TIME, .required = true},
    {.column = "date_enrolled", .path = "date_enrolled", .type = FIELD_TIME, .required = true},
    {.column = "is_enrolled",
     .path = "is_enrolled",
     .type = FIELD_BOOLEAN,
     .required = true,
     .or_number = true},
    {.column = "is_completed",
     .path = "is_completed",
     .type = FIELD_BOOLEAN,
     .required = true,
     .or_number = true},
    {.column = "progress_percent",
     .path = "progress_percent",
     .type = FIELD_FLOAT,
     .required = true},
    {.column = "points_possible", .path = "points_possible", .type = FIELD_FLOAT, .required = true},
    {.column = "points_earned", .path = "points_earned", .type = FIELD_FLOAT, .required = true},
    {.column = "sections_possible",
     .path = "sections_possible",
     .type = FIELD_INTEGER,
     .required = true},
    {.column = "sections_worked",
     .path = "sections_worked",
     .type = FIELD_INTEGER,
     .required = true},
    {0},
};

static const struct feed figures_enrollment_data = {
    .name = "figures_enrollment_data",
    .fields = figures_fields,
    .stage = &sql_openedx_figures_enrollment_data_staging,
};

static const struct comparison beside_figures = {
    .records = &figures_enrollment_data,
    .summary = &sql_openedx_figures_enrollment_data_summary,
    .rows = &sql_openedx_figures_enrollment_data_rows,
};

static const struct verification data_verification = {
    .task = "verify-enrollment-data",
    .derivation = &data,
    .compare = &sql_openedx_enrollment_data_compare,
    .comparison = &beside_figures,
};

static const struct feed *const feeds[] = {
    &openedx_learner,
    &openedx_course_block,
    &openedx_course_access_role,
    &openedx_student_module,
    &openedx_student_module_history,
    &openedx_enrollment,
    &openedx_certificate,
    NULL,
};

static const struct derivation *const derivations[] = {&data, NULL};

static const struct verification *const verifications[] = {&data_verification, NULL};

static const char *const reject_reasons[] = {
    "invalid_context_key",
    "invalid_usage_key",
    "usage_key_missing_type",
    "context_mismatch",
    "key_too_long",
    "state_not_json",
    NULL,
};

const struct pipeline openedx_pipeline = {
    .name = "openedx",
    .feeds = feeds,
    .derivations = derivations,
    .verifications = verifications,
    .reject_reasons = reject_reasons,
    .schema = openedx_schema,
};

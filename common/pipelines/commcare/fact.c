/* SPDX-License-Identifier: MIT
 *
 * The facts of CommCare. Forms and sync logs have the source's column names; a form is also taken
 * as the public API lists it.
 */
#include "pipelines/commcare/commcare.h"

#include "commcare_sql.h"

#define COUNT_MAX INT64_C(2147483647)
#define STATE_MAX INT64_C(32767)

/* ---- forms ---- */

static const struct field form_fields[] = {
    {.column = "form_id", .path = "form_id|id", .type = FIELD_TEXT, .is_key = true},
    {.column = "domain", .path = "domain", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "app_id", .path = "app_id", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "xmlns", .path = "xmlns|form.@xmlns", .type = FIELD_TEXT},
    {.column = "user_id",
     .path = "user_id|metadata.userID",
     .type = FIELD_TEXT,
     .longest = FIELD_ID_LONGEST},
    {.column = "received_on",
     .path = "received_on",
     .type = FIELD_TIME,
     .required = true,
     .is_modified = true,
     .is_partition = true},
    {.column = "deleted_on", .path = "deleted_on", .type = FIELD_TIME, .is_modified = true},
    {.column = "edited_on", .path = "edited_on", .type = FIELD_TIME, .is_modified = true},
    {.column = "server_modified_on",
     .path = "server_modified_on",
     .type = FIELD_TIME,
     .is_modified = true},
    {.column = "time_end", .path = "time_end|metadata.timeEnd", .type = FIELD_TIME},
    {.column = "time_start", .path = "time_start|metadata.timeStart", .type = FIELD_TIME},
    {.column = "commcare_version",
     .path = "commcare_version|metadata.commcare_version",
     .type = FIELD_TEXT},
    {.column = "app_version",
     .path = "app_version|metadata.app_build_version",
     .type = FIELD_INTEGER,
     .maximum = COUNT_MAX},
    {.column = "build_id", .path = "build_id", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "state", /* the API has only the mark of an archived form */
     .path = "state|archived",
     .type = FIELD_INTEGER,
     .otherwise = "1",
     .when_true = "2",
     .when_false = "1",
     .maximum = STATE_MAX},
    /* archiving moves no time of the form itself */
    {.path = "operations", .type = FIELD_NEWEST, .element = "date", .is_modified = true},
    {0},
};

static const struct pipeline_step form_members[] = {
    {.sql = &sql_commcare_form_months,
     .reads = "staging.form",
     .writes = "warehouse.form_fact",
     .meaning = "months that are not there yet"},
    {.sql = &sql_commcare_form_members,
     .reads = "staging.form",
     .writes = "warehouse.user_dim warehouse.application_dim warehouse.domain_dim",
     .meaning = "users, applications, builds and projects that forms name"},
    {0},
};

static const struct pipeline_step form_steps[] = {
    {.sql = &sql_commcare_form_fact,
     .reads = "staging.form warehouse.user_dim warehouse.application_dim warehouse.domain_dim",
     .writes = "warehouse.form_key warehouse.form_fact warehouse.form_change_log",
     .meaning = "one row per form, and the keys that changed"},
    {0},
};

const struct feed commcare_form = {
    .name = "form",
    .kind = FEED_FACT,
    .target = "warehouse.form_fact",
    .change_log = "warehouse.form_change_log",
    .fields = form_fields,
    .stage = &sql_commcare_form_staging,
    .source = &sql_commcare_form_source,
    .source_rejects = &sql_commcare_form_source_rejects,
    .divided = "public.form_processor_xforminstancesql",
    .members = form_members,
    .steps = form_steps,
};

/* ---- sync logs ---- */

static const struct field synclog_fields[] = {
    {.column = "synclog_id", .path = "synclog_id|_id", .type = FIELD_TEXT, .is_key = true},
    {.column = "sync_date",
     .path = "date",
     .type = FIELD_TIME,
     .required = true,
     .is_modified = true,
     .is_partition = true},
    {.column = "domain", .path = "domain", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "user_id", .path = "user_id", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "build_id", .path = "build_id", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "app_id", .path = "app_id", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "duration", .path = "duration", .type = FIELD_INTEGER, .maximum = COUNT_MAX},
    {.column = "device_id", .path = "device_id", .type = FIELD_TEXT},
    {.column = "is_formplayer", .path = "is_formplayer", .type = FIELD_BOOLEAN},
    {.column = "request_user_id", .path = "request_user_id", .type = FIELD_TEXT},
    {0},
};

static const struct pipeline_step synclog_members[] = {
    {.sql = &sql_commcare_synclog_months,
     .reads = "staging.synclog",
     .writes = "warehouse.synclog_fact",
     .meaning = "months that are not there yet"},
    {.sql = &sql_commcare_synclog_members,
     .reads = "staging.synclog",
     .writes = "warehouse.user_dim warehouse.application_dim warehouse.domain_dim",
     .meaning = "users, applications, builds and projects that sync logs name"},
    {0},
};

static const struct pipeline_step synclog_steps[] = {
    {.sql = &sql_commcare_synclog_fact,
     .reads = "staging.synclog warehouse.user_dim warehouse.application_dim warehouse.domain_dim",
     .writes = "warehouse.synclog_key warehouse.synclog_fact warehouse.synclog_change_log",
     .meaning = "one row per sync log, and the users that changed"},
    {0},
};

const struct feed commcare_synclog = {
    .name = "synclog",
    .kind = FEED_FACT,
    .target = "warehouse.synclog_fact",
    .change_log = "warehouse.synclog_change_log",
    .fields = synclog_fields,
    .stage = &sql_commcare_synclog_staging,
    .source = &sql_commcare_synclog_source,
    .source_rejects = &sql_commcare_synclog_source_rejects,
    .divided = "public.phone_synclogsql",
    .members = synclog_members,
    .steps = synclog_steps,
};

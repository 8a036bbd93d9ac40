/* SPDX-License-Identifier: MIT
 *
 * CommCare: documents become dimensions, forms and sync logs become facts, and the facts become
 * the Application Status.
 */
#include "pipelines/commcare/commcare.h"

#include "commcare_sql.h"

#define APP_STATUS "warehouse.app_status_fact"
#define FACTS "warehouse.form_fact warehouse.synclog_fact"
#define CHANGES "warehouse.form_change_log warehouse.synclog_change_log"

/* One statement serves both sides: batches are one series, and each change log names its own. */
static const struct pipeline_step status_changed[] = {
    {.sql = &sql_commcare_app_status_from_changes,
     .reads = CHANGES " " FACTS,
     .writes = APP_STATUS,
     .meaning = "the rows of the users whose forms or sync logs changed"},
    {0},
};

static const struct pipeline_step status_all[] = {
    {.sql = &sql_commcare_app_status_from_all,
     .reads = FACTS,
     .writes = APP_STATUS,
     .meaning = "the rows of all users"},
    {0},
};

static const char *const form_sources[] = {"form", NULL};
static const struct derivation status_from_form = {
    .workflow = "app_status_form",
    .task = "app-status-from-fact",
    .argument = "form",
    .sources = form_sources,
    .target = APP_STATUS,
    .changed = status_changed,
    .all = status_all,
};

static const char *const synclog_sources[] = {"synclog", NULL};
static const struct derivation status_from_synclog = {
    .workflow = "app_status_synclog",
    .task = "app-status-from-fact",
    .argument = "synclog",
    .sources = synclog_sources,
    .target = APP_STATUS,
    .changed = status_changed,
    .all = status_all,
};

static const struct verification status_verification = {
    .task = "verify-app-status",
    .derivation = &status_from_form,
    .compare = &sql_commcare_app_status_compare,
};

static const struct feed *const feeds[] = {
    &commcare_user,        &commcare_group, &commcare_domain,  &commcare_location,
    &commcare_application, &commcare_form,  &commcare_synclog, NULL,
};

static const struct derivation *const derivations[] = {&status_from_form, &status_from_synclog,
                                                       NULL};

static const struct verification *const verifications[] = {&status_verification, NULL};

const struct pipeline commcare_pipeline = {
    .name = "commcare",
    .feeds = feeds,
    .derivations = derivations,
    .verifications = verifications,
    .schema = commcare_schema,
};

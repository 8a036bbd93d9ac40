/* SPDX-License-Identifier: MIT
 *
 * The dimensions of CommCare: users, groups, domains and applications as CouchDB stores
 * them, locations as rows of the main database or with its column names.
 */
#include "pipelines/commcare/commcare.h"

#include "commcare_sql.h"

/* ---- users ---- */

static const struct field membership_fields[] = {
    {.column = "domain", .path = "domain", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "is_admin", .path = "is_admin", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "assigned_location_ids",
     .path = "assigned_location_ids",
     .type = FIELD_TEXT_LIST,
     .longest = FIELD_ID_LONGEST},
    {0},
};

static const struct field user_fields[] = {
    {.column = "user_id", .path = "_id", .type = FIELD_TEXT, .is_key = true, .is_listed = true},
    {.column = "username", .path = "username", .type = FIELD_TEXT},
    {.column = "first_name", .path = "first_name", .type = FIELD_TEXT},
    {.column = "last_name", .path = "last_name", .type = FIELD_TEXT},
    {.column = "email", .path = "email", .type = FIELD_TEXT},
    {.column = "doc_type", .path = "doc_type", .type = FIELD_TEXT},
    {.column = "base_doc", .path = "base_doc", .type = FIELD_TEXT},
    {.column = "domain", .path = "domain", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "assigned_location_ids",
     .path = "assigned_location_ids",
     .type = FIELD_TEXT_LIST,
     .longest = FIELD_ID_LONGEST},
    {.column = "domain_memberships",
     .path = "domain_memberships|domain_membership",
     .type = FIELD_OBJECTS,
     .elements = membership_fields},
    {.column = "is_active", .path = "is_active", .type = FIELD_BOOLEAN, .otherwise = "true"},
    {.column = "is_staff", .path = "is_staff", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "is_superuser", .path = "is_superuser", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "last_login", .path = "last_login", .type = FIELD_TIME},
    {.column = "date_joined", .path = "date_joined", .type = FIELD_TIME},
    {.column = "user_last_modified",
     .path = "last_modified",
     .type = FIELD_TIME,
     .is_modified = true},
    {0},
};

/* A deleted mobile worker keeps its doc_type; its base_doc tells. */
static const char *const user_types[] = {"CommCareUser", "WebUser", "CommCareUser-Deleted",
                                         "WebUser-Deleted", NULL};
static const char *const user_bases[] = {"CouchUser", "CouchUser-Deleted", NULL};
static const struct field_filter user_filters[] = {
    {.path = "doc_type", .values = user_types},
    {.path = "base_doc", .values = user_bases, .may_lack = true},
    {0},
};

static const struct pipeline_step user_members[] = {
    {.sql = &sql_commcare_user_location_members,
     .reads = "staging.user",
     .writes = "warehouse.location_dim",
     .meaning = "locations that users are assigned to"},
    {0},
};

static const struct pipeline_step user_steps[] = {
    {.sql = &sql_commcare_user_dim,
     .reads = "staging.user",
     .writes = "warehouse.user_dim",
     .meaning = "one row per mobile worker or web user"},
    {.sql = &sql_commcare_user_gone,
     .reads = "staging.user warehouse.user_dim",
     .writes = "warehouse.user_dim",
     .meaning = "users whose document is gone"},
    {.sql = &sql_commcare_user_location_dim,
     .reads = "staging.user warehouse.user_dim warehouse.location_dim",
     .writes = "warehouse.user_location_dim",
     .meaning = "one row per user, location and project"},
    {.sql = &sql_commcare_domain_membership_dim,
     .reads = "staging.user warehouse.user_dim",
     .writes = "warehouse.domain_membership_dim",
     .meaning = "one row per user and project"},
    {0},
};

const struct feed commcare_user = {
    .name = "user",
    .kind = FEED_DIM,
    .target = "warehouse.user_dim",
    .fields = user_fields,
    .filters = user_filters,
    .is_couch = true,
    .stage = &sql_commcare_user_staging,
    .reconcile = &sql_commcare_user_reconcile,
    .members = user_members,
    .steps = user_steps,
};

/* ---- groups ---- */

static const struct field group_fields[] = {
    {.column = "group_id", .path = "_id", .type = FIELD_TEXT, .is_key = true, .is_listed = true},
    {.column = "name", .path = "name", .type = FIELD_TEXT},
    {.column = "domain", .path = "domain", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "doc_type", .path = "doc_type", .type = FIELD_TEXT},
    {.column = "user_ids", .path = "users", .type = FIELD_TEXT_LIST, .longest = FIELD_ID_LONGEST},
    {.column = "removed_user_ids", .path = "removed_users", .type = FIELD_TEXT_LIST},
    {.column = "case_sharing", .path = "case_sharing", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "reporting", .path = "reporting", .type = FIELD_BOOLEAN, .otherwise = "true"},
    {.column = "group_last_modified",
     .path = "last_modified",
     .type = FIELD_TIME,
     .is_modified = true},
    {0},
};

static const char *const group_types[] = {"Group", "Group-Deleted", "Group-Deleted-Deleted", NULL};
static const struct field_filter group_filters[] = {
    {.path = "doc_type", .values = group_types},
    {0},
};

static const struct pipeline_step group_members[] = {
    {.sql = &sql_commcare_group_user_members,
     .reads = "staging.group",
     .writes = "warehouse.user_dim",
     .meaning = "users that groups hold"},
    {0},
};

static const struct pipeline_step group_steps[] = {
    {.sql = &sql_commcare_group_dim,
     .reads = "staging.group",
     .writes = "warehouse.group_dim",
     .meaning = "one row per group"},
    {.sql = &sql_commcare_group_gone,
     .reads = "staging.group warehouse.group_dim",
     .writes = "warehouse.group_dim",
     .meaning = "groups whose document is gone"},
    {.sql = &sql_commcare_user_group_dim,
     .reads = "staging.group warehouse.group_dim warehouse.user_dim",
     .writes = "warehouse.user_group_dim",
     .meaning = "one row per user and live group"},
    {0},
};

const struct feed commcare_group = {
    .name = "group",
    .kind = FEED_DIM,
    .target = "warehouse.group_dim",
    .fields = group_fields,
    .filters = group_filters,
    .is_couch = true,
    .stage = &sql_commcare_group_staging,
    .reconcile = &sql_commcare_group_reconcile,
    .members = group_members,
    .steps = group_steps,
};

/* ---- domains ---- */

static const char *const test_texts[] = {"true", "false", "none", NULL};

static const struct field domain_fields[] = {
    {.column = "domain_id", .path = "_id", .type = FIELD_TEXT, .is_key = true, .is_listed = true},
    {.column = "domain",
     .path = "name",
     .type = FIELD_TEXT,
     .required = true,
     .longest = FIELD_ID_LONGEST},
    {.column = "default_timezone",
     .path = "default_timezone",
     .type = FIELD_TEXT,
     .otherwise = "UTC"},
    {.column = "hr_name", .path = "hr_name", .type = FIELD_TEXT},
    {.column = "creating_user_id", .path = "creating_user_id", .type = FIELD_TEXT},
    {.column = "project_type", .path = "project_type", .type = FIELD_TEXT},
    {.column = "doc_type", .path = "doc_type", .type = FIELD_TEXT},
    {.column = "is_active", .path = "is_active", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "case_sharing", .path = "case_sharing", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "commtrack_enabled",
     .path = "commtrack_enabled",
     .type = FIELD_BOOLEAN,
     .otherwise = "false"},
    {.column = "is_test", /* a boolean in old documents */
     .path = "is_test",
     .type = FIELD_TEXT,
     .choices = test_texts,
     .otherwise = "none",
     .when_true = "true",
     .when_false = "false"},
    {.column = "location_restriction_for_users",
     .path = "location_restriction_for_users",
     .type = FIELD_BOOLEAN,
     .otherwise = "false"},
    {.column = "use_sql_backend",
     .path = "use_sql_backend",
     .type = FIELD_BOOLEAN,
     .otherwise = "false"},
    {.column = "first_domain_for_user",
     .path = "first_domain_for_user",
     .type = FIELD_BOOLEAN,
     .otherwise = "false"},
    {.column = "domain_last_modified",
     .path = "last_modified",
     .type = FIELD_TIME,
     .otherwise = "2015-01-01T00:00:00Z"},
    {.column = "domain_created_on", .path = "date_created", .type = FIELD_TIME},
    /* the version, apart from the model's default: a document without time is of the beginning */
    {.path = "last_modified", .type = FIELD_TIME, .is_modified = true},
    {0},
};

static const char *const domain_types[] = {"Domain", "Domain-Deleted", "Domain-Deleted-Deleted",
                                           NULL};
static const struct field_filter domain_filters[] = {
    {.path = "doc_type", .values = domain_types},
    {0},
};

static const struct pipeline_step domain_steps[] = {
    {.sql = &sql_commcare_domain_document,
     .reads = "staging.domain",
     .writes = "warehouse.domain_document",
     .meaning = "one row per document of a project"},
    {.sql = &sql_commcare_domain_document_gone,
     .reads = "staging.domain warehouse.domain_document",
     .writes = "warehouse.domain_document",
     .meaning = "projects whose document is gone"},
    {.sql = &sql_commcare_domain_dim,
     .reads = "staging.domain warehouse.domain_document",
     .writes = "warehouse.domain_dim",
     .meaning = "one row per project name"},
    {0},
};

const struct feed commcare_domain = {
    .name = "domain",
    .kind = FEED_DIM,
    .target = "warehouse.domain_dim",
    .fields = domain_fields,
    .filters = domain_filters,
    .is_couch = true,
    .stage = &sql_commcare_domain_staging,
    .reconcile = &sql_commcare_domain_reconcile,
    .steps = domain_steps,
};

/* ---- applications and builds ---- */

static const struct field application_fields[] = {
    {.column = "application_id",
     .path = "_id",
     .type = FIELD_TEXT,
     .is_key = true,
     .is_listed = true},
    {.column = "name", .path = "name", .type = FIELD_TEXT},
    {.column = "domain", .path = "domain", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "doc_type", .path = "doc_type", .type = FIELD_TEXT},
    {.column = "version", .path = "version", .type = FIELD_INTEGER},
    {.column = "copy_of", .path = "copy_of", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "application_last_modified",
     .path = "last_modified",
     .type = FIELD_TIME,
     .is_modified = true},
    {0},
};

static const char *const application_types[] = {"Application",
                                                "LinkedApplication",
                                                "RemoteApp",
                                                "Application-Deleted",
                                                "LinkedApplication-Deleted",
                                                "RemoteApp-Deleted",
                                                NULL};
static const struct field_filter application_filters[] = {
    {.path = "doc_type", .values = application_types},
    {0},
};

static const struct pipeline_step application_steps[] = {
    {.sql = &sql_commcare_application_dim,
     .reads = "staging.application",
     .writes = "warehouse.application_dim",
     .meaning = "one row per application or build"},
    {.sql = &sql_commcare_application_gone,
     .reads = "staging.application warehouse.application_dim",
     .writes = "warehouse.application_dim",
     .meaning = "applications and builds whose document is gone"},
    {0},
};

const struct feed commcare_application = {
    .name = "application",
    .kind = FEED_DIM,
    .target = "warehouse.application_dim",
    .fields = application_fields,
    .filters = application_filters,
    .is_couch = true,
    .stage = &sql_commcare_application_staging,
    .reconcile = &sql_commcare_application_reconcile,
    .steps = application_steps,
};

/* ---- locations ---- */

static const struct field location_fields[] = {
    {.column = "location_id",
     .path = "location_id",
     .type = FIELD_TEXT,
     .is_key = true,
     .is_listed = true},
    {.column = "domain", .path = "domain", .type = FIELD_TEXT, .longest = FIELD_ID_LONGEST},
    {.column = "name", .path = "name", .type = FIELD_TEXT},
    {.column = "site_code", .path = "site_code", .type = FIELD_TEXT},
    {.column = "location_type_id", .path = "location_type_id", .type = FIELD_INTEGER},
    {.column = "external_id", .path = "external_id", .type = FIELD_TEXT},
    {.column = "supply_point_id", .path = "supply_point_id", .type = FIELD_TEXT},
    {.column = "user_id", .path = "user_id", .type = FIELD_TEXT},
    {.column = "sql_location_id", .path = "id|sql_location_id", .type = FIELD_INTEGER},
    {.column = "sql_parent_location_id",
     .path = "parent_id|sql_parent_location_id",
     .type = FIELD_INTEGER},
    {.column = "location_last_modified",
     .path = "last_modified",
     .type = FIELD_TIME,
     .is_modified = true},
    {.column = "location_created_on", .path = "created_at", .type = FIELD_TIME},
    {.column = "is_archived", .path = "is_archived", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "latitude", .path = "latitude", .type = FIELD_DECIMAL},
    {.column = "longitude", .path = "longitude", .type = FIELD_DECIMAL},
    {.column = "location_type_name",
     .path = "location_type_name|location_type.name",
     .type = FIELD_TEXT},
    {.column = "location_type_code",
     .path = "location_type_code|location_type.code",
     .type = FIELD_TEXT},
    {.column = "location_type_last_modified",
     .path = "location_type_last_modified|location_type.last_modified",
     .type = FIELD_TIME,
     .is_modified = true},
    {0},
};

static const struct pipeline_step location_steps[] = {
    {.sql = &sql_commcare_location_dim,
     .reads = "staging.location",
     .writes = "warehouse.location_dim",
     .meaning = "one row per location"},
    {.sql = &sql_commcare_location_gone,
     .reads = "staging.location warehouse.location_dim",
     .writes = "warehouse.location_dim",
     .meaning = "locations that are gone"},
    {.sql = &sql_commcare_location_level,
     .reads = "staging.location warehouse.location_dim",
     .writes = "warehouse.location_dim",
     .meaning = "ancestors and depth, of all below a changed location, too"},
    {0},
};

const struct feed commcare_location = {
    .name = "location",
    .kind = FEED_DIM,
    .target = "warehouse.location_dim",
    .fields = location_fields,
    .stage = &sql_commcare_location_staging,
    .reconcile = &sql_commcare_location_reconcile,
    .source = &sql_commcare_location_source,
    .source_rejects = &sql_commcare_location_source_rejects,
    .steps = location_steps,
};

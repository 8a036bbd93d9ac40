/* SPDX-License-Identifier: MIT
 *
 * From the server's refusals to our statuses and messages. The server's own
 * text quotes rows, so only its SQLSTATE and names go on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "io/db_private.h"

/* The most telling prefix first: the first that fits decides. */
static const struct {
    const char *prefix;
    enum status status;
} refusals[] = {
    {"40001", STATUS_TEMPORARY},  /* serialization */
    {"40P01", STATUS_TEMPORARY},  /* deadlock */
    {"55P03", STATUS_TEMPORARY},  /* lock not available */
    {"57014", STATUS_TEMPORARY},  /* cancelled, or over its time */
    {"57P0", STATUS_TEMPORARY},   /* server stops, crashes or starts */
    {"23505", STATUS_TEMPORARY},  /* unique: another run was faster */
    {"25P03", STATUS_TEMPORARY},  /* idle for too long in a transaction */
    {"25P04", STATUS_TEMPORARY},  /* transaction over its time */
    {"53", STATUS_TEMPORARY},     /* disk, memory or connections used up */
    {"08", STATUS_TEMPORARY},     /* connection */
    {"28", STATUS_PERMISSION},    /* role or password */
    {"42501", STATUS_PERMISSION}, /* privilege */
    {"3D000", STATUS_CONFIG},     /* no such database */
    {"3F000", STATUS_CONFIG},     /* no such schema */
    {"42P01", STATUS_CONFIG},     /* no such table */
    {"42703", STATUS_CONFIG},     /* no such column */
    {"42883", STATUS_CONFIG},     /* no such function */
    {"42P07", STATUS_CONFIG},     /* a table of that name is there */
    {"42710", STATUS_CONFIG},     /* another object */
    {"25006", STATUS_CONFIG},     /* read-only: a standby */
    {"58", STATUS_IO},            /* the server's own files */
};

static const enum status of_functions[] = {
    STATUS_USAGE,     STATUS_DATA,       STATUS_UNAVAILABLE, STATUS_BUG,   STATUS_IO,
    STATUS_TEMPORARY, STATUS_PERMISSION, STATUS_CONFIG,      STATUS_STALE,
};

/* Our own functions raise FLnnn, with nnn one of our statuses. */
static bool is_ours(const char *sqlstate, enum status *status)
{
    if (strncmp(sqlstate, "FL", 2) != 0)
        return false;
    long number = strtol(sqlstate + 2, NULL, 10);
    for (size_t i = 0; i < sizeof of_functions / sizeof of_functions[0]; i++) {
        if (number == (long)of_functions[i]) {
            *status = of_functions[i];
            return true;
        }
    }
    return false;
}

enum status db_status_of(const char *sqlstate, bool is_source)
{
    enum status status = STATUS_BUG;
    if (is_ours(sqlstate, &status))
        return status;
    if (is_source && strncmp(sqlstate, "22", 2) == 0)
        return STATUS_DATA;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (strncmp(sqlstate, refusals[i].prefix, strlen(refusals[i].prefix)) == 0)
            return refusals[i].status;
    }
    return STATUS_BUG;
}

static const char *remedy(enum status status, bool is_source, const char *sqlstate)
{
    switch (status) {
    case STATUS_TEMPORARY:
    case STATUS_IO:
        return strcmp(sqlstate, "55P03") == 0 ? "another session held the lock, run the step again"
                                              : "run the step again";
    case STATUS_PERMISSION: return "grant the role what the README lists";
    case STATUS_CONFIG:
        if (strcmp(sqlstate, "25006") == 0)
            return "connect to the primary server";
        if (strcmp(sqlstate, "42P07") == 0 || strcmp(sqlstate, "42710") == 0)
            return "an object has that name already, give the warehouse a database of its own";
        return is_source ? "look whether its tables and columns are those of the feed"
                         : "run migrate-warehouse";
    case STATUS_DATA: return "correct the value at the source";
    default: return "report it";
    }
}

/* Names of the objects that a refusal is about; never the server's text. */
static void add_objects(struct str *text, const PGresult *result)
{
    const char *schema = PQresultErrorField(result, PG_DIAG_SCHEMA_NAME);
    const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
    static const struct {
        const char *kind;
        int field;
    } others[] = {
        {"column", PG_DIAG_COLUMN_NAME},
        {"constraint", PG_DIAG_CONSTRAINT_NAME},
        {"type", PG_DIAG_DATATYPE_NAME},
    };
    if (table)
        str_add_format(text, ", table \"%s%s%s\"", schema ? schema : "", schema ? "." : "", table);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const char *name = PQresultErrorField(result, others[i].field);
        if (name)
            str_add_format(text, ", %s \"%s\"", others[i].kind, name);
    }
}

static bool is_lost(const struct db *db, const char *kind, const char *name, struct error *err)
{
    return error_set(err, STATUS_TEMPORARY,
                     "connection to the %s was lost in %s \"%s\"; run the step again", db_kind(db),
                     kind, name);
}

bool db_refused(const struct db *db, const PGresult *result, const char *kind, const char *name,
                struct error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum status status;
    if (!sqlstate)
        return is_lost(db, kind, name, err);
    if (is_ours(sqlstate, &status) && primary) {
        error_set(err, status, "%s", primary);
    } else {
        struct str objects;
        str_init(&objects);
        add_objects(&objects, result);
        status = db_status_of(sqlstate, db->is_source);
        error_set(err, status, "%s refused %s \"%s\" (SQLSTATE %s%s); %s", db_kind(db), kind, name,
                  sqlstate, objects.text, remedy(status, db->is_source, sqlstate));
        str_release(&objects);
    }
    size_t length = strnlen(sqlstate, sizeof err->sqlstate - 1);
    memcpy(err->sqlstate, sqlstate, length);
    err->sqlstate[length] = '\0';
    return false;
}

/* SPDX-License-Identifier: MIT */
#include "etl/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "etl/pipeline.h"
#include "etl/schema.h"
#include "etl_sql.h"

static const char *const count_columns[] = {"open",    "failed",     "gaps",
                                            "rejects", "unconsumed", NULL};

static void add_json_text(struct str *to, const char *text)
{
    str_add_json(to, text, strlen(text));
}

static bool has_completed(const struct db_rows *rows, size_t row)
{
    return db_rows_text(rows, row, "last_until") != NULL;
}

static void format_document(const struct db_rows *rows, struct str *to)
{
    char time[CLOCK_TEXT_SIZE];
    str_add_text(to, "{\"workflows\":[");
    for (size_t row = 0; row < db_rows_count(rows); row++) {
        str_add_text(to, row > 0 ? ",{\"workflow\":" : "{\"workflow\":");
        add_json_text(to, db_rows_text(rows, row, "name"));
        if (has_completed(rows, row))
            str_add_format(to, ",\"last_until\":\"%s\",\"lag_seconds\":%" PRId64,
                           clock_format(db_rows_time(rows, row, "last_until"), time),
                           db_rows_int(rows, row, "lag") / CLOCK_SECOND);
        else
            str_add_text(to, ",\"last_until\":null,\"lag_seconds\":null");
        for (const char *const *column = count_columns; *column; column++)
            str_add_format(to, ",\"%s\":%" PRId64, *column, db_rows_int(rows, row, *column));
        str_add_char(to, '}');
    }
    str_add_text(to, "]}\n");
}

/* A duration as people say it: the greatest unit that gives at least 2. */
static const char *format_lag(int64_t lag, char *buffer, size_t size)
{
    int64_t seconds = lag / CLOCK_SECOND;
    if (seconds >= 2 * 86400)
        snprintf(buffer, size, "%" PRId64 " d", seconds / 86400);
    else if (seconds >= 2 * 3600)
        snprintf(buffer, size, "%" PRId64 " h", seconds / 3600);
    else if (seconds >= 2 * 60)
        snprintf(buffer, size, "%" PRId64 " min", seconds / 60);
    else
        snprintf(buffer, size, "%" PRId64 " s", seconds);
    return buffer;
}

static void format_table(const struct db_rows *rows, const struct db_rows *notes, struct str *to)
{
    char time[CLOCK_TEXT_SIZE], lag[32];
    str_add_format(to, "%-22s %-20s %8s %6s %6s %6s %8s %10s\n", "workflow", "complete until (UTC)",
                   "lag", "open", "failed", "gaps", "rejects", "unconsumed");
    for (size_t row = 0; row < db_rows_count(rows); row++) {
        bool is_known = has_completed(rows, row);
        str_add_format(to, "%-22s ", db_rows_text(rows, row, "name"));
        if (is_known) {
            clock_format(db_rows_time(rows, row, "last_until"), time);
            time[10] = ' ';
            str_add_format(to, "%-20.19s %8s", time,
                           format_lag(db_rows_int(rows, row, "lag"), lag, sizeof lag));
        } else {
            str_add_format(to, "%-20s %8s", "never", "-");
        }
        str_add_format(to, " %6" PRId64 " %6" PRId64 " %6" PRId64 " %8" PRId64 " %10" PRId64 "\n",
                       db_rows_int(rows, row, "open"), db_rows_int(rows, row, "failed"),
                       db_rows_int(rows, row, "gaps"), db_rows_int(rows, row, "rejects"),
                       db_rows_int(rows, row, "unconsumed"));
    }
    if (db_rows_count(rows) == 0)
        str_add_text(to, "(no workflow has run yet)\n");
    for (size_t row = 0; row < db_rows_count(notes); row++)
        str_add_format(to, "%s%s: %s\n", row == 0 ? "\n" : "", db_rows_text(notes, row, "workflow"),
                       db_rows_text(notes, row, "about"));
}

/* A named workflow must be fresh; of all, those that are in use. */
static bool check_lag(const struct db_rows *rows, bool is_named, int64_t max_lag, struct error *err)
{
    for (size_t row = 0; row < db_rows_count(rows); row++) {
        const char *name = db_rows_text(rows, row, "name");
        if (!is_named && !db_rows_bool(rows, row, "is_used"))
            continue;
        if (!has_completed(rows, row))
            return error_set(err, STATUS_STALE,
                             "workflow \"%s\" has never completed; run its steps", name);
        if (db_rows_int(rows, row, "lag") > max_lag)
            return error_set(err, STATUS_STALE,
                             "workflow \"%s\" is %" PRId64 " s old, %" PRId64
                             " are allowed; look why its steps do not run",
                             name, db_rows_int(rows, row, "lag") / CLOCK_SECOND,
                             max_lag / CLOCK_SECOND);
    }
    return true;
}

bool status_run(struct db *db, const char *workflow, bool is_json, int64_t max_lag,
                struct result *result, struct error *err)
{
    bool ok = false;
    struct str text;
    struct db_rows *rows = NULL, *notes = NULL;
    const struct db_value values[] = {{"workflow", workflow}, {0}};
    const struct pipeline *pipeline = workflow ? pipeline_of_workflow(workflow) : NULL;
    str_init(&text);
    if (!schema_check(db, pipeline, err))
        goto done;
    rows = db_query(db, &sql_etl_workflow_status, values, err);
    notes = rows ? db_query(db, &sql_etl_workflow_notes, values, err) : NULL;
    if (!notes)
        goto done;
    if (is_json)
        format_document(rows, &text);
    else
        format_table(rows, notes, &text);
    result_set_document(result, text.text);
    ok = max_lag < 0 || check_lag(rows, workflow != NULL, max_lag, err);
done:
    db_rows_free(rows);
    db_rows_free(notes);
    str_release(&text);
    return ok;
}

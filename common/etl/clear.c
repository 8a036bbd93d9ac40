/* SPDX-License-Identifier: MIT */
#include "etl/clear.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "etl/batch.h"
#include "etl/schema.h"
#include "etl_sql.h"

static bool begin(struct db *db, const char *workflow, struct error *err)
{
    return db_begin(db, err) &&
           schema_check(db, workflow ? pipeline_of_workflow(workflow) : NULL, err);
}

static bool end(struct db *db, struct error *err)
{
    if (!task_common()->dry_run)
        return db_commit(db, err);
    db_rollback(db);
    return true;
}

/* Of the next batch after *id, which becomes that batch, or the empty text: none was left. */
static bool drop_next(struct db *db, const char *workflow, const char *keep, char id[24],
                      int64_t *in_use, struct result *counts, struct error *err)
{
    const struct db_value values[] = {
        {"workflow", workflow}, {"keep_staging", keep}, {"after", id}, {0}};
    struct db_rows *rows =
        begin(db, workflow, err) ? db_query(db, &sql_etl_clear_staging, values, err) : NULL;
    if (!rows)
        return false;
    *id = '\0';
    if (db_rows_count(rows) > 0) {
        snprintf(id, 24, "%s", db_rows_text(rows, 0, "id"));
        *in_use += !db_rows_text(rows, 0, "rows_deleted");
        result_set_int(counts, "rows_deleted",
                       result_get_int(counts, "rows_deleted") +
                           db_rows_int(rows, 0, "rows_deleted"));
    }
    db_rows_free(rows);
    return end(db, err);
}

static bool drop_staging(struct db *db, const char *workflow, const char *keep,
                         struct result *counts, struct error *err)
{
    char id[24] = "0";
    int64_t in_use = 0;
    while (*id)
        if (!drop_next(db, workflow, keep, id, &in_use, counts, err))
            return false;
    if (in_use > 0)
        log_event(LOG_INFO, "staging_in_use", "batches=%" PRId64 " remedy=\"the next run\"",
                  in_use);
    return true;
}

static bool clear(struct db *db, const char *workflow, int64_t keep_staging, int64_t keep_rejects,
                  struct result *counts, struct error *err)
{
    char staging[32], rejects[32];
    snprintf(staging, sizeof staging, "%" PRId64 " microseconds", keep_staging);
    snprintf(rejects, sizeof rejects, "%" PRId64 " microseconds", keep_rejects);
    const struct db_value values[] = {{"workflow", workflow}, {"keep_rejects", rejects}, {0}};
    return drop_staging(db, workflow, staging, counts, err) && begin(db, workflow, err) &&
           db_run(db, &sql_etl_clear_log, values, counts, err) &&
           db_run(db, &sql_etl_clear_rejects, values, counts, err) && end(db, err);
}

bool clear_run(struct db *db, const char *workflow, int64_t keep_staging, int64_t keep_rejects,
               struct result *result, struct error *err)
{
    int64_t started = clock_monotonic();
    const struct batch none = {0};
    struct result counts;
    result_init(&counts);
    bool ok = clear(db, workflow, keep_staging, keep_rejects, &counts, err);
    if (ok) {
        int64_t deleted = result_get_int(&counts, "rows_deleted");
        batch_report(result, &none, workflow ? workflow : "",
                     deleted > 0 ? "done" : "nothing-to-do", started);
        result_set_int(result, "rows_deleted", task_common()->dry_run ? 0 : deleted);
    } else {
        db_rollback(db);
    }
    result_release(&counts);
    return ok;
}

/* SPDX-License-Identifier: MIT */
#include "etl/verify.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/task.h"
#include "etl/batch.h"
#include "etl/schema.h"
#include "etl/step.h"
#include "etl/unit.h"
#include "etl_sql.h"

static const char *const count_names[] = {
    "rows_checked", "rows_missing",  "rows_extra", "rows_different",
    "rows_pending", "rows_repaired", NULL};

/* Compares in one snapshot; *drift gets the rows that differ. */
static bool compare(struct db *db, const struct verification *verification,
                    const struct pipeline *pipeline, struct result *counts, int64_t *drift,
                    struct error *err)
{
    if (!db_begin_snapshot(db, err) || !schema_check(db, pipeline, err) ||
        !db_run(db, verification->compare, NULL, counts, err) || !db_commit(db, err))
        return false;
    *drift = result_get_int(counts, "rows_missing") + result_get_int(counts, "rows_extra") +
             result_get_int(counts, "rows_different");
    return true;
}

/* Writes the table whole, under the lock that the steps take, too. */
static bool repair(struct db *db, const struct verification *verification,
                   const struct pipeline *pipeline, struct result *counts, struct error *err)
{
    struct db_value values[] = {{"consumer", verification->derivation->workflow},
                                {"batch_id", "0"},
                                {"batches", "{}"},
                                {"as_of", NULL},
                                {"is_all", "true"},
                                {"units", NULL},
                                {0}};
    struct result written;
    result_init(&written);
    bool ok = db_begin(db, err) && schema_check(db, pipeline, err) &&
              step_lock_target(db, verification->derivation->target, err) &&
              unit_run(db, verification->derivation, true, values, &written, err) &&
              db_commit(db, err);
    result_add(counts, "rows_repaired",
               result_get_int(&written, "rows_inserted") +
                   result_get_int(&written, "rows_updated") +
                   result_get_int(&written, "rows_deleted"));
    result_release(&written);
    return ok;
}

static bool run_steps(struct db *db, const struct verification *verification, bool is_repair,
                      struct result *counts, struct error *err)
{
    int64_t drift;
    const struct pipeline *pipeline = pipeline_of_workflow(verification->derivation->workflow);
    if (!compare(db, verification, pipeline, counts, &drift, err))
        return false;
    if (drift == 0)
        return true;
    if (!is_repair || task_common()->dry_run)
        return error_set(err, STATUS_DATA,
                         "%" PRId64 " rows are missing, %" PRId64 " too many, %" PRId64
                         " different; pass --repair",
                         result_get_int(counts, "rows_missing"),
                         result_get_int(counts, "rows_extra"),
                         result_get_int(counts, "rows_different"));
    return repair(db, verification, pipeline, counts, err);
}

bool verify_run(struct db *db, const struct verification *verification, bool is_repair,
                struct result *result, struct error *err)
{
    int64_t started = clock_monotonic();
    const struct batch none = {0};
    struct result counts;
    result_init(&counts);
    bool ok = run_steps(db, verification, is_repair, &counts, err);
    if (ok) {
        batch_report(result, &none, verification->derivation->workflow, "done", started);
        step_report(result, &counts, count_names);
    } else {
        db_rollback(db);
    }
    result_release(&counts);
    return ok;
}

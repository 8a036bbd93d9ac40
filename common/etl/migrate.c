/* SPDX-License-Identifier: MIT */
#include "etl/migrate.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "etl/batch.h"
#include "etl/pipeline.h"
#include "etl_sql.h"

static bool is_created(struct db *db, bool *is_there, struct error *err)
{
    struct db_rows *rows = db_query(db, &sql_etl_schema_exists, NULL, err);
    if (!rows)
        return false;
    *is_there = db_rows_bool(rows, 0, "is_there");
    db_rows_free(rows);
    return true;
}

static bool find_number(struct db *db, const char *component, int64_t *number, struct error *err)
{
    const struct db_value values[] = {{"component", component}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_schema_numbers, values, err);
    if (!rows)
        return false;
    *number = db_rows_int(rows, 0, "number");
    db_rows_free(rows);
    return true;
}

/* Applies the files of one component that are missing; stops before a slow one unless asked for. */
static bool apply(struct db *db, const char *component, const struct sql_schema *const *files,
                  int64_t from, bool with_slow, struct result *counts, struct error *err)
{
    for (; *files; files++) {
        char number[16], works_from[16];
        if ((*files)->number <= from)
            continue;
        if ((*files)->is_slow && !with_slow) {
            log_event(LOG_WARNING, "waiting", "file=%s remedy=\"--phase slow\"", (*files)->name);
            return true;
        }
        log_event(LOG_INFO, "migration", "component=%s file=%s", component, (*files)->name);
        result_add(counts, "migrations_applied", 1);
        if (task_common()->dry_run)
            continue;
        snprintf(number, sizeof number, "%d", (*files)->number);
        snprintf(works_from, sizeof works_from, "%d", (*files)->works_from);
        const struct db_value values[] = {
            {"component", component}, {"number", number}, {"works_from", works_from}, {0}};
        if (!db_run_schema(db, *files, err) ||
            !db_run(db, &sql_etl_schema_applied, values, NULL, err))
            return false;
    }
    return true;
}

/* The ledger's files come first: the record of applied files is one of its tables. */
static bool apply_all(struct db *db, bool is_there, bool with_slow, struct result *counts,
                      struct error *err)
{
    int64_t number = 0;
    if (is_there && (!db_run(db, &sql_etl_schema_lock, NULL, NULL, err) ||
                     !find_number(db, "etl", &number, err)))
        return false;
    if (!apply(db, "etl", etl_schema, number, with_slow, counts, err))
        return false;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        number = 0;
        if ((is_there || !task_common()->dry_run) &&
            !find_number(db, (*pipeline)->name, &number, err))
            return false;
        if (!apply(db, (*pipeline)->name, (*pipeline)->schema, number, with_slow, counts, err))
            return false;
    }
    return true;
}

static bool register_workflow(struct db *db, const struct pipeline *pipeline, const char *workflow,
                              const char *kind, const char *target, const char *change_log,
                              struct error *err)
{
    const struct db_value values[] = {
        {"workflow", workflow}, {"pipeline", pipeline->name}, {"kind", kind},
        {"target", target},     {"change_log", change_log},   {0}};
    return db_run(db, &sql_etl_register_workflow, values, NULL, err) &&
           db_run(db, &sql_etl_register_target, values, NULL, err);
}

static bool register_derivation(struct db *db, const struct pipeline *pipeline,
                                const struct derivation *derivation, struct error *err)
{
    if (!register_workflow(db, pipeline, derivation->workflow, "derived", derivation->target, NULL,
                           err))
        return false;
    for (const char *const *source = derivation->sources; *source; source++) {
        const struct db_value values[] = {
            {"consumer", derivation->workflow}, {"source_workflow", *source}, {0}};
        if (!db_run(db, &sql_etl_register_consumer, values, NULL, err))
            return false;
    }
    return true;
}

static bool register_all(struct db *db, struct error *err)
{
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++)
            if (!register_workflow(db, *pipeline, (*feed)->name, "feed", (*feed)->target,
                                   (*feed)->change_log, err))
                return false;
        const struct derivation *const *derivation = (*pipeline)->derivations;
        for (; derivation && *derivation; derivation++)
            if (!register_derivation(db, *pipeline, *derivation, err))
                return false;
    }
    return true;
}

static bool migrate(struct db *db, bool with_slow, struct result *counts, struct error *err)
{
    bool is_there;
    return db_begin(db, err) && is_created(db, &is_there, err) &&
           apply_all(db, is_there, with_slow, counts, err) &&
           (task_common()->dry_run || register_all(db, err)) && db_commit(db, err);
}

bool migrate_run(struct db *db, const char *phase, struct result *result, struct error *err)
{
    int64_t started = clock_monotonic();
    const struct batch none = {0};
    struct result counts;
    if (phase && strcmp(phase, "slow") != 0)
        return error_set(err, STATUS_USAGE, "unrecognized phase; the only one is \"slow\"");
    result_init(&counts);
    bool ok = migrate(db, phase != NULL, &counts, err);
    /* Two first migrations at once: the later finds the earlier's schema there, and goes on from
     * it. */
    if (!ok && (strcmp(err->sqlstate, "23505") == 0 || strcmp(err->sqlstate, "42P07") == 0)) {
        db_rollback(db);
        result_release(&counts);
        result_init(&counts);
        ok = migrate(db, phase != NULL, &counts, err);
    }
    if (ok) {
        int64_t applied = result_get_int(&counts, "migrations_applied");
        batch_report(result, &none, "", applied > 0 ? "done" : "nothing-to-do", started);
        result_set_int(result, "migrations_applied", applied);
    } else {
        db_rollback(db);
    }
    result_release(&counts);
    return ok;
}

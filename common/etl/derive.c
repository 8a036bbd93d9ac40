/* SPDX-License-Identifier: MIT */
#include "etl/derive.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/task.h"
#include "etl/batch.h"
#include "etl/schema.h"
#include "etl/step.h"
#include "etl/unit.h"
#include "etl_sql.h"

#define AS_OF_AHEAD (366 * CLOCK_DAY)

static const char *const count_names[] = {"keys_touched", "rows_inserted",  "rows_updated",
                                          "rows_deleted", "rows_unchanged", NULL};

/* The batches that one run derives from. */
struct work {
    const char **ids; /* borrowed from rows */
    size_t count;
    struct db_rows *rows;
    int64_t since, until; /* of their windows together */
    bool is_all;          /* every key, not only those in the change logs */
    bool has_pending;     /* units that earlier runs could not compute */
};

static void work_release(struct work *work)
{
    db_rows_free(work->rows);
    free(work->ids);
    *work = (struct work){0};
}

static bool has_consumed(struct db *db, const struct derivation *derivation, bool *has,
                         struct error *err)
{
    const struct db_value values[] = {{"consumer", derivation->workflow}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_has_consumed, values, err);
    if (!rows)
        return false;
    *has = db_rows_bool(rows, 0, "has_consumed");
    db_rows_free(rows);
    return true;
}

/* Lists what there is to do now. Read again under the lock of the target, where it decides. */
static bool find_work(struct db *db, const struct derivation *derivation,
                      const struct derive_options *options, struct work *work, struct error *err)
{
    bool has;
    char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];
    const struct db_value values[] = {{"consumer", derivation->workflow},
                                      {"since", clock_format(options->from, from)},
                                      {"until", clock_format(options->to, to)},
                                      {0}};
    work_release(work);
    if (options->unit)
        return true;
    if ((derivation->units &&
         !unit_has_pending(db, derivation->workflow, &work->has_pending, err)) ||
        !has_consumed(db, derivation, &has, err))
        return false;
    work->is_all = !has || task_common()->force;
    bool is_range = options->is_range && !work->is_all;
    work->rows =
        db_query(db, is_range ? &sql_etl_consumed_between : &sql_etl_unconsumed, values, err);
    if (!work->rows)
        return false;
    work->count = db_rows_count(work->rows);
    work->ids = mem_alloc((work->count + 1) * sizeof *work->ids);
    for (size_t i = 0; i < work->count; i++) {
        int64_t since = db_rows_time(work->rows, i, "since");
        int64_t until = db_rows_time(work->rows, i, "until");
        if (is_range && db_rows_bool(work->rows, i, "is_log_cleared"))
            return error_set(
                err, STATUS_DATA,
                "the change log of batch \"%s\" was cleared; pass --force to recompute "
                "all keys",
                db_rows_text(work->rows, i, "id"));
        work->ids[i] = db_rows_text(work->rows, i, "id");
        if (i == 0 || since < work->since)
            work->since = since;
        if (i == 0 || until > work->until)
            work->until = until;
    }
    return true;
}

/* --force has something to do while there are facts, consumed or not. */
static bool is_idle(const struct work *work, const struct derive_options *options)
{
    return work->count == 0 && !work->has_pending && !options->unit &&
           !(work->is_all && task_common()->force);
}

/* An array of the ids as the server reads it. */
static char *array_of(const struct work *work)
{
    struct str text;
    str_init(&text);
    str_add_char(&text, '{');
    for (size_t i = 0; i < work->count; i++)
        str_add_format(&text, "%s%s", i ? "," : "", work->ids[i]);
    str_add_char(&text, '}');
    return text.text;
}

static bool report(const struct batch *batch, const struct derivation *derivation,
                   const char *status, const struct work *work, const struct result *counts,
                   int64_t started, struct result *result)
{
    batch_report(result, batch, derivation->workflow, status, started);
    result_set_null(result, "batches");
    step_report(result, counts, count_names);
    result_set_ids(result, "batches", work->ids, work->count);
    return true;
}

static const char *fingerprint_of(const struct derive_options *options, char *buffer, size_t size)
{
    int length;
    char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];
    if (options->unit)
        length = snprintf(buffer, size, "unit %s", options->unit);
    else if (options->is_range)
        length = snprintf(buffer, size, "%s..%s", clock_format(options->from, from),
                          clock_format(options->to, to));
    else
        length = snprintf(buffer, size, "unconsumed");
    if (options->has_as_of)
        snprintf(buffer + length, size - (size_t)length, " as of %s",
                 clock_format(options->as_of, to));
    return buffer;
}

/* Everything between BEGIN and COMMIT of the data transaction, except for both. */
static bool write_data(struct db *db, const struct derivation *derivation,
                       const struct derive_options *options, struct batch *batch, struct work *work,
                       struct result *counts, struct error *err)
{
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE], as_of[CLOCK_TEXT_SIZE];
    if (!step_lock_target(db, derivation->target, err) ||
        !find_work(db, derivation, options, work, err))
        return false;
    if (work->count > 0) {
        batch->since = work->since;
        batch->until = work->until;
    }
    char *batches = array_of(work);
    struct db_value values[] = {
        {"consumer", derivation->workflow},
        {"batches", batches},
        {"batch_id", batch->id_text},
        {"since", clock_format(batch->since, since)},
        {"until", clock_format(batch->until, until)},
        {"as_of", options->has_as_of ? clock_format(options->as_of, as_of) : NULL},
        {"is_all", work->is_all ? "true" : "false"},
        {"units", NULL},
        {0},
    };
    bool ok = db_run(db, &sql_etl_consume, values, NULL, err);
    if (ok && options->unit)
        ok = unit_run_one(db, derivation, options->unit, values, counts, err);
    else if (ok && !is_idle(work, options))
        ok = unit_run(db, derivation, work->is_all, values, counts, err);
    ok = ok && db_run(db, &sql_etl_batch_complete, values, NULL, err);
    free(batches);
    return ok;
}

/* Opens the run's own batch, where there is none yet. */
static bool open_own(struct db *db, const struct derivation *derivation, const char *run_key,
                     const char *fingerprint, const struct derive_options *options,
                     const struct work *work, struct batch *batch, struct error *err)
{
    bool is_new;
    int64_t clock;
    if (!batch_clock(db, &clock, err))
        return false;
    int64_t generation = batch->generation + 1; /* 1, or that after the one which --force repeats */
    char *key = mem_strdup(run_key);            /* which may be the batch's own */
    batch_release(batch);
    batch->workflow = mem_strdup(derivation->workflow);
    batch->run_key = key;
    batch->fingerprint = mem_strdup(fingerprint);
    batch->generation = generation;
    batch->is_backfill = options->is_range;
    batch->since = work->count > 0 ? work->since : CLOCK_BEGINNING;
    batch->until = work->count > 0 ? work->until : clock;
    return db_begin(db, err) && batch_open(db, batch, &is_new, err) && db_commit(db, err);
}

static bool derive(struct db *db, const struct derivation *derivation,
                   const struct derive_options *options, struct batch *batch, struct work *work,
                   int64_t started, struct result *counts, struct result *result, struct error *err)
{
    bool is_done;
    if (!batch_hold(db, batch, task_name(), err))
        return false;
    if (!batch->is_held)
        return batch_earlier_result(db, batch, task_name(), result, &is_done, err);
    if (!db_commit(db, err) || !batch_enter(db, batch, err) ||
        !write_data(db, derivation, options, batch, work, counts, err))
        return false;
    report(batch, derivation, is_idle(work, options) ? "nothing-to-do" : "done", work, counts,
           started, result);
    return batch_finish(db, batch, result, err);
}

/* Every day up to the one that is asked for is written; a year that is mistyped is millions. */
static bool check_as_of(struct db *db, const struct derive_options *options, struct error *err)
{
    int64_t clock;
    return !options->has_as_of ||
           (batch_clock(db, &clock, err) &&
            (options->as_of <= clock + AS_OF_AHEAD ||
             error_set(err, STATUS_USAGE,
                       "--as-of names a day that is more than a year ahead; correct the year")));
}

static bool run_steps(struct db *db, const struct derivation *derivation,
                      const struct derive_options *options, struct batch *batch, char **run_key,
                      struct work *work, int64_t started, struct result *counts,
                      struct result *result, struct error *err)
{
    bool is_done;
    char buffer[320]; /* three times, or a unit, a key of at most 255 bytes, and one */
    const char *fingerprint = fingerprint_of(options, buffer, sizeof buffer);
    if (!schema_check(db, pipeline_of_workflow(derivation->workflow), err) ||
        !check_as_of(db, options, err))
        return false;
    const char *id = task_common()->batch_id;
    if (!id && !(*run_key = batch_run_key(db, err)))
        return false;
    if (!batch_find(db, derivation->workflow, id, *run_key, batch, err) ||
        (task_common()->force && !batch_find_latest(db, batch, err)))
        return false;
    bool is_repeated = batch->state == BATCH_COMPLETE && task_common()->force;
    if (batch->id != 0 && !is_repeated && strcmp(batch->fingerprint, fingerprint) != 0)
        return error_set(
            err, STATUS_USAGE,
            "batch \"%s\" of this run key was opened for other batches; pass --run-key",
            batch->id_text);
    if (batch->state == BATCH_COMPLETE && !is_repeated)
        return batch_earlier_result(db, batch, task_name(), result, &is_done, err);
    if (!find_work(db, derivation, options, work, err))
        return false;
    if (task_common()->dry_run) {
        char *batches = array_of(work);
        const struct db_value values[] = {
            {"batches", batches}, {"batch_id", "0"}, {"units", NULL}, {"as_of", NULL}, {0}};
        bool ok = step_show_all(
            db, work->is_all || options->unit ? derivation->all : derivation->changed, values, err);
        free(batches);
        return ok && report(batch, derivation, "nothing-to-do", work, counts, started, result);
    }
    if (batch->id == 0 || is_repeated) {
        if (is_idle(work, options))
            return report(batch, derivation, "nothing-to-do", work, counts, started, result);
        const char *key = is_repeated ? batch->run_key : *run_key;
        if (!open_own(db, derivation, key, fingerprint, options, work, batch, err))
            return false;
    }
    return derive(db, derivation, options, batch, work, started, counts, result, err);
}

bool derive_run(struct db *db, const struct derivation *derivation,
                const struct derive_options *options, struct result *result, struct error *err)
{
    int64_t started = clock_monotonic();
    struct batch batch = {0};
    struct work work = {0};
    struct result counts;
    char *run_key = NULL;
    result_init(&counts);
    bool ok =
        run_steps(db, derivation, options, &batch, &run_key, &work, started, &counts, result, err);
    if (!ok)
        batch_fail(db, &batch, task_name(), err);
    result_release(&counts);
    work_release(&work);
    batch_release(&batch);
    free(run_key);
    return ok;
}

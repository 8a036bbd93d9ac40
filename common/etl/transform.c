/* SPDX-License-Identifier: MIT */
#include "etl/transform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/task.h"
#include "etl/batch.h"
#include "etl/schema.h"
#include "etl/step.h"
#include "etl_sql.h"

static const char *const count_names[] = {
    "rows_staged",    "rows_inserted", "rows_updated",     "rows_unchanged",
    "rows_duplicate", "rows_older",    "members_inferred", NULL};

static const char *step_name(const struct feed *feed)
{
    if (feed->task)
        return feed->task;
    return feed->kind == FEED_FACT ? "transform-fact" : "transform-dim";
}

static bool report(const struct batch *batch, const struct feed *feed, const char *status,
                   const struct result *counts, int64_t started, struct result *result)
{
    batch_report(result, batch, feed->name, status, started);
    step_report(result, counts, count_names);
    return true;
}

static bool find_batch(struct db *db, const struct feed *feed, const char *id, struct batch *batch,
                       struct error *err)
{
    if (!batch_find(db, feed->name, id, task_common()->run_key, batch, err))
        return false;
    return batch->id != 0 ||
           error_set(err, STATUS_DATA, "this run key has no batch yet; run load-staging first");
}

/* Whether the rows are there that load-staging counted. In the data transaction, which keeps off
 * who would empty the table from here on. */
static bool check_staging(struct db *db, const struct batch *batch, struct error *err)
{
    const struct db_value values[] = {{"feed", batch->workflow}, {"batch_id", batch->id_text}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_count_staging, values, err);
    if (!rows)
        return false;
    int64_t counted = db_rows_int(rows, 0, "rows");
    db_rows_free(rows);
    return counted == batch->rows_staged ||
           error_set(err, STATUS_DATA,
                     "batch \"%s\" has %" PRId64 " staged rows, %" PRId64
                     " were recorded; run load-staging again",
                     batch->id_text, counted, batch->rows_staged);
}

static bool ask_pending(struct db *db, const struct batch *batch, bool *pending, struct error *err)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, batch->read_number);
    const struct db_value values[] = {{"workflow", batch->workflow}, {"read_number", number}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_pending_older, values, err);
    if (!rows)
        return false;
    *pending = db_rows_bool(rows, 0, "pending_older");
    db_rows_free(rows);
    return true;
}

static bool check_balance(const struct result *counts, const struct batch *batch, struct error *err)
{
    int64_t sum = 0;
    for (size_t i = 1; i < 6; i++)
        sum += result_get_int(counts, count_names[i]);
    if (sum == batch->rows_staged)
        return true;
    return error_set(err, STATUS_DATA,
                     "%" PRId64 " rows were staged, %" PRId64
                     " are accounted for; look for triggers or rules on the tables of \"%s\"",
                     batch->rows_staged, sum, batch->workflow);
}

/* Everything between BEGIN and COMMIT of the data transaction, except for both. */
static bool write_data(struct db *db, const struct feed *feed, const struct batch *batch,
                       const struct transform_options *options, struct result *counts,
                       struct error *err)
{
    bool pending;
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE], rows_staged[24];
    snprintf(rows_staged, sizeof rows_staged, "%" PRId64, batch->rows_staged);
    if (!step_lock_target(db, feed->lock ? feed->lock : feed->target, err) ||
        !check_staging(db, batch, err) || !ask_pending(db, batch, &pending, err))
        return false;
    const struct db_value values[] = {
        {"batch_id", batch->id_text},
        {"pending_older", pending ? "true" : "false"},
        {"own_times", batch->own_times ? "true" : "false"},
        {"rows_staged", rows_staged},
        {"activity_types", options->activity_types},
        {"since", clock_format(batch->since, since)},
        {"until", clock_format(batch->until, until)},
        {0},
    };
    return step_run_all(db, feed->steps, values, counts, err) &&
           check_balance(counts, batch, err) &&
           db_run(db, &sql_etl_batch_complete, values, NULL, err);
}

static bool transform(struct db *db, const struct feed *feed, struct batch *batch,
                      const struct transform_options *options, int64_t started,
                      struct result *counts, struct result *result, struct error *err)
{
    const struct db_value values[] = {{"feed", feed->name}, {"batch_id", batch->id_text}, {0}};
    if (!db_commit(db, err) || !db_run(db, &sql_etl_analyze_staging, values, NULL, err) ||
        !step_run_apart(db, feed->members, values, counts, err) || !batch_enter(db, batch, err) ||
        !write_data(db, feed, batch, options, counts, err))
        return false;
    report(batch, feed, "done", counts, started, result);
    return batch_finish(db, batch, result, err);
}

static bool explain(struct db *db, const struct feed *feed, const struct batch *batch,
                    struct error *err)
{
    const struct db_value values[] = {{"batch_id", batch->id_text},
                                      {"pending_older", "false"},
                                      {"own_times", batch->own_times ? "true" : "false"},
                                      {"rows_staged", "0"},
                                      {"activity_types", NULL},
                                      {"since", NULL},
                                      {"until", NULL},
                                      {0}};
    return step_show_all(db, feed->members, values, err) &&
           step_show_all(db, feed->steps, values, err);
}

/* The batch is complete: what this step printed, or that there was nothing to do for it. */
static bool answer(struct db *db, const struct feed *feed, const struct batch *batch,
                   const struct result *counts, int64_t started, struct result *result,
                   struct error *err)
{
    bool is_done;
    if (task_common()->force)
        return error_set(err, STATUS_USAGE,
                         "batch \"%s\" is complete and is never reopened; run load-staging --force "
                         "for a new one",
                         batch->id_text);
    if (!batch_earlier_result(db, batch, step_name(feed), result, &is_done, err))
        return false;
    return is_done || report(batch, feed, "nothing-to-do", counts, started, result);
}

static bool run_steps(struct db *db, const struct feed *feed, const char *id,
                      const struct transform_options *options, struct batch *batch, int64_t started,
                      struct result *counts, struct result *result, struct error *err)
{
    if (!schema_check(db, pipeline_of_workflow(feed->name), err))
        return false;
    if (id && *id == '\0') /* the step before had nothing to do and made no batch */
        return report(batch, feed, "nothing-to-do", counts, started, result);
    if (!find_batch(db, feed, id, batch, err))
        return false;
    if (batch->state == BATCH_COMPLETE)
        return answer(db, feed, batch, counts, started, result, err);
    if (batch->state == BATCH_SUPERSEDED)
        return error_set(err, STATUS_DATA,
                         "batch \"%s\" was superseded by a newer generation; transform that one",
                         batch->id_text);
    if (!batch->is_staged)
        return error_set(err, STATUS_DATA, "batch \"%s\" is not staged yet; run load-staging first",
                         batch->id_text);
    if (task_common()->dry_run)
        return explain(db, feed, batch, err) &&
               report(batch, feed, "nothing-to-do", counts, started, result);
    if (!batch_hold(db, batch, step_name(feed), err))
        return false;
    if (!batch->is_held) {
        if (batch->state == BATCH_COMPLETE)
            return answer(db, feed, batch, counts, started, result, err);
        return error_set(err, STATUS_TEMPORARY,
                         "batch \"%s\" was superseded meanwhile; run the step again",
                         batch->id_text);
    }
    return transform(db, feed, batch, options, started, counts, result, err);
}

bool transform_run(struct db *db, const struct feed *feed, const char *batch_id,
                   struct result *result, struct error *err)
{
    const struct transform_options none = {0};
    return transform_run_with(db, feed, batch_id, &none, result, err);
}

bool transform_run_with(struct db *db, const struct feed *feed, const char *batch_id,
                        const struct transform_options *options, struct result *result,
                        struct error *err)
{
    int64_t started = clock_monotonic();
    struct batch batch = {0};
    struct result counts;
    result_init(&counts);
    bool ok = run_steps(db, feed, batch_id, options, &batch, started, &counts, result, err);
    if (!ok)
        batch_fail(db, &batch, step_name(feed), err);
    result_release(&counts);
    batch_release(&batch);
    return ok;
}

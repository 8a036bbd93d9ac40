/* SPDX-License-Identifier: MIT */
#include "etl/stage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "etl/schema.h"
#include "etl/stage_jobs.h"
#include "etl/stage_open.h"
#include "etl/stage_reconcile.h"
#include "etl_sql.h"

#define MAX_RECORD (INT64_C(16) << 20)
#define MAX_RECORD_MOST (INT64_C(255) << 20) /* a string of jsonb ends below 256 MiB */

/* Options -------------------------------------------------------------- */

/* Reads a size: bytes, or with KiB, MiB. */
static bool parse_size(const char *text, int64_t *size, struct error *err)
{
    static const struct {
        const char *unit;
        int shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}};
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end != text && errno == 0 && number > 0 && number < (1LL << 30) && *text != '+')
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (strcmp(end, units[i].unit) == 0) {
                *size = (int64_t)number << units[i].shift;
                if (*size <= MAX_RECORD_MOST)
                    return true;
            }
    return error_set(err, STATUS_USAGE,
                     "--max-record wants a size up to 255MiB; for example 1048576 or 16MiB");
}

bool stage_check_format(const char *format, struct error *err)
{
    return !format || stage_format(format, "") != STAGE_NO_FORMAT ||
           error_set(err, STATUS_USAGE, "unrecognized format; name ndjson, csv or tsv");
}

static bool names_agent(const struct feed *feed)
{
    for (const struct field *field = feed->fields; field->path; field++)
        if (field->is_agent)
            return true;
    return false;
}

static bool check_options(struct stage *stage, struct error *err)
{
    const struct stage_options *options = stage->options;
    const struct window_options *window = &options->window;
    if (window->has_window && window->since >= window->until)
        return error_set(err, STATUS_USAGE, "--since must be earlier than --until; swap them");
    if (window->has_window && options->open_window)
        return error_set(err, STATUS_USAGE,
                         "--open-window chooses the window itself; leave out --since and --until");
    if (options->replay_rejects &&
        (options->sources.count > 0 || window->has_window || options->open_window))
        return error_set(err, STATUS_USAGE,
                         "--replay-rejects reads the rejects alone; leave out --source, --since, "
                         "--until and --open-window");
    if (options->jobs < 1 || options->jobs > STAGE_JOBS_MAX)
        return error_set(err, STATUS_USAGE, "--jobs wants a number of sessions; pass 1 to %d",
                         STAGE_JOBS_MAX);
    if (options->reconcile && !stage_check_keys(stage, err))
        return false;
    if (options->crawler_agents && !names_agent(stage->feed))
        return error_set(err, STATUS_USAGE,
                         "records of feed \"%s\" name no agent; leave out --crawler-agents",
                         stage->feed->name);
    if (!stage_check_format(options->format, err))
        return false;
    if (options->max_record && !parse_size(options->max_record, &stage->max_record, err))
        return false;
    /* What fails again in a replay stays open; by itself it is no reason to stop. A key that cannot
     * be read is one, and stage_reconcile says so. */
    const char *budget = options->max_rejects;
    if ((options->replay_rejects || options->reconcile) && !budget)
        budget = "100%";
    return reject_parse_budget(budget, &stage->budget, err);
}

static void report(const struct stage *stage, const char *status, int64_t behind, int64_t started,
                   struct result *result)
{
    const struct stage_counts *counts = &stage->counts;
    batch_report(result, stage->batch, stage->feed->name, status, started);
    result_set_int(result, "rows_read", counts->read);
    result_set_int(result, "rows_staged", counts->staged);
    result_set_int(result, "rows_rejected", counts->rejected);
    result_set_int(result, "rows_skipped", counts->skipped);
    result_set_int(result, "bytes_read", counts->bytes);
    result_set_int(result, "behind_seconds", behind / CLOCK_SECOND);
}

/* Loading -------------------------------------------------------------- */

static bool draw_read_number(struct stage *stage, struct error *err)
{
    char number[24];
    struct result drawn;
    const struct db_value workflow[] = {{"workflow", stage->feed->name}, {0}};
    result_init(&drawn);
    bool ok = db_run(stage->db, &sql_etl_read_number, workflow, &drawn, err);
    stage->batch->read_number = result_get_int(&drawn, "read_number");
    result_release(&drawn);
    snprintf(number, sizeof number, "%" PRId64, stage->batch->read_number);
    const struct db_value values[] = {
        {"batch_id", stage->batch->id_text}, {"read_number", number}, {0}};
    return ok && db_run(stage->db, &sql_etl_batch_read, values, NULL, err);
}

/* In a transaction of its own: what follows may take long, and others want to make theirs. */
static bool make_staging(struct stage *stage, struct error *err)
{
    const struct db_value values[] = {
        {"feed", stage->feed->name}, {"batch_id", stage->batch->id_text}, {0}};
    return batch_enter(stage->db, stage->batch, err) &&
           db_run(stage->db, &sql_etl_make_staging, values, NULL, err) && db_commit(stage->db, err);
}

/* Everything between BEGIN and COMMIT of the data transaction, except for both. */
static bool fill_staging(struct stage *stage, struct error *err)
{
    char read[24], staged[24], rejected[24], skipped[24];
    const struct stage_counts *counts = &stage->counts;
    const struct db_value own[] = {{"batch_id", stage->batch->id_text}, {0}};
    bool may_reconcile =
        stage->options->reconcile || (stage->feed->shows_all && stage->sources.are_servers);
    if (!db_run(stage->db, &sql_etl_reject_delete, own, NULL, err) ||
        (stage->options->reconcile && !stage_begin_keys(stage, err)))
        return false;
    if (stage->sources.are_servers ? !stage_read_servers(stage, err)
                                   : !stage_read_files(stage, err))
        return false;
    if (stage->options->expect_rows >= 0 && counts->read != stage->options->expect_rows)
        return error_set(err, STATUS_DATA,
                         "%" PRId64 " records were read, %" PRId64
                         " were expected; look whether the "
                         "input was cut",
                         counts->read, stage->options->expect_rows);
    if (may_reconcile && !stage_reconcile(stage, err))
        return false;
    if (counts->read != counts->staged + counts->rejected)
        BUG("records read, staged and rejected do not balance"); /* uncovered: so counted */

    snprintf(read, sizeof read, "%" PRId64, counts->read);
    snprintf(staged, sizeof staged, "%" PRId64, counts->staged);
    snprintf(rejected, sizeof rejected, "%" PRId64, counts->rejected);
    snprintf(skipped, sizeof skipped, "%" PRId64, counts->skipped);
    const struct db_value values[] = {
        {"batch_id", stage->batch->id_text}, {"rows_read", read},       {"rows_staged", staged},
        {"rows_rejected", rejected},         {"rows_skipped", skipped}, {0}};
    for (size_t i = 0; i < stage->sources.count; i++) {
        char rows[24];
        snprintf(rows, sizeof rows, "%" PRId64, stage->sources.items[i].rows);
        const struct db_value source[] = {{"batch_id", stage->batch->id_text},
                                          {"source", stage->sources.items[i].identity},
                                          {"rows", rows},
                                          {"table_format", stage->sources.items[i].table_format},
                                          {"table_header", stage->sources.items[i].table_header},
                                          {0}};
        if (!db_run(stage->db, &sql_etl_batch_source_rows, source, NULL, err))
            return false;
    }
    return db_run(stage->db, &sql_etl_batch_staged, values, NULL, err);
}

/* What was wrong is worth seeing: the first rejects stay, though nothing is staged. */
static void keep_sample(struct stage *stage)
{
    struct error unheard = {0};
    db_rollback(stage->db);
    const struct db_value own[] = {{"batch_id", stage->batch->id_text}, {0}};
    if (batch_enter(stage->db, stage->batch, &unheard) &&
        db_run(stage->db, &sql_etl_reject_delete, own, NULL, &unheard) &&
        stage_keep_sample(stage, &unheard) && db_commit(stage->db, &unheard))
        return;
    db_rollback(stage->db);
}

/* Whether the batch needs no loading: complete, or staged and still whole. */
static bool is_intact(struct stage *stage, bool *intact, struct error *err)
{
    const struct db_value values[] = {
        {"feed", stage->feed->name}, {"batch_id", stage->batch->id_text}, {0}};
    *intact = stage->batch->state == BATCH_COMPLETE;
    if (*intact || !stage->batch->is_staged)
        return true;
    struct db_rows *rows = db_query(stage->db, &sql_etl_count_staging, values, err);
    if (!rows)
        return false;
    *intact = db_rows_int(rows, 0, "rows") == stage->batch->rows_staged;
    db_rows_free(rows);
    return true;
}

static bool load(struct stage *stage, int64_t started, struct result *result, struct error *err)
{
    bool is_done;
    int64_t clock = CLOCK_BEGINNING;
    struct batch *batch = stage->batch;
    if (!stage_restore(stage, err) || !source_list_open(&stage->sources, err) ||
        !batch_hold(stage->db, batch, "load-staging", err))
        return false;
    if (!batch->is_held) {
        if (!batch_earlier_result(stage->db, batch, "load-staging", result, &is_done, err))
            return false;
        return is_done || error_set(err, STATUS_TEMPORARY,
                                    "batch \"%s\" was superseded meanwhile; run the step again",
                                    batch->id_text);
    }
    /* A twin may have staged it while we waited. */
    bool intact = false;
    if (batch->is_staged && !is_intact(stage, &intact, err))
        return false;
    if (intact) {
        db_rollback(stage->db);
        batch->is_held = false;
        return batch_earlier_result(stage->db, batch, "load-staging", result, &is_done, err);
    }
    stage->is_filtered = stage->options->window.has_window && !stage->sources.are_servers;
    if (!draw_read_number(stage, err) || !stage_record_files(stage, err) ||
        !source_list_snapshot(&stage->sources, stage->db, batch, err) ||
        !db_commit(stage->db, err) || !make_staging(stage, err) ||
        !batch_enter(stage->db, batch, err))
        return false;
    if (!fill_staging(stage, err)) {
        if (err->status == STATUS_DATA && stage->counts.rejected > 0)
            keep_sample(stage);
        return false;
    }
    for (size_t i = 0; i < stage->sources.count; i++)
        if (stage->sources.items[i].clock > clock)
            clock = stage->sources.items[i].clock;
    report(stage, stage->counts.read == 0 ? "nothing-to-do" : "done", stage_behind(stage, clock),
           started, result);
    return batch_finish(stage->db, batch, result, err);
}

static bool answer_opened(struct stage *stage, const char *status, int64_t started,
                          struct result *result, struct error *err)
{
    int64_t clock;
    if (!batch_clock(stage->db, &clock, err))
        return false;
    report(stage, status, stage_behind(stage, clock), started, result);
    return true;
}

/* Nothing to read yet; who holds the window's end back, where somebody does. */
static bool answer_held(struct stage *stage, const struct window *window, int64_t started,
                        struct result *result)
{
    report(stage, "nothing-to-do", window->behind, started, result);
    if (window->holder_age > 0) {
        result_set_int(result, "held_by_pid", window->holder_pid);
        result_set_int(result, "held_seconds", window->holder_age);
    }
    return true;
}

/* A batch that exists: answer from it, or load it again. */
static bool go_on(struct stage *stage, const char *fingerprint, int64_t started,
                  struct result *result, struct error *err)
{
    bool intact, is_done = false;
    if (!stage_check_fingerprint(stage, fingerprint, err))
        return false;
    if (stage->batch->state == BATCH_SUPERSEDED)
        return error_set(err, STATUS_DATA,
                         "batch \"%s\" was superseded by a newer generation; load that one",
                         stage->batch->id_text);
    if (stage->options->open_window)
        return answer_opened(stage, "already-done", started, result, err);
    if (!is_intact(stage, &intact, err))
        return false;
    if (intact &&
        !batch_earlier_result(stage->db, stage->batch, "load-staging", result, &is_done, err))
        return false;
    return is_done || load(stage, started, result, err);
}

static bool name_sources(struct stage *stage, struct error *err)
{
    if (stage->options->open_window) {
        stage_name_source(&stage->sources, STAGE_EXTRACT);
        stage->sources.has_marks = !stage->options->reconcile; /* a list has a time, no window */
    } else if (stage->options->replay_rejects) {
        stage_name_source(&stage->sources, STAGE_REJECTS);
    } else if (!source_list_init(&stage->sources, &stage->options->sources, err)) {
        return false;
    }
    if (stage->sources.are_servers && stage->options->reconcile)
        return error_set(err, STATUS_USAGE,
                         "--reconcile reads a list of keys; name its file by --source, or -");
    if (stage->sources.are_servers && !stage->feed->source)
        return error_set(err, STATUS_USAGE,
                         "feed \"%s\" is not read from a database; give its documents as a file",
                         stage->feed->name);
    return true;
}

/* --dry-run: what a run would read. */
static bool show_plan(struct stage *stage, const char *fingerprint, int64_t started,
                      struct result *result, struct error *err)
{
    struct window window;
    bool is_chosen = stage->batch->id != 0 && !task_common()->force;
    if ((is_chosen && !stage_check_fingerprint(stage, fingerprint, err)) ||
        !source_list_open(&stage->sources, err))
        return false;
    if (is_chosen ? !stage_restore(stage, err)
                  : !source_list_choose(&stage->sources, stage->db, stage->feed->name,
                                        &stage->options->window, &window, err))
        return false;
    if (!stage_show_plan(stage, err) ||
        (stage->options->reconcile && !stage_show_reconcile(stage, err)))
        return false;
    report(stage, "nothing-to-do", 0, started, result);
    if (!is_chosen) {
        result_set_time(result, "since", window.since);
        result_set_time(result, "until", window.until);
    }
    return true;
}

static bool run_steps(struct stage *stage, char **run_key, char **fingerprint, int64_t started,
                      struct result *result, struct error *err)
{
    const char *id = task_common()->batch_id;
    struct batch *batch = stage->batch;
    bool is_opened;
    struct window window;
    if (!name_sources(stage, err))
        return false;
    *fingerprint = stage_fingerprint(stage);
    if (!schema_check(stage->db, pipeline_of_workflow(stage->feed->name), err))
        return false;
    if (!id && !(*run_key = batch_run_key(stage->db, err)))
        return false;
    if (!batch_find(stage->db, stage->feed->name, id, *run_key, batch, err) ||
        (task_common()->force && !batch_find_latest(stage->db, batch, err)))
        return false;
    if (task_common()->dry_run)
        return show_plan(stage, *fingerprint, started, result, err);
    if (batch->id != 0 && !task_common()->force)
        return go_on(stage, *fingerprint, started, result, err);

    int64_t generation = 1;
    if (batch->id != 0) {
        generation = batch->generation + 1;
        free(*run_key);
        *run_key = mem_strdup(batch->run_key);
    }
    if (!stage_open(stage, *run_key, generation, *fingerprint, &window, &is_opened, err))
        return false;
    if (!is_opened)
        return answer_held(stage, &window, started, result);
    return stage->options->open_window ? answer_opened(stage, "done", started, result, err)
                                       : load(stage, started, result, err);
}

bool stage_check(const struct feed *feed, const struct stage_options *options, struct error *err)
{
    struct stage stage = {.feed = feed, .options = options};
    bool ok = check_options(&stage, err) && name_sources(&stage, err);
    source_list_release(&stage.sources);
    return ok;
}

bool stage_run(struct db *db, const struct feed *feed, struct stage_options *options,
               struct result *result, struct error *err)
{
    int64_t started = clock_monotonic();
    struct batch batch = {0};
    struct stage stage = {
        .db = db, .feed = feed, .options = options, .batch = &batch, .max_record = MAX_RECORD};
    char *run_key = NULL, *fingerprint = NULL;
    bool ok = check_options(&stage, err) &&
              run_steps(&stage, &run_key, &fingerprint, started, result, err);
    if (!ok)
        batch_fail(db, &batch, "load-staging", err);
    reject_close(stage.rejects);
    source_list_release(&stage.sources);
    batch_release(&batch);
    free(run_key);
    free(fingerprint);
    return ok;
}

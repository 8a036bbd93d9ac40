/* SPDX-License-Identifier: MIT */
#include "etl/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/task.h"
#include "etl/pipeline.h"
#include "etl/schema.h"
#include "etl_sql.h"

#define POLL_MS 100 /* between two looks at a living holder */

void batch_release(struct batch *batch)
{
    free(batch->workflow);
    free(batch->run_key);
    free(batch->fingerprint);
    *batch = (struct batch){0};
}

static enum batch_state parse_state(const char *text)
{
    static const char *const names[] = {"open", "staged", "complete", "failed", "superseded"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], text) == 0)
            return (enum batch_state)i;
    BUG("unknown batch state"); /* uncovered: a CHECK of the table lets in no other */
}

static void fill(struct batch *batch, const struct db_rows *rows)
{
    batch_release(batch);
    batch->id = db_rows_int(rows, 0, "id");
    snprintf(batch->id_text, sizeof batch->id_text, "%" PRId64, batch->id);
    batch->workflow = mem_strdup(db_rows_text(rows, 0, "workflow"));
    batch->run_key = mem_strdup(db_rows_text(rows, 0, "run_key"));
    batch->fingerprint = mem_strdup(db_rows_text(rows, 0, "fingerprint"));
    batch->generation = db_rows_int(rows, 0, "generation");
    batch->is_backfill = db_rows_bool(rows, 0, "is_backfill");
    batch->since = db_rows_time(rows, 0, "since");
    batch->until = db_rows_time(rows, 0, "until");
    batch->read_number = db_rows_int(rows, 0, "read_number");
    batch->state = parse_state(db_rows_text(rows, 0, "state"));
    batch->attempt = db_rows_int(rows, 0, "attempt");
    batch->own_times = db_rows_bool(rows, 0, "own_times");
    batch->is_staged = db_rows_bool(rows, 0, "is_staged");
    batch->rows_staged = db_rows_int(rows, 0, "rows_staged");
    log_set_context(batch->workflow, batch->id_text);
}

/* Reads a batch by one of its statements; *batch stays empty where there is none. */
static bool read_batch(struct db *db, const struct sql *sql, const struct db_value *values,
                       struct batch *batch, struct error *err)
{
    struct db_rows *rows = db_query(db, sql, values, err);
    if (!rows)
        return false;
    if (db_rows_count(rows) > 0)
        fill(batch, rows);
    db_rows_free(rows);
    return true;
}

bool batch_clock(struct db *db, int64_t *clock, struct error *err)
{
    struct db_rows *rows = db_query(db, &sql_etl_warehouse_clock, NULL, err);
    if (!rows)
        return false;
    *clock = db_rows_time(rows, 0, "clock");
    db_rows_free(rows);
    return true;
}

char *batch_run_key(struct db *db, struct error *err)
{
    if (task_common()->run_key)
        return mem_strdup(task_common()->run_key);
    struct db_rows *rows = db_query(db, &sql_etl_new_run_key, NULL, err);
    if (!rows)
        return NULL;
    char *key = mem_strdup(db_rows_text(rows, 0, "run_key"));
    db_rows_free(rows);
    return key;
}

/* Ids are whole numbers of the server; anything else names no batch. */
static bool is_number(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 18 && strspn(text, "0123456789") == length;
}

bool batch_find(struct db *db, const char *workflow, const char *id, const char *run_key,
                struct batch *batch, struct error *err)
{
    const struct db_value values[] = {
        {"batch_id", id}, {"workflow", workflow}, {"run_key", run_key}, {0}};
    if (id) {
        if (is_number(id) && !read_batch(db, &sql_etl_batch_by_id, values, batch, err))
            return false;
        if (batch->id == 0)
            return error_set(err, STATUS_USAGE,
                             "there is no batch \"%s\"; pass the batch_id of a result line", id);
        if (strcmp(batch->workflow, workflow) != 0)
            return error_set(
                err, STATUS_USAGE,
                "batch \"%s\" belongs to workflow \"%s\", not \"%s\"; pass a batch_id of "
                "this workflow",
                id, batch->workflow, workflow);
        return true;
    }
    return !run_key || read_batch(db, &sql_etl_batch_by_key, values, batch, err);
}

bool batch_find_latest(struct db *db, struct batch *batch, struct error *err)
{
    if (batch->id == 0)
        return true;
    char *workflow = mem_strdup(batch->workflow), *run_key = mem_strdup(batch->run_key);
    const struct db_value values[] = {{"workflow", workflow}, {"run_key", run_key}, {0}};
    bool ok = read_batch(db, &sql_etl_batch_by_key, values, batch, err);
    free(workflow);
    free(run_key);
    return ok;
}

bool batch_refresh(struct db *db, struct batch *batch, struct error *err)
{
    char id[sizeof batch->id_text];
    memcpy(id, batch->id_text, sizeof id);
    const struct db_value values[] = {{"batch_id", id}, {0}};
    return read_batch(db, &sql_etl_batch_by_id, values, batch, err);
}

bool batch_open(struct db *db, struct batch *batch, bool *is_new, struct error *err)
{
    char generation[24], since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
    snprintf(generation, sizeof generation, "%" PRId64, batch->generation);
    const struct db_value values[] = {
        {"workflow", batch->workflow},
        {"run_key", batch->run_key},
        {"generation", generation},
        {"fingerprint", batch->fingerprint},
        {"is_backfill", batch->is_backfill ? "true" : "false"},
        {"since", clock_format(batch->since, since)},
        {"until", clock_format(batch->until, until)},
        {"own_times", batch->own_times ? "true" : "false"},
        {0},
    };
    if (batch->generation > 1 && !db_run(db, &sql_etl_batch_supersede, values, NULL, err))
        return false;
    struct db_rows *rows = db_query(db, &sql_etl_batch_open, values, err);
    if (!rows)
        return false;
    *is_new = db_rows_count(rows) > 0;
    db_rows_free(rows);

    struct batch found = {0};
    if (!read_batch(db, &sql_etl_batch_by_key, values, &found, err))
        return false;
    batch_release(batch);
    *batch = found;
    return true;
}

bool batch_earlier_result(struct db *db, const struct batch *batch, const char *step,
                          struct result *result, bool *is_done, struct error *err)
{
    const struct db_value values[] = {{"batch_id", batch->id_text}, {"step", step}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_step_result, values, err);
    if (!rows)
        return false;
    *is_done = db_rows_count(rows) > 0;
    bool ok = true;
    if (*is_done && !result_set_line(result, db_rows_text(rows, 0, "result")))
        ok = error_set(err, STATUS_BUG,
                       "the recorded result of batch \"%s\" is no result line; "
                       "report it",
                       batch->id_text);
    db_rows_free(rows);
    return ok;
}

/* Taking hold ---------------------------------------------------------- */

/* Looks once whether somebody alive holds the batch. An older try of the same run key is an orphan
 * of our own launcher: its session is ended, and the next look tells. */
static bool look_for_holder(struct db *db, const struct batch *batch, bool *is_free,
                            struct error *err)
{
    const struct db_value values[] = {{"batch_id", batch->id_text}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_holder, values, err);
    if (!rows)
        return false;
    *is_free = db_rows_count(rows) == 0 || !db_rows_bool(rows, 0, "is_alive");
    bool ok = true;
    if (!*is_free) {
        int64_t try_number = db_rows_int(rows, 0, "try_number");
        bool is_ours = strcmp(db_rows_text(rows, 0, "run_key"), batch->run_key) == 0 &&
                       task_common()->run_key &&
                       strcmp(task_common()->run_key, batch->run_key) == 0;
        if (is_ours && try_number > 0 && task_common()->try_number > try_number) {
            const struct db_value older[] = {
                {"batch_id", batch->id_text}, {"attempt", db_rows_text(rows, 0, "attempt")}, {0}};
            log_event(LOG_WARNING, "takeover", "attempt=%s try=%d",
                      db_rows_text(rows, 0, "attempt"), (int)try_number);
            ok = db_run(db, &sql_etl_end_backend, older, NULL, err);
        }
    }
    db_rows_free(rows);
    return ok;
}

static bool wait_until_free(struct db *db, const struct batch *batch, struct error *err)
{
    int64_t deadline = clock_monotonic() + task_common()->lock_timeout;
    for (;;) {
        bool is_free;
        if (!look_for_holder(db, batch, &is_free, err))
            return false;
        if (is_free)
            return true;
        if (clock_monotonic() >= deadline)
            return error_set(err, STATUS_TEMPORARY,
                             "batch \"%s\" is held by another attempt; try again when it has ended",
                             batch->id_text);
        if (interrupt_wait(-1, 0, POLL_MS, NULL) == INTERRUPT_STOP)
            return error_set(err, STATUS_INTERRUPTED, "interrupted; run the step again");
    }
}

static bool begin_step(struct db *db, struct batch *batch, const char *step, struct error *err)
{
    char attempt[24], try_number[16], host[256];
    const struct db_value id[] = {{"batch_id", batch->id_text}, {0}};
    struct result raised;
    result_init(&raised);
    bool ok = db_run(db, &sql_etl_step_abandon, id, NULL, err) &&
              db_run(db, &sql_etl_attempt_raise, id, &raised, err);
    batch->attempt = result_get_int(&raised, "attempt");
    result_release(&raised);
    if (!ok)
        return false;

    snprintf(attempt, sizeof attempt, "%" PRId64, batch->attempt);
    snprintf(try_number, sizeof try_number, "%d", task_common()->try_number);
    if (gethostname(host, sizeof host) != 0)
        host[0] = '\0'; /* uncovered: the buffer is larger than any host name */
    host[sizeof host - 1] = '\0';
    const char *run_key = task_common()->run_key;
    const struct db_value values[] = {
        {"batch_id", batch->id_text},
        {"attempt", attempt},
        {"step", step},
        {"run_key", run_key ? run_key : batch->run_key},
        {"try_number", try_number},
        {"host", host},
        {0},
    };
    return db_run(db, &sql_etl_step_begin, values, NULL, err);
}

bool batch_hold(struct db *db, struct batch *batch, const char *step, struct error *err)
{
    char id[sizeof batch->id_text];
    memcpy(id, batch->id_text, sizeof id);
    const struct db_value values[] = {{"batch_id", id}, {0}};
    bool is_free = false;
    /* Between the wait and the lock a twin may have taken hold: look again under the lock. */
    while (!is_free) {
        if (!wait_until_free(db, batch, err) || !db_begin(db, err) ||
            !read_batch(db, &sql_etl_batch_lock, values, batch, err) ||
            !look_for_holder(db, batch, &is_free, err))
            return false;
        if (!is_free)
            db_rollback(db);
    }
    if (batch->state == BATCH_COMPLETE || batch->state == BATCH_SUPERSEDED) {
        db_rollback(db);
        return true;
    }
    batch->is_held =
        begin_step(db, batch, step, err) && db_set_label(db, batch->id_text, batch->attempt, err);
    return batch->is_held;
}

/* The data transaction ------------------------------------------------- */

bool batch_enter(struct db *db, struct batch *batch, struct error *err)
{
    int64_t own = batch->attempt;
    const struct db_value values[] = {{"batch_id", batch->id_text}, {0}};
    if (!db_begin(db, err) || !schema_check(db, pipeline_of_workflow(batch->workflow), err))
        return false;
    struct db_rows *rows = db_query(db, &sql_etl_batch_lock, values, err);
    if (!rows)
        return false;
    int64_t attempt = db_rows_int(rows, 0, "attempt");
    enum batch_state state = parse_state(db_rows_text(rows, 0, "state"));
    db_rows_free(rows);
    if (attempt != own || state == BATCH_COMPLETE || state == BATCH_SUPERSEDED)
        return error_set(err, STATUS_TEMPORARY,
                         "attempt %" PRId64
                         " of batch \"%s\" was fenced off by a newer one; run the "
                         "step again to learn its result",
                         own, batch->id_text);
    return true;
}

bool batch_finish(struct db *db, const struct batch *batch, const struct result *result,
                  struct error *err)
{
    char attempt[24];
    snprintf(attempt, sizeof attempt, "%" PRId64, batch->attempt);
    struct str line;
    str_init(&line);
    result_format(result, &line);
    const struct db_value values[] = {
        {"batch_id", batch->id_text},
        {"attempt", attempt},
        {"outcome", result_get_text(result, "status")},
        {"result", line.text},
        {0},
    };
    bool ok = db_run(db, &sql_etl_step_end, values, NULL, err) && db_commit(db, err);
    str_release(&line);
    return ok;
}

void batch_fail(struct db *db, const struct batch *batch, const char *step, const struct error *err)
{
    char attempt[24], status[16];
    struct error unheard = {0};
    db_rollback(db);
    if (!batch->is_held)
        return;
    snprintf(attempt, sizeof attempt, "%" PRId64, batch->attempt);
    snprintf(status, sizeof status, "%d", (int)err->status);
    const struct db_value values[] = {
        {"batch_id", batch->id_text},
        {"attempt", attempt},
        {"step", step},
        {"status", status},
        {"sqlstate", err->sqlstate},
        {"reason", err->message},
        {0},
    };
    /* Best effort: the connection may be the very thing that failed. */
    if (db_begin(db, &unheard) && db_run(db, &sql_etl_batch_failed, values, NULL, &unheard) &&
        db_run(db, &sql_etl_step_failed, values, NULL, &unheard) && db_commit(db, &unheard))
        return;
    db_rollback(db);
}

void batch_report(struct result *result, const struct batch *batch, const char *workflow,
                  const char *status, int64_t started)
{
    result_set_int(result, "schema_version", 1);
    result_set_text(result, "step", task_name());
    result_set_text(result, "workflow", workflow);
    result_set_text(result, "batch_id", batch->id_text);
    result_set_text(result, "status", status);
    result_set_int(result, "attempt", batch->attempt);
    if (batch->id != 0) {
        result_set_time(result, "since", batch->since);
        result_set_time(result, "until", batch->until);
    } else {
        result_set_null(result, "since");
        result_set_null(result, "until");
    }
    result_set_seconds(result, "seconds", clock_monotonic() - started);
}

/* SPDX-License-Identifier: MIT
 *
 * Failures on demand: in place of each call to a server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "etl/reject.h"
#include "etl_world.h"
#include "io/copy.h"

enum strike { STRIKE_NONE, STRIKE_BEFORE, STRIKE_AFTER };

static struct {
    int left;
    bool is_done, has_failed;
} failure;

void world_fail_at(int n, bool is_done)
{
    failure.left = n;
    failure.is_done = is_done;
    failure.has_failed = false;
}

bool world_has_failed(void)
{
    failure.left = 0;
    return failure.has_failed;
}

static struct sql replacement;

void world_replace(const char *name, const char *text)
{
    replacement = (struct sql){.name = name, .text = text};
}

static const struct sql *replaced(const struct sql *sql)
{
    return replacement.name && strcmp(sql->name, replacement.name) == 0 ? &replacement : sql;
}

static enum strike next_strike(void)
{
    if (failure.left == 0 || --failure.left > 0)
        return STRIKE_NONE;
    failure.has_failed = true;
    return failure.is_done ? STRIKE_AFTER : STRIKE_BEFORE;
}

static bool refuse(struct error *err)
{
    return error_set(err, STATUS_TEMPORARY, "struck; run the step again");
}

/* Calls the real function, unless it is struck before, and spoils its answer where it is struck
 * after. */
#define STRUCK(call)                                            \
    do {                                                        \
        enum strike strike = next_strike();                     \
        if (strike == STRIKE_BEFORE)                            \
            return refuse(err);                                 \
        bool ok = call;                                         \
        return ok && strike == STRIKE_AFTER ? refuse(err) : ok; \
    } while (0)

#define STRUCK_POINTER(type, call, release)                 \
    do {                                                    \
        enum strike strike = next_strike();                 \
        type *made = strike == STRIKE_BEFORE ? NULL : call; \
        if (strike == STRIKE_NONE)                          \
            return made;                                    \
        release(made);                                      \
        refuse(err);                                        \
        return NULL;                                        \
    } while (0)

bool __real_db_begin(struct db *db, struct error *err);
bool __wrap_db_begin(struct db *db, struct error *err);
bool __wrap_db_begin(struct db *db, struct error *err)
{
    STRUCK(__real_db_begin(db, err));
}

bool __real_db_begin_snapshot(struct db *db, struct error *err);
bool __wrap_db_begin_snapshot(struct db *db, struct error *err);
bool __wrap_db_begin_snapshot(struct db *db, struct error *err)
{
    STRUCK(__real_db_begin_snapshot(db, err));
}

bool __real_db_commit(struct db *db, struct error *err);
bool __wrap_db_commit(struct db *db, struct error *err);
bool __wrap_db_commit(struct db *db, struct error *err)
{
    STRUCK(__real_db_commit(db, err));
}

bool __real_db_run(struct db *db, const struct sql *sql, const struct db_value *values,
                   struct result *counts, struct error *err);
bool __wrap_db_run(struct db *db, const struct sql *sql, const struct db_value *values,
                   struct result *counts, struct error *err);
bool __wrap_db_run(struct db *db, const struct sql *sql, const struct db_value *values,
                   struct result *counts, struct error *err)
{
    STRUCK(__real_db_run(db, replaced(sql), values, counts, err));
}

bool __real_db_run_schema(struct db *db, const struct sql_schema *schema, struct error *err);
bool __wrap_db_run_schema(struct db *db, const struct sql_schema *schema, struct error *err);
bool __wrap_db_run_schema(struct db *db, const struct sql_schema *schema, struct error *err)
{
    STRUCK(__real_db_run_schema(db, schema, err));
}

struct db_rows *__real_db_query(struct db *db, const struct sql *sql, const struct db_value *values,
                                struct error *err);
struct db_rows *__wrap_db_query(struct db *db, const struct sql *sql, const struct db_value *values,
                                struct error *err);
struct db_rows *__wrap_db_query(struct db *db, const struct sql *sql, const struct db_value *values,
                                struct error *err)
{
    STRUCK_POINTER(struct db_rows, __real_db_query(db, replaced(sql), values, err), db_rows_free);
}

bool __real_db_explain(struct db *db, const struct sql *sql, const struct db_value *values,
                       int *scans, struct error *err);
bool __wrap_db_explain(struct db *db, const struct sql *sql, const struct db_value *values,
                       int *scans, struct error *err);
bool __wrap_db_explain(struct db *db, const struct sql *sql, const struct db_value *values,
                       int *scans, struct error *err)
{
    STRUCK(__real_db_explain(db, sql, values, scans, err));
}

bool __real_db_set_label(struct db *db, const char *batch_id, int64_t attempt, struct error *err);
bool __wrap_db_set_label(struct db *db, const char *batch_id, int64_t attempt, struct error *err);
bool __wrap_db_set_label(struct db *db, const char *batch_id, int64_t attempt, struct error *err)
{
    STRUCK(__real_db_set_label(db, batch_id, attempt, err));
}

struct db *__real_db_open(struct error *err);
struct db *__wrap_db_open(struct error *err);
struct db *__wrap_db_open(struct error *err)
{
    STRUCK_POINTER(struct db, __real_db_open(err), db_close);
}

struct db *__real_db_open_source(const char *spec, struct error *err);
struct db *__wrap_db_open_source(const char *spec, struct error *err);
struct db *__wrap_db_open_source(const char *spec, struct error *err)
{
    STRUCK_POINTER(struct db, __real_db_open_source(spec, err), db_close);
}

struct copy *__real_copy_open(struct db *db, const struct sql *sql, const struct db_value *values,
                              struct error *err);
struct copy *__wrap_copy_open(struct db *db, const struct sql *sql, const struct db_value *values,
                              struct error *err);
struct copy *__wrap_copy_open(struct db *db, const struct sql *sql, const struct db_value *values,
                              struct error *err)
{
    STRUCK_POINTER(struct copy, __real_copy_open(db, sql, values, err), copy_close);
}

bool __real_copy_end(struct copy *copy, int64_t *rows, struct error *err);
bool __wrap_copy_end(struct copy *copy, int64_t *rows, struct error *err);
bool __wrap_copy_end(struct copy *copy, int64_t *rows, struct error *err)
{
    STRUCK(__real_copy_end(copy, rows, err));
}

bool __real_copy_relay(struct copy_stream *streams, size_t count, const struct sql *from_sql,
                       struct db *to, const struct sql *to_sql, int64_t *bytes, struct error *err);
bool __wrap_copy_relay(struct copy_stream *streams, size_t count, const struct sql *from_sql,
                       struct db *to, const struct sql *to_sql, int64_t *bytes, struct error *err);
bool __wrap_copy_relay(struct copy_stream *streams, size_t count, const struct sql *from_sql,
                       struct db *to, const struct sql *to_sql, int64_t *bytes, struct error *err)
{
    STRUCK(__real_copy_relay(streams, count, from_sql, to, to_sql, bytes, err));
}

struct reject_spool *__real_reject_open(struct error *err);
struct reject_spool *__wrap_reject_open(struct error *err);
struct reject_spool *__wrap_reject_open(struct error *err)
{
    STRUCK_POINTER(struct reject_spool, __real_reject_open(err), reject_close);
}

static bool run_with_failure(int n, bool is_done, void (*prepare)(void), bool (*run)(void),
                             void (*check)(void))
{
    prepare();
    world_reconnect();
    world_fail_at(n, is_done);
    bool ok = run();
    if (!world_has_failed()) {
        if (!ok)
            fail_msg("without a failure: %s", world.err.message);
        check();
        return false;
    }
    if (ok)
        fail_msg("call %d failed (%s), and nobody heard it", n, is_done ? "done" : "not done");
    assert_failed(STATUS_TEMPORARY, "struck");
    world_reconnect();
    if (!run())
        fail_msg("after a failure of call %d (%s): %s", n, is_done ? "done" : "not done",
                 world.err.message);
    check();
    return true;
}

void world_run_with_each_failure(void (*prepare)(void), bool (*run)(void), void (*check)(void))
{
    int n = 1;
    while (run_with_failure(n, false, prepare, run, check))
        n++;
    assert_true(n > 1);
    n = 1;
    while (run_with_failure(n, true, prepare, run, check))
        n++;
}

/* SPDX-License-Identifier: MIT
 *
 * What the tests of etl/ share: a migrated warehouse of the program's own on the scratch server, a
 * source database beside it, what the command line would have said, and failures on demand.
 *
 * A test has these lines, each in a comment of its own:
 *
 *   link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot
 *   link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open
 *   link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open
 *   link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open
 */
#ifndef TESTS_INTEGRATION_ETL_WORLD_H
#define TESTS_INTEGRATION_ETL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/task.h"
#include "etl/pipeline.h"
#include "etl/stage.h"
#include "io/db.h"

/* ---- the program ---- */

/* For cmocka: of the whole program, and of each test (everything empty, no options, a new
 * connection in world.db). world_begin_empty makes a database that nobody migrated. */
int world_begin(void **state);
int world_begin_empty(void **state);
int world_end(void **state);
int world_set_up(void **state);
int world_tear_down(void **state);

struct world {
    struct task_common common; /* what task_common() gives */
    const char *task;          /* what task_name() gives */
    struct db *db;
    struct result result; /* of the latest run */
    struct error err;
};
extern struct world world;

/* Removes all batches and what belongs to them; ids begin with 1 again. */
void world_empty_ledger(void);

/* A session more, which the test closes. */
struct db *world_open(void);

/* Closes world.db and opens it anew, as the next try of a step would. */
void world_reconnect(void);

/* Forgets result and error of the run before. */
void world_forget(void);

/* ---- the databases, from outside ---- */

/* Any statements, or a file of them, in the warehouse or in the source. */
void world_sql(const char *text);
void world_source_sql(const char *text);
void world_source_file(const char *path); /* from the root of the tree */

/* The first value as text, "" for NULL or no row. Yours for the next ten calls. */
const char *world_value(const char *text);
void assert_value(const char *text, const char *expected);

/* Makes the source database anew; its SPEC for --source. */
const char *world_make_source(void);

/* A session that a test keeps open beside it, in the warehouse or in the source; handled by number.
 */
int world_session(bool is_source);
void world_session_sql(int session, const char *text);
const char *world_session_value(int session, const char *text); /* as world_value */
/* "bigint, text": the types of what a query gives. */
const char *world_session_types(int session, const char *query);
void world_session_send(int session, const char *text); /* does not wait */
void world_session_close(int session);

/* Waits until SELECT CONDITION is true in the warehouse. */
void world_wait(const char *condition);

/* ---- the steps ---- */

/* A file with this text; its path is good to the program's end. */
const char *world_file(const char *text);

/* Options of load-staging as by default, with one source. */
struct stage_options world_options(const char *source);

/* Runs a step of a feed into world.result and world.err. */
bool world_stage(const char *feed, struct stage_options options);
bool world_transform(const char *feed);

/* The same, and fails the test unless it worked with this status. */
void world_load(const char *feed, const char *source, const char *status);
void world_move(const char *feed, const char *batch_id, const char *status);

const char *world_status(void);        /* of world.result */
const char *world_batch_id(void);      /* of world.result, good to the test's end */
int64_t world_count(const char *name); /* of world.result */
void assert_failed(enum status status, const char *part); /* of world.err */

/* ---- failures ---- */

/* The n-th call to a server from now on fails: before it is done, or when it is done, as where the
 * answer is lost. */
void world_fail_at(int n, bool is_done);

/* From now on the query of this name is answered by another text without parameters; NULL for all
 * as they are. */
void world_replace(const char *name, const char *text);

/* Whether it was reached; no failure is due after this. */
bool world_has_failed(void);

/*
 * Runs a step with its 1st, 2nd, ... call failing, until it needs no more calls. Before each:
 * prepare. A failure must be told; then the step is run again, as the next try would, and must
 * succeed; then check.
 */
void world_run_with_each_failure(void (*prepare)(void), bool (*run)(void), void (*check)(void));

#endif

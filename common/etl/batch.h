/* SPDX-License-Identifier: MIT
 *
 * Identity, window, attempt and state of a batch. Every step goes:
 *
 *   batch_find           plain reads: who am I, am I done already?
 *   batch_hold           short transaction: raise the attempt (the fencing token), leave a trace
 *   batch_enter          data transaction begins: schema held, row locked, attempt compared
 *   ... the work ...
 *   batch_finish         state and result in the same transaction, COMMIT
 *   batch_fail           instead: a short transaction that records why
 *
 * A kill before batch_finish leaves the warehouse as it was, but for an open step row; a kill after
 * it leaves a finished step, which the retry answers from. The rules are DESIGN.md, part 5.
 */
#ifndef ETL_BATCH_H
#define ETL_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/result.h"
#include "io/db.h"

enum batch_state { BATCH_OPEN, BATCH_STAGED, BATCH_COMPLETE, BATCH_FAILED, BATCH_SUPERSEDED };

/* What the ledger says. Texts are owned; batch_release frees them. */
struct batch {
    int64_t id; /* 0: there is none yet */
    char id_text[24];
    char *workflow, *run_key, *fingerprint;
    int64_t generation;
    bool is_backfill;
    int64_t since, until;
    int64_t read_number;
    enum batch_state state;
    int64_t attempt; /* the latest; ours where is_held */
    bool is_held;    /* by us, since batch_hold */
    bool own_times;
    bool is_staged; /* was staged at least once */
    int64_t rows_staged;
};

void batch_release(struct batch *batch); /* accepts an empty one, leaves it empty */

/* The warehouse's clock: "now" for whatever has no server of its own. */
bool batch_clock(struct db *db, int64_t *clock, struct error *err);

/* The run key in force: --run-key or the launcher's, else a new one from the server. Yours to free.
 */
char *batch_run_key(struct db *db, struct error *err);

/* Finds the batch that --batch-id (id) names, else that of the run key (run_key, may be NULL);
 * batch->id stays 0 where the run key has none. STATUS_USAGE: unknown id, or a batch of another
 * workflow. */
bool batch_find(struct db *db, const char *workflow, const char *id, const char *run_key,
                struct batch *batch, struct error *err);

/* Goes on to the latest generation of the batch's run key, where there is a batch. */
bool batch_find_latest(struct db *db, struct batch *batch, struct error *err);

/* Reads it again. */
bool batch_refresh(struct db *db, struct batch *batch, struct error *err);

/* Opens a batch or finds the one that a twin opened meanwhile (*is_new false). batch gives
 * workflow, run_key, generation, fingerprint, is_backfill, since, until, own_times, and is filled.
 * Runs in the caller's transaction. */
bool batch_open(struct db *db, struct batch *batch, bool *is_new, struct error *err);

/* Puts the line into *result that the finished step printed. *is_done false: it did not
 * finish yet. */
bool batch_earlier_result(struct db *db, const struct batch *batch, const char *step,
                          struct result *result, bool *is_done, struct error *err);

/*
 * Begins the short transaction: waits (bounded) while a living holder is there, unless it is
 * an older try of the same run key, whose session is ended; locks the row; raises the
 * attempt; writes the step row. *batch is refreshed. The caller adds what belongs here and calls
 * db_commit. Where the batch was completed or superseded meanwhile, nothing is raised, the
 * transaction is closed, batch->is_held is false and batch->state tells.
 */
bool batch_hold(struct db *db, struct batch *batch, const char *step, struct error *err);

/* Begins the data transaction. 75 where a newer attempt fenced ours off. */
bool batch_enter(struct db *db, struct batch *batch, struct error *err);

/* Ends the step with its result, which names the outcome by its "status", and commits. */
bool batch_finish(struct db *db, const struct batch *batch, const struct result *result,
                  struct error *err);

/* After a failure: rolls back and, where the batch is held, the attempt still ours and the server
 * there, records *err. */
void batch_fail(struct db *db, const struct batch *batch, const char *step,
                const struct error *err);

/* The names that every line has, in order; counts follow. started: clock_monotonic at the start. */
void batch_report(struct result *result, const struct batch *batch, const char *workflow,
                  const char *status, int64_t started);

#endif

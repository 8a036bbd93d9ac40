/* SPDX-License-Identifier: MIT
 *
 * Running the declared statements of a procedure, in order.
 */
#ifndef ETL_STEP_H
#define ETL_STEP_H

#include "etl/pipeline.h"
#include "io/db.h"

/* Runs the statements of a list, which ends with {0} and may be NULL, in the caller's transaction,
 * and adds the counts that they return to *counts. */
bool step_run_all(struct db *db, const struct pipeline_step *steps, const struct db_value *values,
                  struct result *counts, struct error *err);

/* The same, each statement in a transaction of its own. */
bool step_run_apart(struct db *db, const struct pipeline_step *steps, const struct db_value *values,
                    struct result *counts, struct error *err);

/* Takes turns with the other writers of target, until the transaction ends. */
bool step_lock_target(struct db *db, const char *target, struct error *err);

/* --dry-run: shows a statement and its plan on standard error and does not run it; *scans counts
 * the sequential scans in it. */
bool step_show(struct db *db, const struct sql *sql, const struct db_value *values, int *scans,
               struct error *err);
bool step_show_all(struct db *db, const struct pipeline_step *steps, const struct db_value *values,
                   struct error *err);

/* Copies the named counts, in order, from *counts to *result; 0 where there is none. names ends
 * with NULL. */
void step_report(struct result *result, const struct result *counts, const char *const *names);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Deriving from facts by units (courses), so that one that cannot be computed does not stop the
 * others: it is written to etl.pending_unit as its batches are consumed, keeps what was derived
 * before, and is computed whole by the next run. Only what the data causes is a unit's own
 * failure; a lost session or a deadlock fails the step as ever.
 */
#ifndef ETL_UNIT_H
#define ETL_UNIT_H

#include "etl/pipeline.h"
#include "io/db.h"

/* Whether earlier runs of the workflow left units behind. */
bool unit_has_pending(struct db *db, const char *workflow, bool *has, struct error *err);

/*
 * Runs derivation->all or ->changed in the caller's transaction: all units at once, each alone
 * where that fails; then the pending ones, each alone and whole. values: those of the steps, with
 * batch_id, consumer and is_all, and "units" last. batch_id 0 is a repair's, which notes no unit
 * that is broken.
 */
bool unit_run(struct db *db, const struct derivation *derivation, bool is_all,
              struct db_value *values, struct result *counts, struct error *err);

/* The same for one unit, whole. */
bool unit_run_one(struct db *db, const struct derivation *derivation, const char *unit,
                  struct db_value *values, struct result *counts, struct error *err);

#endif

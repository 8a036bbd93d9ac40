/* SPDX-License-Identifier: MIT
 *
 * Creates or upgrades the schema: the ledger's files, then each pipeline's, in order, all in one
 * transaction with the record of them; then enters the compiled-in workflows. One at a time,
 * and not while a data transaction runs: both bounded by --lock-timeout. Files that
 * rewrite or index large tables wait for a run that asks for their phase.
 */
#ifndef ETL_MIGRATE_H
#define ETL_MIGRATE_H

#include "base/result.h"
#include "io/db.h"

/* phase: NULL for all but the slow files, "slow" for these too. */
bool migrate_run(struct db *db, const char *phase, struct result *result, struct error *err);

#endif

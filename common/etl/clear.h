/* SPDX-License-Identifier: MIT
 *
 * The task clear-staging: drops what no step needs any more. Staging of batches that are complete,
 * superseded or older than the retention; change log rows that every registered consumer
 * has consumed; rejects past theirs. A batch not complete whose staging went is staged again by
 * load-staging: the count in the ledger tells. Nobody waits for staging that is in use; it goes
 * with the next run.
 */
#ifndef ETL_CLEAR_H
#define ETL_CLEAR_H

#include "base/result.h"
#include "io/db.h"

/* workflow NULL: all. Durations in microseconds. */
bool clear_run(struct db *db, const char *workflow, int64_t keep_staging, int64_t keep_rejects,
               struct result *result, struct error *err);

#endif

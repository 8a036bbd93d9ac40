/* SPDX-License-Identifier: MIT
 *
 * The task batch-status: how the workflows stand, as a table or a document, and the freshness gate.
 * Reads only.
 */
#ifndef ETL_STATUS_H
#define ETL_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "io/db.h"

/* workflow NULL: all that were ever used. max_lag in microseconds, -1 for no gate: STATUS_STALE
 * where one is older or has never completed; the document is in *result then, too. */
bool status_run(struct db *db, const char *workflow, bool is_json, int64_t max_lag,
                struct result *result, struct error *err);

#endif

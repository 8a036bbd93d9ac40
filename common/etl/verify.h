/* SPDX-License-Identifier: MIT
 *
 * A derived table against its definition, recomputed from all facts in one snapshot.
 * Keys of batches that are not consumed yet count as pending, not as drift. Drift that is
 * left is STATUS_DATA. A repair takes the lock of the step and writes the table whole.
 */
#ifndef ETL_VERIFY_H
#define ETL_VERIFY_H

#include "etl/pipeline.h"
#include "io/db.h"

bool verify_run(struct db *db, const struct verification *verification, bool is_repair,
                struct result *result, struct error *err);

#endif

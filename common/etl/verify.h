/* SPDX-License-Identifier: MIT
 *
 * A derived table against its definition, recomputed from all facts in one snapshot.
 * Keys of batches that are not consumed yet count as pending, not as drift. Drift that is
 * left is STATUS_DATA. A repair takes the lock of the step and writes the table whole.
 *
 * Or against another system's export of the same table, while both run side by side. Why rows
 * differ is counted in a table on standard error, without a key of any row. What the other system's
 * known flaws explain is no failure; STATUS_DATA is what nothing explains.
 */
#ifndef ETL_VERIFY_H
#define ETL_VERIFY_H

#include "etl/pipeline.h"
#include "io/db.h"

bool verify_run(struct db *db, const struct verification *verification, bool is_repair,
                struct result *result, struct error *err);

/* The other system's rows are in the file; its format goes by the suffix. All of them must be
 * readable: STATUS_DATA, and a warning says where. differences, unless NULL, is made a CSV file of
 * the keys that differ, readable by its owner alone. Changes nothing in the warehouse. Of the
 * counts, rows_missing are in the file alone, rows_extra in the table alone, and rows_explained how
 * many of all that differ have a known reason. */
bool verify_against(struct db *db, const struct verification *verification, const char *file,
                    const char *differences, struct result *result, struct error *err);

#endif

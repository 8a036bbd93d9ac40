/* SPDX-License-Identifier: MIT
 *
 * The steps that derive a table from facts: all complete batches that the consumer has
 * not consumed yet, by the keys in their change logs. Consumption is recorded first, in the same
 * transaction: what completes meanwhile is left for the next run, which may see its facts already
 * and finds them unchanged then. The first run, and --force, start from all facts.
 */
#ifndef ETL_DERIVE_H
#define ETL_DERIVE_H

#include "etl/pipeline.h"
#include "io/db.h"

struct derive_options {
    int64_t from, to; /* batches whose window ends in (from, to], consumed or not; where is_range */
    bool is_range;
    const char *unit; /* recompute this one alone, and consume nothing; NULL: what there is to do */
    int64_t as_of;    /* where has_as_of: what steps read as $as_of */
    bool has_as_of;
};

bool derive_run(struct db *db, const struct derivation *derivation,
                const struct derive_options *options, struct result *result, struct error *err);

#endif

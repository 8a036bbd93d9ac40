/* SPDX-License-Identifier: MIT
 *
 * The steps transform-dim and transform-fact: one staged batch into its dimension or fact. Inferred
 * members and partitions come first, each in a short transaction; then all else in one. Only
 * what changed is written, so a second run changes nothing; staging that does not match the
 * recorded count fails with STATUS_DATA and never completes a batch.
 */
#ifndef ETL_TRANSFORM_H
#define ETL_TRANSFORM_H

#include "etl/pipeline.h"
#include "io/db.h"

/* Values that some statements read; zeroed: none. */
struct transform_options {
    const char *activity_types; /* kinds of records that count as activity; NULL: all */
};

/* batch_id as handover_find gives it: NULL is the run key's batch, "" that there is none to
 * transform. */
bool transform_run(struct db *db, const struct feed *feed, const char *batch_id,
                   struct result *result, struct error *err);
bool transform_run_with(struct db *db, const struct feed *feed, const char *batch_id,
                        const struct transform_options *options, struct result *result,
                        struct error *err);

#endif

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

/* batch_id as handover_find gives it: NULL is the run key's batch, "" that there is none to
 * transform. */
bool transform_run(struct db *db, const struct feed *feed, const char *batch_id,
                   struct result *result, struct error *err);

#endif

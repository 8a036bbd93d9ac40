/* SPDX-License-Identifier: MIT
 *
 * Whether this binary and the warehouse's schema fit. Each component (the
 * ledger, "etl", and each pipeline) has numbered schema files; a binary works on a
 * schema that has all of the files it was built with, and on a newer one whose
 * works_from is not above its own number.
 */
#ifndef ETL_SCHEMA_H
#define ETL_SCHEMA_H

#include "etl/pipeline.h"
#include "io/db.h"

/* The greatest number of a list of schema files. */
int schema_number(const struct sql_schema *const *files);

/* Fails with STATUS_CONFIG where the schema is missing, too old or too new. Inside of a transaction
 * it holds the schema shared until the end. */
bool schema_check(struct db *db, const struct pipeline *pipeline, struct error *err);

#endif

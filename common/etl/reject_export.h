/* SPDX-License-Identifier: MIT
 *
 * Writing the open rejects of a feed to a file, for repair by hand. The file is
 * read with load-staging again; the rejects themselves stay until clear-staging
 * finds them too old.
 */
#ifndef ETL_REJECT_EXPORT_H
#define ETL_REJECT_EXPORT_H

#include "etl/pipeline.h"
#include "io/db.h"

/* Writes one record a line to path, readable by its owner alone, whole or not at all (temporary
 * file, rename), and not in a dry run: those of tables of that format, under their header, where
 * format (NULL: the path's suffix) says csv or tsv, else the documents; of one batch alone where
 * the task is given --batch-id, which batch_find must find. STATUS_DATA where tables have different
 * headers. Records that were cut for their length are left out. */
bool reject_export(struct db *db, const struct feed *feed, const char *path, const char *format,
                   struct result *result, struct error *err);

#endif

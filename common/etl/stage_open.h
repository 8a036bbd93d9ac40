/* SPDX-License-Identifier: MIT
 *
 * Opening the batch of a load, or finding out that there is nothing to read yet. Part of etl/stage.
 */
#ifndef ETL_STAGE_OPEN_H
#define ETL_STAGE_OPEN_H

#include "etl/stage_read.h"

/* What a batch is marked with that is opened for an extract of another program. */
#define STAGE_EXTRACT "extract"

/* The same for a list of keys; all fingerprints of such lists begin so. */
#define STAGE_KEYS "keys"

/* What makes two calls the same work: feed, sources, format, explicit window. Yours to free. */
char *stage_fingerprint(const struct stage *stage);

/* Whether the batch waits for the extract of another program, of records or of keys. */
bool stage_is_extract(const struct batch *batch);

/* STATUS_USAGE where the batch was opened for other work. An extract's takes any files. */
bool stage_check_fingerprint(const struct stage *stage, const char *fingerprint, struct error *err);

/* The sources' windows as the batch was opened with; STATUS_USAGE where it knows none of one. */
bool stage_restore(struct stage *stage, struct error *err);

/* Notes the files of an extract, which are known only now, in the caller's transaction. */
bool stage_record_files(struct stage *stage, struct error *err);

/* How far the end of the batch's window is behind a clock; 0 where the next does not follow on. */
int64_t stage_behind(const struct stage *stage, int64_t clock);

/* What a replay's source is called. */
#define STAGE_REJECTS "rejects"

/* One source without a specification: whatever program extracts, or the rejects. */
void stage_name_source(struct source_list *list, const char *identity);

/* Chooses the window and opens the batch of the run key's generation. Where there is nothing to
 * read yet, *window says why, no batch is opened and *is_opened is false. */
bool stage_open(struct stage *stage, const char *run_key, int64_t generation,
                const char *fingerprint, struct window *window, bool *is_opened, struct error *err);

#endif

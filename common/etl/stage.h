/* SPDX-License-Identifier: MIT
 *
 * The step load-staging: opens the batch, reads its window from the source and fills
 * staging.<feed>, all in one transaction, so that a kill leaves the staging of before. A
 * second run answers from the ledger while the batch is complete or its staging is whole, else it
 * stages the same window again with a new read number.
 */
#ifndef ETL_STAGE_H
#define ETL_STAGE_H

#include "etl/pipeline.h"
#include "etl/source.h"

struct stage_options {
    struct task_list sources;
    const char *format; /* "ndjson"; NULL: by suffix */
    struct window_options window;
    const char *max_rejects;    /* NULL: the default budget */
    const char *max_record;     /* NULL: 16MiB */
    int64_t expect_rows;        /* -1: any */
    const char *crawler_agents; /* programs whose records are skipped; NULL: none */
    int64_t jobs;               /* sessions that read a server at once: etl/stage_jobs.h */
    bool open_window;           /* only open the batch: another program extracts */
    bool replay_rejects;        /* read the feed's open rejects once more, as a backfill */
    bool reconcile;             /* the input is the complete list of keys: etl/stage_reconcile.h */
};

/* Checks what can be checked without the warehouse: STATUS_USAGE. */
bool stage_check(const struct feed *feed, const struct stage_options *options, struct error *err);

/* The same of --format alone, which may be NULL. */
bool stage_check_format(const char *format, struct error *err);

bool stage_run(struct db *db, const struct feed *feed, struct stage_options *options,
               struct result *result, struct error *err);

#endif

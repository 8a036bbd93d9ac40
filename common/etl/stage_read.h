/* SPDX-License-Identifier: MIT
 *
 * Reading the sources of a batch into staging, inside of its data transaction. Part of etl/stage.
 */
#ifndef ETL_STAGE_READ_H
#define ETL_STAGE_READ_H

#include "base/clock.h"
#include "etl/reject.h"
#include "etl/stage.h"

struct stage_counts {
    int64_t read, staged, rejected, skipped, bytes;
};

/* What a load works with; the procedure of etl/stage fills it. */
struct stage {
    struct db *db;
    const struct feed *feed;
    const struct stage_options *options;
    struct batch *batch;
    struct source_list sources;
    struct reject_budget budget;
    struct reject_spool *rejects; /* of files */
    int64_t max_record;
    bool is_filtered;   /* an explicit window filters files */
    bool names_rejects; /* the log has line, column and reason of the first rejects */
    struct stage_counts counts;
};

/* Behind the last page that a table may have. */
#define STAGE_PAGES_END INT64_C(4294967295)

/* What the feed's source statements are bound to. */
struct stage_bound {
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE], clock[CLOCK_TEXT_SIZE];
    char first_page[24], end_page[24];
    struct db_value values[8];
};
void stage_bind(const struct stage *stage, const struct source *source, struct stage_bound *to);

enum stage_format { STAGE_NDJSON, STAGE_CSV, STAGE_TSV, STAGE_NO_FORMAT };

/* By the option, else by the suffix before .gz or .zst, else NDJSON. STAGE_NO_FORMAT: format names
 * none. */
enum stage_format stage_format(const char *format, const char *path);

/* Copies the records of all files into the table of the feed's COPY, and counts the rejects,
 * which are spooled. */
bool stage_copy_files(struct stage *stage, struct error *err);

/* Files, and servers that send documents: record by record through etl/field. Over budget:
 * STATUS_DATA. */
bool stage_read_files(struct stage *stage, struct error *err);

/* Binds a part of the source's table instead of all of it: pages from first on, before end. */
void stage_bind_pages(struct stage_bound *bound, int64_t first, int64_t end);

/* Servers: COPY out of each snapshot into staging, then what does not pass the checks into the
 * rejects. */
bool stage_read_servers(struct stage *stage, struct error *err);

/* After the data transaction was rolled back for too many rejects: writes the first REJECT_SAMPLE
 * of them, in the caller's transaction. The snapshots are still open. */
bool stage_keep_sample(struct stage *stage, struct error *err);

/* --dry-run: shows the windows, statements and plans on standard error; points out sequential
 * scans. */
bool stage_show_plan(struct stage *stage, struct error *err);

#endif

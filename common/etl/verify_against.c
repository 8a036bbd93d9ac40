/* SPDX-License-Identifier: MIT
 *
 * A derived table beside another system's export of the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/task.h"
#include "etl/schema.h"
#include "etl/stage_read.h"
#include "etl/step.h"
#include "etl/verify.h"

#define MAX_RECORD (16 * 1024 * 1024)
#define TABLE_ROW "%12" PRId64 "  %-9s  %-13s  %s\n" /* rows, difference, what, reason */

static const char *const count_names[] = {
    "rows_checked", "rows_missing",  "rows_extra",     "rows_different",
    "rows_pending", "rows_repaired", "rows_explained", NULL};

/* Reads the export into the staging table of the comparison. */
static bool read_export(struct db *db, const struct feed *records, const char *path,
                        struct error *err)
{
    struct batch none = {.workflow = NULL};
    struct source file = {.spec = path, .identity = NULL};
    const struct stage_options by_suffix = {.format = NULL};
    struct stage stage = {.db = db,
                          .feed = records,
                          .options = &by_suffix,
                          .batch = &none,
                          .sources = {.items = &file, .count = 1},
                          .budget = {.is_percent = true, .percent = 100}, /* judged below */
                          .max_record = MAX_RECORD,
                          .names_rejects = true};
    bool ok = stage_copy_files(&stage, err);
    if (ok && stage.counts.rejected > 0)
        ok = error_set(err, STATUS_DATA,
                       "%" PRId64 " of %" PRId64 " rows of the file cannot be read; the warnings "
                       "in the log tell the first of them",
                       stage.counts.rejected, stage.counts.read);
    reject_close(stage.rejects);
    free(file.table_header);
    return ok;
}

/* A row of the summary: keys of a kind of difference, or why some of them differ. */
static void take_row(const struct db_rows *rows, size_t row, struct result *counts)
{
    char name[64];
    int64_t number = db_rows_int(rows, row, "rows");
    const char *difference = db_rows_text(rows, row, "difference");
    const char *what = db_rows_text(rows, row, "what");
    const char *reason = db_rows_text(rows, row, "reason");
    if (what) {
        fprintf(stderr, TABLE_ROW, number, difference, what, reason ? reason : "UNEXPLAINED");
        return;
    }
    snprintf(name, sizeof name, "rows_%s", difference);
    result_add(counts, name, number);
    result_add(counts, "rows_checked", number);
    if (db_rows_bool(rows, row, "is_explained"))
        result_add(counts, "rows_explained", number);
}

static bool summarize(struct db *db, const struct sql *summary, struct result *counts,
                      struct error *err)
{
    struct db_rows *rows = db_query(db, summary, NULL, err);
    if (!rows)
        return false;
    for (size_t row = 0; row < db_rows_count(rows); row++)
        take_row(rows, row, counts);
    db_rows_free(rows);
    return true;
}

static bool write_differences(struct db *db, const struct sql *differences, const char *path,
                              struct error *err)
{
    struct output_file file;
    const char *bytes;
    size_t length;
    int64_t rows;
    bool ok;
    if (!output_file_open(&file, path, "look at the folder and its space", err))
        return false;
    ok = db_copy_out(db, differences, NULL, err);
    while (ok && (ok = db_copy_get(db, &bytes, &length, err)) && length > 0)
        ok = output_file_add(&file, bytes, length, err);
    ok = ok && db_copy_out_end(db, &rows, err);
    return output_file_close(&file, ok, err);
}

static bool judge(const struct result *counts, struct error *err)
{
    int64_t differ = result_get_int(counts, "rows_missing") + result_get_int(counts, "rows_extra") +
                     result_get_int(counts, "rows_different");
    int64_t unexplained = differ - result_get_int(counts, "rows_explained");
    return unexplained == 0 ||
           error_set(err, STATUS_DATA,
                     "%" PRId64 " rows differ and nothing known explains it; look at the table "
                     "above, and at the file of --differences",
                     unexplained);
}

bool verify_against(struct db *db, const struct verification *verification, const char *file,
                    const char *differences, struct result *result, struct error *err)
{
    int64_t started = clock_monotonic();
    const struct batch none = {0};
    const struct comparison *comparison = verification->comparison;
    struct result counts;
    result_init(&counts);
    bool ok = db_begin(db, err) &&
              schema_check(db, pipeline_of_workflow(verification->derivation->workflow), err) &&
              read_export(db, comparison->records, file, err) &&
              summarize(db, comparison->summary, &counts, err) &&
              (!differences || task_common()->dry_run ||
               write_differences(db, comparison->rows, differences, err)) &&
              judge(&counts, err);
    db_rollback(db);
    if (ok) {
        batch_report(result, &none, verification->derivation->workflow, "done", started);
        step_report(result, &counts, count_names);
    }
    result_release(&counts);
    return ok;
}

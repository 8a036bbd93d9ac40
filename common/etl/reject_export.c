/* SPDX-License-Identifier: MIT */
#include "etl/reject_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/str.h"
#include "base/task.h"
#include "etl/batch.h"
#include "etl/reject.h"
#include "etl/schema.h"
#include "etl/stage_read.h"
#include "etl_sql.h"

/* An export on its way. */
struct export
{
    struct db *db;
    struct output_file *file;
    const char *feed, *format;
    struct str header; /* of the tables, which all have the same */
    int64_t last;      /* the id that was written last */
};

static bool write_line(struct export *export, const struct str *line, struct error *err)
{
    return output_file_add(export->file, line->text, line->length, err) &&
           output_file_add(export->file, "\n", 1, err);
}

/* Before the first record of a table its header, which the others must share. */
static bool write_header(struct export *export, const char *header, struct error *err)
{
    if (export->last == 0) {
        str_add_text(&export->header, header);
        return write_line(export, &export->header, err);
    }
    return strcmp(export->header.text, header) == 0 ||
           error_set(err, STATUS_DATA,
                     "the rejects come from tables with different headers; pass --batch-id to "
                     "export those of one batch");
}

/* Whether --batch-id, where it is given, names a batch of the feed. */
static bool check_batch(struct db *db, const char *feed, struct error *err)
{
    struct batch batch = {0};
    bool ok = batch_find(db, feed, task_common()->batch_id, NULL, &batch, err);
    batch_release(&batch);
    return ok;
}

/* One helping of records; *count 0 is the end. */
static bool write_page(struct export *export, size_t *count, struct error *err)
{
    char after[24];
    struct str line;
    snprintf(after, sizeof after, "%" PRId64, export->last);
    const struct db_value values[] = {
        {"feed", export->feed},     {"after_id", after},
        {"format", export->format}, {"batch_id", task_common()->batch_id},
        {"replay_id", NULL},        {0}};
    struct db_rows *rows = db_query(export->db, &sql_etl_reject_page, values, err);
    if (!rows)
        return false;
    bool ok = true;
    *count = db_rows_count(rows);
    str_init(&line);
    for (size_t row = 0; row < *count && ok; row++) {
        const char *header = db_rows_text(rows, row, "header");
        str_clear(&line);
        reject_add_bytes(db_rows_text(rows, row, "bytes"), &line);
        ok = (!header || write_header(export, header, err)) && write_line(export, &line, err);
        export->last = db_rows_int(rows, row, "id");
    }
    str_release(&line);
    db_rows_free(rows);
    return ok;
}

/* Writes all of them; *written counts. */
static bool write_file(struct db *db, const char *feed, const char *path, const char *format,
                       int64_t *written, struct error *err)
{
    static const char *const formats[] = {
        [STAGE_NDJSON] = "ndjson", [STAGE_CSV] = "csv", [STAGE_TSV] = "tsv"};
    size_t count = 1;
    struct output_file file;
    if (!output_file_open(&file, path, "look at the folder and its space", err))
        return false;
    struct export export = {
        .db = db, .file = &file, .feed = feed, .format = formats[stage_format(format, path)]};
    bool ok = true;
    str_init(&export.header);
    for (*written = 0; ok && count > 0; *written += (int64_t)count)
        ok = write_page(&export, &count, err);
    str_release(&export.header);
    return output_file_close(&file, ok, err);
}

bool reject_export(struct db *db, const struct feed *feed, const char *path, const char *format,
                   struct result *result, struct error *err)
{
    int64_t started = clock_monotonic(), written = 0;
    const struct batch none = {0};
    static const char *const counts[] = {
        "rows_read",      "rows_staged", "rows_rejected", "rows_skipped", "bytes_read",
        "behind_seconds", NULL};
    if (!schema_check(db, pipeline_of_workflow(feed->name), err) ||
        !check_batch(db, feed->name, err))
        return false;
    bool ok = task_common()->dry_run || write_file(db, feed->name, path, format, &written, err);
    if (ok) {
        batch_report(result, &none, feed->name, written > 0 ? "done" : "nothing-to-do", started);
        for (const char *const *name = counts; *name; name++)
            result_set_int(result, *name, 0);
        result_set_int(result, "rows_exported", written);
    }
    return ok;
}

/* SPDX-License-Identifier: MIT */
#include "etl/reject_export.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/str.h"
#include "etl/batch.h"
#include "etl/reject.h"
#include "etl/schema.h"
#include "etl/stage_read.h"
#include "etl_sql.h"

/* One helping of records; *count 0 is the end. */
static bool write_page(struct db *db, const char *feed, bool is_table, FILE *file, int64_t *last,
                       size_t *count, struct error *err)
{
    char after[24];
    struct str line;
    snprintf(after, sizeof after, "%" PRId64, *last);
    const struct db_value values[] = {
        {"feed", feed}, {"after_id", after}, {"is_table", is_table ? "true" : "false"}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_reject_page, values, err);
    if (!rows)
        return false;
    bool ok = true;
    *count = db_rows_count(rows);
    str_init(&line);
    for (size_t row = 0; row < *count && ok; row++) {
        str_clear(&line);
        reject_add_bytes(db_rows_text(rows, row, "bytes"), &line);
        str_add_char(&line, '\n');
        ok = fwrite(line.text, 1, line.length, file) == line.length;
        *last = db_rows_int(rows, row, "id");
    }
    if (!ok)
        error_set(err, STATUS_IO, "could not write the rejects; look at the space of the folder");
    str_release(&line);
    db_rows_free(rows);
    return ok;
}

/* Writes all of them; *written counts. */
static bool write_file(struct db *db, const char *feed, const char *path, int64_t *written,
                       struct error *err)
{
    bool is_table = stage_format(NULL, path) != STAGE_NDJSON;
    int64_t last = 0;
    size_t count = 1;
    struct output_file file;
    if (!output_file_open(&file, path, err))
        return false;
    bool ok = true;
    for (*written = 0; ok && count > 0; *written += (int64_t)count)
        ok = write_page(db, feed, is_table, file.stream, &last, &count, err);
    return output_file_close(&file, ok, err);
}

bool reject_export(struct db *db, const struct feed *feed, const char *path, struct result *result,
                   struct error *err)
{
    int64_t started = clock_monotonic(), written = 0;
    const struct batch none = {0};
    static const char *const counts[] = {
        "rows_read",      "rows_staged", "rows_rejected", "rows_skipped", "bytes_read",
        "behind_seconds", NULL};
    if (!schema_check(db, pipeline_of_workflow(feed->name), err))
        return false;
    bool ok = write_file(db, feed->name, path, &written, err);
    if (ok) {
        batch_report(result, &none, feed->name, written > 0 ? "done" : "nothing-to-do", started);
        for (const char *const *name = counts; *name; name++)
            result_set_int(result, *name, 0);
        result_set_int(result, "rows_exported", written);
    }
    return ok;
}

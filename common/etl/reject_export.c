/* SPDX-License-Identifier: MIT */
#include "etl/reject_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "etl/batch.h"
#include "etl/reject.h"
#include "etl/schema.h"
#include "etl/stage_read.h"
#include "etl_sql.h"

static bool failed(const char *path, struct error *err)
{
    return error_set(err, STATUS_IO,
                     "could not write file \"%s\"; look at the folder and its space", path);
}

/* One helping of records; *count 0 is the end. */
static bool write_page(struct db *db, const char *feed, bool is_table, FILE *file, int64_t *last,
                       size_t *count, struct error *err)
{
    char after[24];
    struct str line;
    snprintf(after, sizeof after, "%" PRId64, *last);
    const struct db_value values[] = {{"feed", feed},
                                      {"after_id", after},
                                      {"is_table", is_table ? "true" : "false"},
                                      {"batch_id", NULL},
                                      {0}};
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

/* Writes all to the temporary file and gives it its name. */
static bool write_file(struct db *db, const char *feed, const char *path, char *temporary,
                       int64_t *written, struct error *err)
{
    enum stage_format format = stage_format(NULL, path);
    int descriptor = mkstemp(temporary);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (!file)
        return failed(path, err);
    int64_t last = 0;
    size_t count = 1;
    bool ok = true;
    for (*written = 0; ok && count > 0; *written += (int64_t)count)
        ok = write_page(db, feed, format != STAGE_NDJSON, file, &last, &count, err);
    bool is_kept = fflush(file) == 0 && fsync(descriptor) == 0;
    is_kept = fclose(file) == 0 && is_kept;
    if (ok && (!is_kept || rename(temporary, path) != 0))
        ok = failed(path, err);
    if (!ok)
        unlink(temporary);
    return ok;
}

bool reject_export(struct db *db, const struct feed *feed, const char *path, struct result *result,
                   struct error *err)
{
    int64_t started = clock_monotonic(), written = 0;
    const struct batch none = {0};
    static const char *const counts[] = {
        "rows_read",      "rows_staged", "rows_rejected", "rows_skipped", "bytes_read",
        "behind_seconds", NULL};
    struct str temporary;
    if (!schema_check(db, pipeline_of_workflow(feed->name), err))
        return false;
    str_init(&temporary);
    str_add_format(&temporary, "%s.XXXXXX", path);
    bool ok = write_file(db, feed->name, path, temporary.text, &written, err);
    str_release(&temporary);
    if (ok) {
        batch_report(result, &none, feed->name, written > 0 ? "done" : "nothing-to-do", started);
        for (const char *const *name = counts; *name; name++)
            result_set_int(result, *name, 0);
        result_set_int(result, "rows_exported", written);
    }
    return ok;
}

/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "etl/stage_file.h"
#include "etl_sql.h"

/* Opens the table that a reject comes from, unless it is the one of the reject before. Where the
 * feed wants other columns by now, its records are rejects still, and others are read. */
static void open_table(struct stage_reading *reading, const char *format, const char *header)
{
    struct error unheard = {0};
    enum csv_dialect dialect = strcmp(format, "tsv") == 0 ? CSV_TAB : CSV_COMMA;
    struct str wanted;
    str_init(&wanted);
    str_add_format(&wanted, "%s:%s", format, header);
    bool is_same = reading->header.length > 0 && strcmp(reading->header.text, wanted.text) == 0;
    if (is_same) {
        str_release(&wanted);
        return;
    }
    str_release(&reading->header);
    reading->header = wanted;
    csv_close(reading->table);
    reading->table = csv_open_kept(header, strlen(header), dialect, &unheard);
    if (reading->table && !field_bind_columns(reading->reader, reading->table, &unheard)) {
        csv_close(reading->table);
        reading->table = NULL;
    }
}

static enum field_taken read_again(struct stage_reading *reading, const struct db_rows *rows,
                                   size_t row, const struct str *bytes, struct error *err)
{
    struct field_reject reject;
    struct csv_record record;
    const char *format = db_rows_text(rows, row, "format");
    if (!format)
        return field_read(reading->reader, &reading->fixed, bytes->text, bytes->length,
                          reading->lines, reading->copy, &reject, err);
    open_table(reading, format, db_rows_text(rows, row, "header"));
    if (!reading->table ||
        csv_take(reading->table, bytes->text, bytes->length, &record) != CSV_RECORD)
        return FIELD_REJECTED;
    return field_read_cells(reading->reader, &reading->fixed, record.cells, reading->lines,
                            reading->copy, &reject, err);
}

static bool replay_one(struct stage_reading *reading, const struct db_rows *rows, size_t row,
                       const struct str *bytes, struct error *err)
{
    struct stage_counts *counts = &reading->stage->counts;
    if (!stage_begin_record(reading, err))
        return false;
    reading->fixed.read_number = db_rows_int(rows, row, "read_number");
    reading->fixed.clock = db_rows_time(rows, row, "clock");
    reading->fixed.read_time = reading->fixed.clock;
    reading->fixed.is_server_read = !db_rows_bool(rows, row, "own_times");
    enum field_taken taken = read_again(reading, rows, row, bytes, err);
    if (taken == FIELD_FAILED)
        return false;
    counts->read += taken != FIELD_SKIPPED;
    counts->staged += taken == FIELD_STAGED;
    counts->skipped += taken == FIELD_SKIPPED;
    if (taken != FIELD_REJECTED) {
        str_add_format(&reading->closed, "%s%s", reading->closed.length > 0 ? "," : "",
                       db_rows_text(rows, row, "id"));
        return true;
    }
    counts->rejected++;
    return reject_is_within(&reading->stage->budget, counts->rejected, counts->read, false, err);
}

/* One helping; *count 0 is the end. */
static bool replay_page(struct stage_reading *reading, struct db *db, size_t *count,
                        struct error *err)
{
    char last[24];
    struct str bytes;
    snprintf(last, sizeof last, "%" PRId64, reading->last_reject);
    const struct db_value values[] = {{"feed", reading->stage->feed->name},
                                      {"after_id", last},
                                      {"format", NULL},
                                      {"batch_id", NULL},
                                      {"replay_id", reading->stage->batch->id_text},
                                      {0}};
    struct db_rows *rows = db_query(db, &sql_etl_reject_page, values, err);
    if (!rows)
        return false;
    bool ok = true;
    *count = db_rows_count(rows);
    str_init(&bytes);
    for (size_t row = 0; row < *count && ok; row++) {
        str_clear(&bytes);
        reject_add_bytes(db_rows_text(rows, row, "bytes"), &bytes);
        reading->stage->counts.bytes += (int64_t)bytes.length;
        reading->last_reject = db_rows_int(rows, row, "id");
        ok = replay_one(reading, rows, row, &bytes, err);
    }
    str_release(&bytes);
    db_rows_free(rows);
    return ok;
}

bool stage_replay(struct stage_reading *reading, struct error *err)
{
    size_t count = 1;
    bool ok = true;
    struct db *db = db_open(err);
    if (!db)
        return false;
    str_init(&reading->header);
    while (ok && count > 0)
        ok = replay_page(reading, db, &count, err);
    csv_close(reading->table);
    str_release(&reading->header);
    db_close(db);
    reading->stage->sources.items[0].rows = reading->stage->counts.staged;
    return ok;
}

bool stage_close_replayed(struct stage_reading *reading, struct error *err)
{
    struct str closed;
    str_init(&closed);
    str_add_format(&closed, "{%s}", reading->closed.text);
    const struct db_value values[] = {
        {"batch_id", reading->stage->batch->id_text}, {"closed", closed.text}, {0}};
    bool ok = db_run(reading->stage->db, &sql_etl_reject_replayed, values, NULL, err);
    str_release(&closed);
    return ok;
}

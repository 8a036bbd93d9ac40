/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "etl/stage_file.h"
#include "etl_sql.h"

static bool replay_one(struct stage_reading *reading, const struct db_rows *rows, size_t row,
                       const struct str *bytes, struct error *err)
{
    struct field_reject reject;
    struct stage_counts *counts = &reading->stage->counts;
    if (!stage_begin_record(reading, err))
        return false;
    reading->fixed.read_number = db_rows_int(rows, row, "read_number");
    reading->fixed.clock = db_rows_time(rows, row, "clock");
    reading->fixed.read_time = reading->fixed.clock;
    reading->fixed.is_server_read = !db_rows_bool(rows, row, "own_times");
    enum field_taken taken = field_read(reading->reader, &reading->fixed, bytes->text,
                                        bytes->length, reading->lines, reading->copy, &reject, err);
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
                                      {"is_table", "false"},
                                      {"batch_id", reading->stage->batch->id_text},
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
    while (ok && count > 0)
        ok = replay_page(reading, db, &count, err);
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

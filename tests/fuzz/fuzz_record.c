/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=db_copy_in,--wrap=db_copy_put,--wrap=db_copy_in_end */
/* link: -Wl,--wrap=db_copy_out,--wrap=db_copy_get,--wrap=db_copy_out_end */
/*
 * Records of every feed, from a document or a table to the rows that are sent: a staged row has a
 * value for each column that its type can take, a rejected one leaves nothing, and reasons are of
 * the closed list. The first byte chooses the feed, the second the format and the batch; each line
 * that follows is a record, the first one of a table its header.
 */
#include <math.h>
#include <string.h>

#include "../unit/io/copy_wire.h"
#include "base/clock.h"
#include "etl/field.h"
#include "etl/pipeline.h"
#include "fuzz.h"
#include "reference_json.h"
#include "wire.h"

static const char *const reasons[] = {"bad_json",
                                      "trailing_text",
                                      "duplicate_key",
                                      "nul_character",
                                      "bad_encoding",
                                      "bad_escape",
                                      "field_count",
                                      "missing_field",
                                      "wrong_type",
                                      "bad_number",
                                      "bad_integer",
                                      "bad_boolean",
                                      "bad_timestamp",
                                      "time_out_of_range",
                                      "too_long",
                                      "wrapped_document",
                                      NULL};

static bool is_listed(const char *reason, const char *const *list)
{
    for (; list && *list; list++)
        if (strcmp(*list, reason) == 0)
            return true;
    return false;
}

/* ---- a row as it was sent ---- */

/* Microseconds since 2000 as PostgreSQL has them: 4713 BC to 294276 AD, and -infinity. */
static void judge_time(int64_t time)
{
    FUZZ_EXPECT(time == INT64_MIN ||
                (time >= INT64_C(-211813488000000000) && time < INT64_C(9223371331200000000)));
}

static void judge_text(const char *text, size_t length)
{
    FUZZ_EXPECT(reference_is_utf8(text, length) && memchr(text, 0, length) == NULL);
}

/* jsonb keeps numbers as numeric: 131072 digits before the point, 16383 behind it. */
static void judge_numbers(const struct reference *node)
{
    for (size_t i = 0; i < node->count; i++)
        judge_numbers(&node->items[i]);
    if (node->type == JSON_NUMBER) {
        size_t digits = strcspn(node->start, "eE");
        bool has_power = digits < node->length;
        long power = has_power ? strtol(node->start + digits + 1, NULL, 10) : 0;
        FUZZ_EXPECT((has_power ? digits : node->length) < 16000 && labs(power) < 300);
    }
}

static void judge_jsonb(const char *text, size_t length)
{
    struct reference root;
    FUZZ_EXPECT(length > 0 && text[0] == 1);
    FUZZ_EXPECT(reference_read(text + 1, length - 1, &root) == JSON_OK);
    judge_numbers(&root);
    reference_release(&root);
}

static void judge_list(struct wire *row)
{
    int32_t count = wire_list(row);
    for (int32_t i = 0; i < count; i++) {
        size_t length;
        const char *text = wire_column(row, &length);
        FUZZ_EXPECT(text != NULL);
        judge_text(text, length);
    }
}

static double number_of(const char *bytes)
{
    uint64_t bits = 0;
    double number;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | (unsigned char)bytes[i];
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void judge_value(const struct field *field, const char *bytes, size_t length)
{
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_DECIMAL:
        judge_text(bytes, length);
        FUZZ_EXPECT(length > 0 || !(field->required || field->is_key));
        break;
    case FIELD_INTEGER: FUZZ_EXPECT(length == 8); break;
    case FIELD_FLOAT: FUZZ_EXPECT(length == 8 && isfinite(number_of(bytes))); break;
    case FIELD_BOOLEAN: FUZZ_EXPECT(length == 1 && (bytes[0] == 0 || bytes[0] == 1)); break;
    case FIELD_TIME:
    case FIELD_NEWEST: {
        struct wire number = {(const unsigned char *)bytes - 4,
                              (const unsigned char *)bytes + length};
        judge_time(wire_number(&number, 8));
        break;
    }
    case FIELD_OBJECTS:
    case FIELD_EXTRACT: judge_jsonb(bytes, length); break;
    case FIELD_TEXT_LIST:
    case FIELD_LIST: FUZZ_EXPECT(!"a type of a single value"); break;
    }
}

static void judge_row(const struct feed *feed, struct wire *row, int columns)
{
    int count = 5;
    FUZZ_EXPECT(wire_number(row, 8) == 17 && wire_number(row, 8) == 4711);
    judge_time(wire_number(row, 8));
    FUZZ_EXPECT(wire_number(row, 8) > 0);
    bool is_tombstone = wire_number(row, 1);
    for (const struct field *field = feed->fields; field->path; field++) {
        size_t length;
        if (!field->column)
            continue;
        count++;
        if (field->type == FIELD_TEXT_LIST && !is_tombstone) {
            judge_list(row);
            continue;
        }
        const char *bytes = wire_column(row, &length);
        if (bytes)
            judge_value(field, bytes, length);
        else
            FUZZ_EXPECT(is_tombstone ? !field->is_key : !(field->required || field->is_key));
    }
    FUZZ_EXPECT(count == columns);
}

static void judge_rows(const struct feed *feed, int64_t staged)
{
    struct wire rows = wire_open(wire.taken.text, wire.taken.length);
    int columns;
    while ((columns = wire_row(&rows)) >= 0) {
        judge_row(feed, &rows, columns);
        staged--;
    }
    FUZZ_EXPECT(staged == 0);
}

/* ---- reading ---- */

static const struct feed *choose_feed(uint8_t number, const struct pipeline **pipeline)
{
    for (;;)
        for (const struct pipeline *const *at = pipeline_list; *at; at++)
            for (const struct feed *const *feed = (*at)->feeds; *feed; feed++)
                if (number-- == 0) {
                    *pipeline = *at;
                    return *feed;
                }
}

/* The table whose header is this line; NULL where it is none, or not the feed's. */
static struct csv *open_table(struct field_reader *reader, const char *header, size_t length,
                              enum csv_dialect dialect)
{
    struct csv *csv = csv_open_kept(header, length, dialect, &err);
    if (csv && !field_bind_columns(reader, csv, &err)) {
        csv_close(csv);
        return NULL;
    }
    return csv;
}

struct reading {
    const struct feed *feed;
    const struct pipeline *pipeline;
    struct field_reader *reader;
    struct field_batch batch;
    struct copy *copy;
    struct csv *table; /* NULL: documents */
    int64_t lines, staged;
};

static void read_line(struct reading *reading, const char *line, size_t length)
{
    struct field_reject reject = {.column = ""};
    struct csv_record record;
    enum field_taken taken = FIELD_REJECTED;
    reading->lines++;
    if (!reading->table)
        taken = field_read(reading->reader, &reading->batch, line, length, reading->lines,
                           reading->copy, &reject, &err);
    else if (csv_take(reading->table, line, length, &record) == CSV_RECORD)
        taken = field_read_cells(reading->reader, &reading->batch, record.cells, reading->lines,
                                 reading->copy, &reject, &err);
    else
        reject.reason = record.reason;
    FUZZ_EXPECT(taken != FIELD_FAILED);
    reading->staged += taken == FIELD_STAGED;
    if (taken == FIELD_REJECTED)
        FUZZ_EXPECT(is_listed(reject.reason, reasons) ||
                    is_listed(reject.reason, reading->pipeline->reject_reasons));
}

static void read_lines(struct reading *reading, const char *at, const char *end, uint8_t flags)
{
    bool is_header = flags % 3 > 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        if (!is_header) {
            read_line(reading, at, length);
        } else {
            enum csv_dialect dialect = flags % 3 == 1 ? CSV_COMMA : CSV_TAB;
            reading->table = open_table(reading->reader, at, length, dialect);
            if (!reading->table)
                return;
            is_header = false;
        }
        at += length + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const int64_t now = INT64_C(1710000000) * CLOCK_SECOND;
    int64_t rows;
    if (size < 2)
        return 0;
    struct reading reading = {
        .batch = {.batch_id = 17,
                  .read_number = 4711,
                  .read_time = now,
                  .clock = now,
                  .since = now - 1000 * CLOCK_DAY,
                  .until = now,
                  .is_window = data[1] & 64,
                  .is_server_read = data[1] & 128},
    };
    reading.feed = choose_feed(data[0], &reading.pipeline);
    reading.reader = field_reader_new(reading.feed);
    field_skip_agents(reading.reader, "bot, spider");
    set_up(NULL);
    reading.copy = copy_open(NULL, &in, NULL, &err);
    read_lines(&reading, text + 2, text + size, data[1]);
    FUZZ_EXPECT(copy_end(reading.copy, &rows, &err));
    copy_close(reading.copy);
    judge_rows(reading.feed, reading.staged);
    csv_close(reading.table);
    field_reader_free(reading.reader);
    tear_down(NULL);
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "etl/stage_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/csv.h"

#define LOOK_EVERY 1024 /* lines between two looks at signals and the output */
#define NAMED_REJECTS 10

/* Formats -------------------------------------------------------------- */

static bool ends_with(const char *text, size_t length, const char *suffix)
{
    size_t own = strlen(suffix);
    return length >= own && memcmp(text + length - own, suffix, own) == 0;
}

enum stage_format stage_format(const char *format, const char *path)
{
    static const struct {
        const char *name, *suffix;
        enum stage_format format;
    } formats[] = {{"ndjson", ".ndjson", STAGE_NDJSON},
                   {"csv", ".csv", STAGE_CSV},
                   {"tsv", ".tsv", STAGE_TSV}};
    size_t count = sizeof formats / sizeof *formats;
    if (format) {
        for (size_t i = 0; i < count; i++)
            if (strcmp(format, formats[i].name) == 0)
                return formats[i].format;
        return STAGE_NO_FORMAT;
    }
    size_t length = strlen(path);
    if (ends_with(path, length, ".gz"))
        length -= 3;
    else if (ends_with(path, length, ".zst"))
        length -= 4;
    for (size_t i = 0; i < count; i++)
        if (ends_with(path, length, formats[i].suffix))
            return formats[i].format;
    return STAGE_NDJSON;
}

/* Reading -------------------------------------------------------------- */

static void give_sign(struct stage_reading *reading)
{
    reading->progress.rows = reading->lines;
    reading->progress.rejected = reading->stage->counts.rejected;
    progress_tell(&reading->progress);
}

/* Before each record: a sign of life for the log, a look whether we are to stop. */
bool stage_begin_record(struct stage_reading *reading, struct error *err)
{
    reading->lines++;
    if (reading->lines % LOOK_EVERY != 0)
        return true;
    give_sign(reading);
    return !interrupt_is_asked() ||
           error_set(err, STATUS_INTERRUPTED, "interrupted; run the step again");
}

static void tell_wrapped(struct stage_reading *reading, int64_t line)
{
    if (reading->has_told_wrapped)
        return;
    reading->has_told_wrapped = true;
    log_event(LOG_WARNING, "wrapped_document",
              "line=%" PRId64 " remedy=give each entry of \"results\", \"rows\" or \"objects\" a "
              "line of its own",
              line);
}

/* After each record: counts it, and keeps it where it was rejected. */
static bool end_record(struct stage_reading *reading, const struct source *source,
                       const struct file_line *line, enum field_taken taken,
                       const struct field_reject *reject, struct error *err)
{
    struct stage_counts *counts = &reading->stage->counts;
    if (taken == FIELD_FAILED)
        return false;
    if (taken == FIELD_SKIPPED) {
        counts->skipped++;
        return true;
    }
    counts->read++;
    if (taken == FIELD_STAGED) {
        counts->staged++;
        return true;
    }
    counts->rejected++;
    if (reading->stage->names_rejects && counts->rejected <= NAMED_REJECTS)
        log_event(LOG_WARNING, "rejected", "line=%" PRId64 " column=%s reason=%s", line->number,
                  reject->column, reject->reason);
    if (strcmp(reject->reason, "wrapped_document") == 0)
        tell_wrapped(reading, line->number);
    return reject_add(reading->stage->rejects, source->identity, line, reject, err) &&
           reject_is_within(&reading->stage->budget, counts->rejected, counts->read, false, err);
}

bool stage_take_document(struct stage_reading *reading, const struct source *source,
                         const struct file_line *line, struct error *err)
{
    struct field_reject reject = {
        .reason = "too_long", .column = "", .is_table = reading->stage->options->reconcile};
    enum field_taken taken = FIELD_REJECTED;
    if (!stage_begin_record(reading, err))
        return false;
    if (!line->is_too_long)
        taken = field_read(reading->reader, &reading->fixed, line->text, line->length,
                           reading->lines, reading->copy, &reject, err);
    return end_record(reading, source, line, taken, &reject, err);
}

static bool read_documents(struct stage_reading *reading, const struct source *source,
                           struct error *err)
{
    struct file *file = file_open(source->spec, reading->stage->max_record, err);
    if (!file)
        return false;
    struct file_line line;
    enum file_got got;
    bool ok = true;
    reading->progress.size = file_size(file);
    while (ok && (got = file_next(file, &line, err)) != FILE_END) {
        reading->progress.bytes = file_bytes(file);
        ok = got == FILE_LINE && stage_take_document(reading, source, &line, err);
    }
    reading->stage->counts.bytes += file_bytes(file);
    file_close(file);
    return ok;
}

/* As end_record, of a table's record: without its secrets, where its cells could be told apart. */
static bool end_cells(struct stage_reading *reading, const struct source *source,
                      const struct csv *csv, const struct csv_record *record,
                      enum field_taken taken, const struct field_reject *reject, struct error *err)
{
    struct file_line line = *record->raw;
    struct str blanked;
    str_init(&blanked);
    if (taken == FIELD_REJECTED && record->cells) {
        csv_blank(csv, record, reject_secrets, &blanked);
        line.text = blanked.text;
        line.length = blanked.length;
    }
    bool ok = end_record(reading, source, &line, taken, reject, err);
    str_release(&blanked);
    return ok;
}

static bool read_record(struct stage_reading *reading, const struct source *source,
                        const struct csv *csv, const struct csv_record *record, struct error *err)
{
    struct field_reject reject = {.reason = record->reason, .column = "", .is_table = true};
    enum field_taken taken = FIELD_REJECTED;
    if (!stage_begin_record(reading, err))
        return false;
    if (record->cells)
        taken = field_read_cells(reading->reader, &reading->fixed, record->cells, reading->lines,
                                 reading->copy, &reject, err);
    return end_cells(reading, source, csv, record, taken, &reject, err);
}

/* Rejects of a table are read again by its header. */
static void keep_header(const struct csv *csv, enum csv_dialect dialect, struct source *source)
{
    size_t length;
    const char *header = csv_header(csv, &length);
    free(source->table_header);
    source->table_header = mem_copy(header, length);
    source->table_format = dialect == CSV_TAB ? "tsv" : "csv";
}

static bool read_table(struct stage_reading *reading, struct source *source,
                       enum csv_dialect dialect, struct error *err)
{
    int64_t before = reading->stage->counts.rejected;
    struct csv *csv = csv_open(source->spec, dialect, reading->stage->max_record, err);
    if (!csv)
        return false;
    struct csv_record record;
    enum csv_got got;
    bool ok = csv_is_empty(csv) || field_bind_columns(reading->reader, csv, err);
    reading->progress.size = csv_size(csv);
    while (ok && (got = csv_next(csv, &record, err)) != CSV_END) {
        reading->progress.bytes = csv_bytes(csv);
        ok = got != CSV_FAILED && read_record(reading, source, csv, &record, err);
    }
    reading->stage->counts.bytes += csv_bytes(csv);
    if (reading->stage->counts.rejected > before)
        keep_header(csv, dialect, source);
    csv_close(csv);
    return ok;
}

static bool read_file(struct stage_reading *reading, struct source *source, struct error *err)
{
    int64_t before = reading->stage->counts.staged;
    bool ok = false;
    reading->fixed.clock = source->clock;
    reading->fixed.read_time = source->clock;
    if (source->is_server) {
        ok = stage_read_documents(reading, source, err);
        source->rows = reading->stage->counts.staged - before;
        return ok;
    }
    switch (stage_format(reading->stage->options->format, source->spec)) {
    case STAGE_NDJSON: ok = read_documents(reading, source, err); break;
    case STAGE_CSV: ok = read_table(reading, source, CSV_COMMA, err); break;
    case STAGE_TSV: ok = read_table(reading, source, CSV_TAB, err); break;
    case STAGE_NO_FORMAT: BUG("the format was not checked"); /* uncovered: stage_check does */
    }
    source->rows = reading->stage->counts.staged - before;
    return ok;
}

/* A reader of records, or of keys: these are no documents, and belong whatever they lack. */
static struct field_reader *new_reader(struct stage_reading *reading)
{
    reading->keys = *reading->stage->feed;
    if (!reading->stage->options->reconcile)
        return field_reader_new(reading->stage->feed);
    reading->keys.filters = NULL;
    reading->keys.is_couch = false;
    struct field_reader *reader = field_reader_new(&reading->keys);
    field_take_keys(reader);
    return reader;
}

static bool copy_sources(struct stage_reading *reading, struct error *err)
{
    struct stage *stage = reading->stage;
    int64_t rows;
    reading->copy = copy_open(stage->db, stage->feed->stage, NULL, err);
    if (!reading->copy)
        return false;
    for (size_t i = 0; i < stage->sources.count; i++)
        if (!(stage->options->replay_rejects ? stage_replay(reading, err)
                                             : read_file(reading, &stage->sources.items[i], err)))
            return false;
    if (!copy_end(reading->copy, &rows, err))
        return false;
    return rows == stage->counts.staged ||
           error_set(err, STATUS_BUG,
                     "%" PRId64 " rows were sent to staging, %" PRId64 " arrived; report it",
                     stage->counts.staged, rows);
}

bool stage_copy_files(struct stage *stage, struct error *err)
{
    struct stage_reading reading = {
        .stage = stage,
        .fixed = {.batch_id = stage->batch->id,
                  .read_number = stage->batch->read_number,
                  .since = stage->batch->since,
                  .until = stage->batch->until,
                  .is_window = stage->is_filtered,
                  .is_server_read = stage->sources.are_servers},
        .progress = progress_begin("reading", NULL),
    };
    reading.reader = new_reader(&reading);
    str_init(&reading.closed);
    field_skip_agents(reading.reader, stage->options->crawler_agents);
    stage->rejects = reject_open(err);
    bool ok = stage->rejects && copy_sources(&reading, err) &&
              (!stage->options->replay_rejects || stage_close_replayed(&reading, err));
    if (ok)
        field_log_notes(reading.reader);
    copy_close(reading.copy);
    field_reader_free(reading.reader);
    str_release(&reading.closed);
    return ok;
}

bool stage_read_files(struct stage *stage, struct error *err)
{
    return stage_copy_files(stage, err) &&
           reject_is_within(&stage->budget, stage->counts.rejected, stage->counts.read, true,
                            err) &&
           reject_write(stage->rejects, stage->db, stage->batch, -1, err);
}

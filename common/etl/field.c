/* SPDX-License-Identifier: MIT */
#include "etl/field.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "etl/document.h"
#include "etl/pipeline.h"
#include "etl/value.h"

#define FIXED_COLUMNS 5                                      /* batch_id to is_tombstone */
#define PARTITIONS_FROM (INT64_C(1104537600) * CLOCK_SECOND) /* 2005-01-01 */

/* A field's value in the record at hand, and where its alternatives stand among the paths. */
struct slot {
    struct value value;
    size_t first, count;
};

struct field_reader {
    struct document_reader *documents;
    struct slot *slots;
    size_t slot_count;
    int column_count;
    char **paths;
    size_t path_count;
    struct json_value *cells; /* of a table's record, as if a document had them at the paths */
    size_t *columns;          /* the table's column for each path, CSV_NONE where it has none */
    size_t *filter_columns;   /* and for each filter of the feed */
    const struct feed *feed;
    struct value_buffer buffer;
};

/* Cuts "a|b" into paths; returns how many. */
static size_t add_paths(struct field_reader *reader, const char *path)
{
    size_t count = 0;
    for (;;) {
        size_t length = strcspn(path, "|");
        reader->paths = mem_resize(reader->paths, (reader->path_count + 1) * sizeof *reader->paths);
        reader->paths[reader->path_count++] = mem_copy(path, length);
        count++;
        if (path[length] == '\0')
            return count;
        path += length + 1;
    }
}

struct field_reader *field_reader_new(const struct feed *feed)
{
    struct field_reader *reader = mem_alloc(sizeof *reader);
    reader->feed = feed;
    str_init(&reader->buffer.text);
    str_init(&reader->buffer.built);
    for (const struct field *field = feed->fields; field->path; field++) {
        reader->slots = mem_resize(reader->slots, (reader->slot_count + 1) * sizeof *reader->slots);
        struct slot *slot = &reader->slots[reader->slot_count++];
        *slot = (struct slot){.value.field = field, .first = reader->path_count};
        slot->count = add_paths(reader, field->path);
        if (field->column)
            reader->column_count++;
    }
    reader->documents =
        document_reader_new(feed, (const char *const *)reader->paths, reader->path_count);
    return reader;
}

void field_reader_free(struct field_reader *reader)
{
    if (!reader)
        return;
    document_reader_free(reader->documents);
    for (size_t i = 0; i < reader->path_count; i++)
        free(reader->paths[i]);
    free(reader->paths);
    free(reader->cells);
    free(reader->columns);
    free(reader->filter_columns);
    free(reader->slots);
    str_release(&reader->buffer.text);
    str_release(&reader->buffer.built);
    free(reader);
}

/* What a reject is told by: a text of the declaration, which outlives the reader. */
static const char *name_of(const struct field *field)
{
    return field->column ? field->column : field->path;
}

/* Chooses the values and reads the times; *version is the greatest modification time. */
static const char *look(struct field_reader *reader, const struct field_batch *batch,
                        const struct json_value *values, int64_t *version, const char **column)
{
    *version = CLOCK_BEGINNING;
    for (size_t i = 0; i < reader->slot_count; i++) {
        struct slot *slot = &reader->slots[i];
        struct value *value = &slot->value;
        const struct field *field = value->field;
        *column = name_of(field);
        value_choose(value, values + slot->first, slot->count);
        if (!value_is_there(&value->json) && (field->required || field->is_key))
            return "missing_field";
        const char *reason = value_read_time(value, &reader->buffer);
        if (reason)
            return reason;
        if (field->is_partition && value->has_time &&
            (value->time < PARTITIONS_FROM || value->time > batch->clock + CLOCK_DAY))
            return "time_out_of_range";
        if (field->is_modified && value->has_time && value->time > *version)
            *version = value->time;
    }
    return NULL;
}

static bool put_fixed(const struct field_reader *reader, const struct field_batch *batch,
                      int64_t version, int64_t line_no, bool is_tombstone, struct copy *copy,
                      struct error *err)
{
    if (!copy_row(copy, FIXED_COLUMNS + reader->column_count, err))
        return false;
    copy_int(copy, batch->batch_id);
    copy_int(copy, batch->read_number);
    copy_time(copy, version);
    copy_int(copy, line_no);
    copy_bool(copy, is_tombstone);
    return true;
}

static bool is_outside(const struct field_batch *batch, int64_t version)
{
    return batch->is_window && (version <= batch->since || version > batch->until);
}

static enum field_taken stage_deletion(struct field_reader *reader, const struct field_batch *batch,
                                       const struct json_value *key, int64_t line_no,
                                       struct copy *copy, struct error *err)
{
    if (is_outside(batch, batch->read_time))
        return FIELD_SKIPPED;
    if (!put_fixed(reader, batch, batch->read_time, line_no, true, copy, err))
        return FIELD_FAILED;
    for (size_t i = 0; i < reader->slot_count; i++) {
        const struct field *field = reader->slots[i].value.field;
        if (field->column && field->is_key) {
            size_t length;
            const char *text = json_text(key, &reader->buffer.text, &length);
            copy_text(copy, text, length);
        } else if (field->column) {
            copy_null(copy);
        }
    }
    return FIELD_STAGED;
}

static enum field_taken stage_record(struct field_reader *reader, const struct field_batch *batch,
                                     const struct json_value *values, int64_t line_no,
                                     struct copy *copy, struct field_reject *reject,
                                     struct error *err)
{
    int64_t version;
    reject->reason = look(reader, batch, values, &version, &reject->column);
    if (reject->reason)
        return FIELD_REJECTED;
    if (batch->is_server_read)
        version = batch->read_time;
    if (is_outside(batch, version))
        return FIELD_SKIPPED;
    if (!put_fixed(reader, batch, version, line_no, false, copy, err))
        return FIELD_FAILED;
    for (size_t i = 0; i < reader->slot_count && !reject->reason; i++) {
        const struct value *value = &reader->slots[i].value;
        if (!value->field->column)
            continue;
        reject->column = value->field->column;
        reject->reason = value_put(value, &reader->buffer, copy);
    }
    if (!reject->reason)
        return FIELD_STAGED;
    copy_take_back(copy);
    return FIELD_REJECTED;
}

enum field_taken field_read(struct field_reader *reader, const struct field_batch *batch,
                            const char *text, size_t length, int64_t line_no, struct copy *copy,
                            struct field_reject *reject, struct error *err)
{
    const struct json_value *values;
    struct json_value key;
    reject->column = "";
    switch (document_read(reader->documents, text, length, &values, &key, reject)) {
    case DOCUMENT_SKIPPED: return FIELD_SKIPPED;
    case DOCUMENT_REJECTED: return FIELD_REJECTED;
    case DOCUMENT_DELETION: return stage_deletion(reader, batch, &key, line_no, copy, err);
    case DOCUMENT_RECORD: break;
    }
    return stage_record(reader, batch, values, line_no, copy, reject, err);
}

/* Tables --------------------------------------------------------------- */

bool field_bind_columns(struct field_reader *reader, const struct csv *csv, struct error *err)
{
    size_t filter_count = 0;
    const struct field_filter *filters = reader->feed->filters;
    while (filters && filters[filter_count].path)
        filter_count++;
    reader->cells = mem_resize(reader->cells, reader->path_count * sizeof *reader->cells);
    reader->columns = mem_resize(reader->columns, reader->path_count * sizeof *reader->columns);
    reader->filter_columns =
        mem_resize(reader->filter_columns, (filter_count + 1) * sizeof *reader->filter_columns);
    for (size_t i = 0; i < filter_count; i++)
        reader->filter_columns[i] = csv_column(csv, filters[i].path);

    for (size_t i = 0; i < reader->slot_count; i++) {
        const struct slot *slot = &reader->slots[i];
        const struct field *field = slot->value.field;
        bool is_found = false;
        for (size_t path = slot->first; path < slot->first + slot->count; path++) {
            reader->columns[path] = csv_column(csv, reader->paths[path]);
            is_found = is_found || reader->columns[path] != CSV_NONE;
        }
        if (!is_found && field->column) {
            reader->columns[slot->first] = csv_column(csv, field->column);
            is_found = reader->columns[slot->first] != CSV_NONE;
        }
        if (!is_found && (field->required || field->is_key))
            return error_set(err, STATUS_DATA,
                             "the header has no column \"%s\"; name it, or pass --format",
                             reader->paths[slot->first]);
    }
    return true;
}

/* A table has the filter's column or not; where it has, the record belongs by it. */
static bool belongs(const struct field_reader *reader, const struct csv_cell *cells)
{
    const struct field_filter *filter = reader->feed->filters;
    for (size_t i = 0; filter && filter[i].path; i++) {
        if (reader->filter_columns[i] == CSV_NONE)
            continue;
        const struct csv_cell *cell = &cells[reader->filter_columns[i]];
        const char *const *value = filter[i].values;
        while (*value &&
               (strlen(*value) != cell->length || memcmp(*value, cell->text, cell->length) != 0))
            value++;
        if (!*value && !(cell->is_null && filter[i].may_lack))
            return false;
    }
    return true;
}

enum field_taken field_read_cells(struct field_reader *reader, const struct field_batch *batch,
                                  const struct csv_cell *cells, int64_t line_no, struct copy *copy,
                                  struct field_reject *reject, struct error *err)
{
    *reject = (struct field_reject){.column = "", .is_table = true};
    if (!belongs(reader, cells))
        return FIELD_SKIPPED;
    for (size_t i = 0; i < reader->slot_count; i++) {
        const struct slot *slot = &reader->slots[i];
        for (size_t path = slot->first; path < slot->first + slot->count; path++) {
            size_t column = reader->columns[path];
            reader->cells[path] = (struct json_value){.type = JSON_ABSENT};
            if (column != CSV_NONE)
                reject->reason =
                    value_read_cell(slot->value.field, &cells[column], &reader->cells[path]);
            if (reject->reason) {
                reject->column = name_of(slot->value.field);
                return FIELD_REJECTED;
            }
        }
    }
    return stage_record(reader, batch, reader->cells, line_no, copy, reject, err);
}

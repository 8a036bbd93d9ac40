/* SPDX-License-Identifier: MIT
 *
 * Records of tables: as if a document had their cells at the declared paths.
 */
#include <string.h>

#include "base/mem.h"
#include "etl/field_private.h"
#include "etl/pipeline.h"

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
        bool is_wanted = field->required || field->is_key || reader->takes_keys;
        if (!is_found && is_wanted && !field_is_left_out(reader, field))
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
        bool is_right = cell->is_null ? filter[i].may_lack
                                      : value_is_among(cell->text, cell->length, filter[i].values);
        if (!is_right)
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
            if (column != CSV_NONE && !field_is_left_out(reader, slot->value.field))
                reject->reason =
                    value_read_cell(slot->value.field, &cells[column], &reader->cells[path]);
            if (reject->reason) {
                reject->column = field_name(slot->value.field);
                return FIELD_REJECTED;
            }
        }
    }
    return field_stage_record(reader, batch, reader->cells, line_no, copy, reject, err);
}

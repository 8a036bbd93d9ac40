/* SPDX-License-Identifier: MIT
 *
 * The header of a table: its columns' names, and how it is opened and closed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/csv_private.h"

/* No name is told: where there is no header, the first record would be quoted. */
static bool check_names(const struct csv *csv, const char *label, struct error *err)
{
    for (size_t i = 1; i < csv->columns; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(csv->names[i], csv->names[j]) == 0) {
                return error_set(err, STATUS_DATA,
                                 "columns %zu and %zu in the header of %s have the same name; "
                                 "give each a name of its own",
                                 j + 1, i + 1, label);
            }
        }
    }
    return true;
}

/* Takes the record that was read as the header, which is got. */
static bool take_header(struct csv *csv, enum csv_got got, const struct csv_record *record,
                        const char *label, struct error *err)
{
    if (record->raw->length == 0) {
        return error_set(err, STATUS_DATA,
                         "%s begins with a blank line where its header should be; remove it",
                         label);
    }
    if (got == CSV_BAD) {
        return error_set(err, STATUS_DATA,
                         "the header of %s cannot be read (%s); export it in UTF-8 as %s", label,
                         record->reason, csv->dialect == CSV_TAB ? "TSV" : "CSV");
    }
    if (record->count > CSV_COLUMNS_MAX) {
        return error_set(err, STATUS_DATA,
                         "the header of %s has more than %d columns; check the file's format",
                         label, CSV_COLUMNS_MAX);
    }
    str_add(&csv->header, record->raw->text, record->raw->length);
    csv->names = mem_alloc(record->count * sizeof(*csv->names));
    for (size_t i = 0; i < record->count; i++) {
        csv->names[i] = mem_copy(record->cells[i].text, record->cells[i].length);
    }
    csv->columns = record->count;
    return check_names(csv, label, err);
}

static struct csv *new_csv(enum csv_dialect dialect)
{
    struct csv *csv = mem_alloc(sizeof(*csv));

    csv->dialect = dialect;
    str_init(&csv->header);
    str_init(&csv->held);
    csv_cells_init(&csv->cells);
    return csv;
}

struct csv *csv_open(const char *path, enum csv_dialect dialect, int64_t max_record,
                     struct error *err)
{
    struct file *file = file_open(path, max_record, err);
    struct csv_record record;
    enum csv_got got;
    struct csv *csv;

    if (file == NULL) {
        return NULL;
    }
    csv = new_csv(dialect);
    csv->file = file;
    csv->max_record = (size_t)max_record;
    got = csv_next(csv, &record, err);
    /* Without a header there is no record either; the next call says CSV_END again. */
    if (got != CSV_END &&
        (got == CSV_FAILED || !take_header(csv, got, &record, file_label(file), err))) {
        csv_close(csv);
        return NULL;
    }
    return csv;
}

struct csv *csv_open_kept(const char *header, size_t length, enum csv_dialect dialect,
                          struct error *err)
{
    struct csv *csv = new_csv(dialect);
    struct csv_record record;
    enum csv_got got = csv_take(csv, header, length, &record);

    if (!take_header(csv, got, &record, "a table whose records were kept", err)) {
        csv_close(csv);
        return NULL;
    }
    return csv;
}

void csv_close(struct csv *csv)
{
    if (csv == NULL) {
        return;
    }
    for (size_t i = 0; i < csv->columns; i++) {
        free(csv->names[i]);
    }
    free(csv->names);
    str_release(&csv->header);
    str_release(&csv->held);
    csv_cells_release(&csv->cells);
    file_close(csv->file);
    free(csv);
}

bool csv_is_empty(const struct csv *csv)
{
    return csv->columns == 0;
}

size_t csv_column(const struct csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->columns; i++) {
        if (strcmp(csv->names[i], name) == 0) {
            return i;
        }
    }
    return CSV_NONE;
}

const char *csv_header(const struct csv *csv, size_t *length)
{
    *length = csv->header.length;
    return csv->header.text;
}

int64_t csv_bytes(const struct csv *csv)
{
    return file_bytes(csv->file);
}

/* Where the cell of a sound record ends that begins at at. */
static const char *cell_end(const struct csv *csv, const char *at, const char *end)
{
    char separator = csv->dialect == CSV_TAB ? '\t' : ',';
    bool is_quoted = false;

    for (; at < end && (is_quoted || *at != separator); at++) {
        is_quoted = is_quoted != (csv->dialect == CSV_COMMA && *at == '"');
    }
    return at;
}

static bool is_among(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

void csv_blank(const struct csv *csv, const struct csv_record *record, const char *const *names,
               struct str *to)
{
    const char *at = record->raw->text;
    const char *end = at + record->raw->length;

    for (size_t i = 0; i < csv->columns; i++) {
        const char *behind = cell_end(csv, at, end);

        if (!is_among(csv->names[i], names)) {
            str_add(to, at, (size_t)(behind - at));
        } else if (csv->dialect == CSV_TAB) {
            str_add_text(to, "NULL");
        }
        if (behind < end) {
            str_add_char(to, *behind++);
        }
        at = behind;
    }
}

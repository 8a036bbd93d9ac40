/* SPDX-License-Identifier: MIT */
#include "io/csv.h"

#include <string.h>

#include "io/csv_private.h"
#include "io/utf8.h"

#define HELD_KEPT (1024 * 1024) /* bytes: only an unusual record needs more */

static const char too_long[] = "too_long";
static const char bad_escape[] = "bad_escape";

/* ---- lines ---- */

/* Looks at size bytes that are held: one or more lines. */
static const struct file_line *view_held(struct csv *csv, size_t size)
{
    const char *text = csv->held.text + csv->next;
    bool is_crlf = size >= 2 && text[size - 2] == '\r';
    size_t length = size - (is_crlf ? 2 : 1);

    csv->view = (struct file_line){.text = text,
                                   .length = length,
                                   .full_length = (int64_t)length,
                                   .number = csv->number,
                                   .is_crlf = is_crlf};
    return &csv->view;
}

/* Counts what is viewed as read; the bytes stay until the next call of csv_next. */
static void take_held(struct csv *csv)
{
    char *text = csv->held.text + csv->next;
    const char *at = text;
    const char *end = text + csv->view.length;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        csv->number++;
        at++;
    }
    csv->number++;
    csv->next += csv->view.length + (csv->view.is_crlf ? 2 : 1);
    text[csv->view.length] = '\0';
}

/* The bytes of the held line at from, with its end. */
static size_t held_line(const struct csv *csv, size_t from)
{
    const char *text = csv->held.text + from;
    const char *end = memchr(text, '\n', csv->held.length - from);

    return (size_t)(end - text) + 1;
}

static void forget_held(struct csv *csv)
{
    if (csv->next < csv->held.length) {
        return;
    }
    csv->next = 0;
    str_clear(&csv->held);
    if (csv->held.capacity > HELD_KEPT) {
        str_release(&csv->held);
    }
}

/* Moves the line of the file behind what is held. */
static void hold(struct csv *csv)
{
    const struct file_line *line = &csv->line;
    /* A CR that file_next left alone, though no LF follows, is at the end of input: the end that
     * is put behind must not eat it. */
    bool is_crlf = line->is_crlf || (line->length > 0 && line->text[line->length - 1] == '\r');

    str_add(&csv->held, line->text, line->length);
    str_add_text(&csv->held, is_crlf ? "\r\n" : "\n");
    csv->has_line = false;
}

/* The next line, without taking it. */
static enum file_got peek(struct csv *csv, const struct file_line **line, struct error *err)
{
    if (csv->next < csv->held.length) {
        *line = view_held(csv, held_line(csv, csv->next));
        return FILE_LINE;
    }
    *line = &csv->line;
    if (!csv->has_line) {
        enum file_got got = file_next(csv->file, &csv->line, err);

        if (got != FILE_LINE) {
            return got;
        }
        csv->has_line = true;
    }
    return FILE_LINE;
}

static void take(struct csv *csv, const struct file_line *line)
{
    if (line == &csv->view) {
        take_held(csv);
    } else {
        csv->has_line = false;
    }
}

/* ---- records ---- */

/* Hands over what was taken: its cells, unless there is a reason against it. */
static enum csv_got give(struct csv *csv, struct csv_record *record, const struct file_line *raw,
                         const char *reason)
{
    if (reason != too_long) {
        const char *end = raw->text + raw->length;
        const char *text_end = utf8_text_end(raw->text, end);

        if (text_end < end) {
            reason = *text_end == '\0' ? "nul_character" : "bad_encoding";
        }
    }
    if (reason == NULL && csv->columns > 0 && csv->cells.count != csv->columns) {
        reason = "field_count";
    }
    record->raw = raw;
    record->reason = reason;
    if (reason != NULL) {
        return CSV_BAD;
    }
    record->cells = csv->cells.items;
    record->count = csv->cells.count;
    return CSV_RECORD;
}

static enum csv_got give_blank(struct csv *csv, struct csv_record *record)
{
    csv->view = (struct file_line){.text = "", .number = csv->blank_number};
    csv->blank_number++;
    csv->blanks--;
    return give(csv, record, &csv->view, "field_count");
}

enum grown { GROWN, GROWN_TOO_LONG, GROWN_END, GROWN_FAILED };

/* Adds a line to the *size bytes of the record at next. */
static enum grown grow(struct csv *csv, size_t *size, struct error *err)
{
    if (csv->next + *size == csv->held.length) {
        if (!csv->has_line) {
            enum file_got got = file_next(csv->file, &csv->line, err);

            if (got != FILE_LINE) {
                return got == FILE_END ? GROWN_END : GROWN_FAILED;
            }
            csv->has_line = true;
        }
        if (csv->line.is_too_long || *size + csv->line.length > csv->max_record) {
            return GROWN_TOO_LONG;
        }
        if (csv->next > 0) {
            memmove(csv->held.text, csv->held.text + csv->next, *size);
            csv->held.length = *size;
            csv->next = 0;
        }
        hold(csv);
    }
    *size += held_line(csv, csv->next + *size);
    return GROWN;
}

/*
 * A record whose first line ends within the quotes that are opened at byte place. Each line is
 * looked through twice at most before the record is whole: for the end of the quotes, then from
 * the cell that was open on.
 *
 * Where a cell is not closed, or not in a right place, the lines behind its first one hold doubled
 * quotes only, up to the one that broke it. So none of them, read again, opens a record of several
 * lines, and reading again costs no more than once.
 */
static enum csv_got give_long(struct csv *csv, struct csv_record *record,
                              const struct file_line *line, size_t place, struct error *err)
{
    size_t size = line->length + (line->is_crlf ? 2 : 1);
    enum csv_shape shape = CSV_OPEN;
    const char *reason = NULL;

    if (line == &csv->line) {
        csv->number = line->number;
        hold(csv);
        size = csv->held.length;
    }
    while (reason == NULL && shape != CSV_WHOLE) {
        size_t before = size;
        const char *text;

        switch (grow(csv, &size, err)) {
        case GROWN: break;
        case GROWN_TOO_LONG: reason = too_long; continue;
        case GROWN_END: reason = bad_escape; continue;
        case GROWN_FAILED: return CSV_FAILED;
        }
        text = csv->held.text + csv->next;
        if (csv_stays_open(text + before, size - before)) {
            continue;
        }
        shape = csv_split_comma(&csv->cells, text, place, view_held(csv, size)->length, &place);
        if (shape == CSV_BROKEN) {
            reason = bad_escape;
        }
    }
    if (reason != NULL) {
        size = place + held_line(csv, csv->next + place);
    }
    line = view_held(csv, size);
    take_held(csv);
    if (reason == NULL) {
        csv_split_comma(&csv->cells, line->text, 0, line->length, &place);
    }
    return give(csv, record, line, reason);
}

enum csv_got csv_next(struct csv *csv, struct csv_record *record, struct error *err)
{
    const struct file_line *line;
    enum file_got got;
    const char *reason = NULL;

    *record = (struct csv_record){0};
    forget_held(csv);
    while ((got = peek(csv, &line, err)) == FILE_LINE && line->length == 0 && csv->columns > 1) {
        if (csv->blanks++ == 0) {
            csv->blank_number = line->number;
        }
        take(csv, line);
    }
    if (got != FILE_LINE) {
        return got == FILE_END ? CSV_END : CSV_FAILED;
    }
    if (csv->blanks > 0) {
        return give_blank(csv, record);
    }
    if (line->is_too_long) {
        reason = too_long;
    } else if (csv->dialect == CSV_TAB) {
        reason = csv_split_tab(&csv->cells, line->text, line->length, csv->columns > 0);
    } else {
        size_t place;
        enum csv_shape shape = csv_split_comma(&csv->cells, line->text, 0, line->length, &place);

        if (shape == CSV_OPEN) {
            return give_long(csv, record, line, place, err);
        }
        reason = shape == CSV_BROKEN ? bad_escape : NULL;
    }
    take(csv, line);
    return give(csv, record, line, reason);
}

enum csv_got csv_take(struct csv *csv, const char *text, size_t length, struct csv_record *record)
{
    const char *reason = NULL;
    size_t place;

    *record = (struct csv_record){0};
    csv->view = (struct file_line){.text = text, .length = length, .full_length = (int64_t)length};
    if (csv->dialect == CSV_TAB) {
        reason = csv_split_tab(&csv->cells, text, length, csv->columns > 0);
    } else if (csv_split_comma(&csv->cells, text, 0, length, &place) != CSV_WHOLE) {
        reason = bad_escape;
    }
    return give(csv, record, &csv->view, reason);
}

int64_t csv_size(const struct csv *csv)
{
    return file_size(csv->file);
}

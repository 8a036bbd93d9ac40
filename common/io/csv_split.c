/* SPDX-License-Identifier: MIT */
#include "io/csv_split.h"

#include <string.h>

#define DECODED_KEPT (1024 * 1024) /* bytes: only an unusual record needs more */

void csv_cells_init(struct csv_cells *cells)
{
    cells->count = 0;
    str_init(&cells->decoded);
}

void csv_cells_release(struct csv_cells *cells)
{
    str_release(&cells->decoded);
}

/* Forgets the cells of the last record. */
static void begin(struct csv_cells *cells)
{
    cells->count = 0;
    if (cells->decoded.capacity > DECODED_KEPT) {
        str_release(&cells->decoded);
    }
    str_clear(&cells->decoded);
}

static void add(struct csv_cells *cells, const char *text, size_t length, bool is_null)
{
    if (cells->count < CSV_COLUMNS_MAX) {
        cells->items[cells->count] =
            (struct csv_cell){.text = text, .length = length, .is_null = is_null};
    }
    cells->count++;
}

/* Adds what was decoded since there were before bytes. */
static void add_decoded(struct csv_cells *cells, size_t before)
{
    add(cells, cells->decoded.text + before, cells->decoded.length - before, false);
}

/* ---- CSV_TAB ---- */

/* What the escape stands for; NUL where there is no such escape. */
static char unescape(char letter)
{
    switch (letter) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'r': return '\r';
    case '\\': return '\\';
    default: return '\0';
    }
}

/* A cell whose first backslash is at slash. There is room for all of it in decoded. */
static const char *decode(struct csv_cells *cells, const char *at, const char *slash,
                          const char *end)
{
    size_t before = cells->decoded.length;

    do {
        char character = slash + 1 < end ? unescape(slash[1]) : '\0';

        if (character == '\0') {
            return slash + 1 < end && slash[1] == '0' ? "nul_character" : "bad_escape";
        }
        str_add(&cells->decoded, at, (size_t)(slash - at));
        str_add_char(&cells->decoded, character);
        at = slash + 2;
        slash = memchr(at, '\\', (size_t)(end - at));
    } while (slash != NULL);
    str_add(&cells->decoded, at, (size_t)(end - at));
    add_decoded(cells, before);
    return NULL;
}

static bool is_null(const char *text, size_t length)
{
    return (length == 4 && memcmp(text, "NULL", 4) == 0) ||
           (length == 2 && memcmp(text, "\\N", 2) == 0);
}

const char *csv_split_tab(struct csv_cells *cells, const char *text, size_t length, bool has_null)
{
    const char *end = text + length;
    bool has_escape = memchr(text, '\\', length) != NULL;

    begin(cells);
    if (has_escape) {
        str_reserve(&cells->decoded, length); /* cells point into it: it must not move */
    }
    for (;;) {
        const char *tab = memchr(text, '\t', (size_t)(end - text));
        size_t size = (size_t)((tab != NULL ? tab : end) - text);
        const char *slash = has_escape ? memchr(text, '\\', size) : NULL;

        if (has_null && is_null(text, size)) {
            add(cells, text, 0, true);
        } else if (slash == NULL) {
            add(cells, text, size, false);
        } else {
            const char *reason = decode(cells, text, slash, text + size);

            if (reason != NULL) {
                return reason;
            }
        }
        if (tab == NULL) {
            return NULL;
        }
        text = tab + 1;
    }
}

/* ---- CSV_COMMA ---- */

/* The first quote from at on that is not doubled; NULL if there is none. Sets *is_doubled if others
 * went before. */
static const char *closing_quote(const char *at, const char *end, bool *is_doubled)
{
    const char *quote;

    while ((quote = memchr(at, '"', (size_t)(end - at))) != NULL) {
        if (quote + 1 == end || quote[1] != '"') {
            return quote;
        }
        *is_doubled = true;
        at = quote + 2;
    }
    return NULL;
}

/* A cell of which every quote is doubled. There is room for all of it in decoded. */
static void halve(struct csv_cells *cells, const char *at, const char *end)
{
    size_t before = cells->decoded.length;
    const char *quote;

    while ((quote = memchr(at, '"', (size_t)(end - at))) != NULL) {
        str_add(&cells->decoded, at, (size_t)(quote + 1 - at));
        at = quote + 2;
    }
    str_add(&cells->decoded, at, (size_t)(end - at));
    add_decoded(cells, before);
}

/* The cell whose opening quote is at *at, which moves behind the closing one. */
static enum csv_shape take_quoted(struct csv_cells *cells, const char **at, const char *end)
{
    const char *first = *at + 1;
    bool is_doubled = false;
    const char *quote = closing_quote(first, end, &is_doubled);

    if (quote == NULL) {
        return CSV_OPEN;
    }
    if (quote + 1 < end && quote[1] != ',') {
        return CSV_BROKEN;
    }
    if (!is_doubled) {
        add(cells, first, (size_t)(quote - first), false);
    } else {
        if (cells->decoded.length == 0) {
            /* For this cell and all that follow: cells point into it, it must not move. */
            str_reserve(&cells->decoded, (size_t)(end - first));
        }
        halve(cells, first, quote);
    }
    *at = quote + 1;
    return CSV_WHOLE;
}

enum csv_shape csv_split_comma(struct csv_cells *cells, const char *text, size_t from,
                               size_t length, size_t *place)
{
    const char *at = text + from;
    const char *end = text + length;
    bool has_quote = memchr(at, '"', length - from) != NULL;

    begin(cells);
    for (;;) {
        if (has_quote && at < end && *at == '"') {
            enum csv_shape shape;

            *place = (size_t)(at - text);
            shape = take_quoted(cells, &at, end);
            if (shape != CSV_WHOLE) {
                return shape;
            }
        } else {
            const char *comma = memchr(at, ',', (size_t)(end - at));
            size_t size = (size_t)((comma != NULL ? comma : end) - at);
            const char *quote = has_quote ? memchr(at, '"', size) : NULL;

            if (quote != NULL) {
                *place = (size_t)(quote - text);
                return CSV_BROKEN;
            }
            add(cells, at, size, size == 0);
            at += size;
        }
        if (at == end) {
            return CSV_WHOLE;
        }
        at++;
    }
}

bool csv_stays_open(const char *text, size_t length)
{
    bool is_doubled;

    return closing_quote(text, text + length, &is_doubled) == NULL;
}

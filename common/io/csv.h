/* SPDX-License-Identifier: MIT
 *
 * Records of CSV and TSV, their columns by the names of the header. Compression,
 * standard input, a byte order mark and CRLF are dealt with as io/file.h says;
 * memory is bounded by one record. What the cells mean (numbers, times) is left
 * to the caller.
 *
 * CSV_COMMA is RFC 4180 as PostgreSQL and Python write it. A cell that begins
 * with a quote ends with one; within, a quote is doubled, and commas and line
 * breaks are text (a CRLF stays a CRLF). An empty cell is NULL, "" is the empty
 * text. White space belongs to the cell; a CR that is neither quoted nor part of
 * a line's end is text.
 *
 * CSV_TAB is what `mysql --batch` prints, and edX data packages: a record is a
 * line, no quotes. \t, \n, \r and \\ stand for what they name; \0 stands for NUL,
 * which no text may hold. A cell NULL or \N is NULL, so the text of these four
 * letters cannot be told from it. A CR is text, except before the end of its line.
 *
 * A blank line is a record of one cell (CSV_COMMA: NULL, CSV_TAB: the empty
 * text). Where the header has several columns that is a field_count, but blank
 * lines at the end of input are passed over; where it has one, every line is a
 * record, the last one, too.
 *
 *     struct csv *csv = csv_open(path, CSV_TAB, max_record, err);
 *     size_t id = csv_column(csv, "id");
 *     while ((got = csv_next(csv, &record, err)) == CSV_RECORD || got == CSV_BAD)
 *         ... record.cells[id] ...
 *     csv_close(csv);
 */
#ifndef IO_CSV_H
#define IO_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "io/file.h"

#define CSV_COLUMNS_MAX 4096 /* as many as MySQL allows in a table */
#define CSV_NONE SIZE_MAX

enum csv_dialect { CSV_COMMA, CSV_TAB };

struct csv;

struct csv_cell {
    const char *text; /* decoded UTF-8 without NUL; no NUL follows it */
    size_t length;
    bool is_null; /* then length is 0 */
};

/* Borrowed until the next call. */
struct csv_record {
    const struct csv_cell *cells; /* in the order of the header; NULL where the record is bad */
    size_t count;                 /* as many as the header has columns; 0 where it is bad */
    const char *reason;           /* why it is bad, else NULL */
    const struct file_line *raw;  /* its bytes as they stood in the file, without the end of the
                                   * last line; number is that of its first line */
};

/* Opens the file and reads its header; max_record in bytes bounds a record, its inner line breaks
 * included. Where nothing is there, not even a header (which is what `mysql --batch` prints when
 * no row was found), there are no columns and no records. A failure of file_open, or STATUS_DATA:
 * the header is no record, is a blank line, has a name twice or more than CSV_COLUMNS_MAX. Names
 * of a header are never NULL. */
struct csv *csv_open(const char *path, enum csv_dialect dialect, int64_t max_record,
                     struct error *err);

/* A table of which single records were kept, with the bytes of its header (csv_header): csv_take
 * reads them, csv_next is not for it. STATUS_DATA as csv_open. */
struct csv *csv_open_kept(const char *header, size_t length, enum csv_dialect dialect,
                          struct error *err);

void csv_close(struct csv *csv); /* accepts NULL */

enum csv_got { CSV_RECORD, CSV_BAD, CSV_END, CSV_FAILED };

/*
 * The next record. CSV_BAD is one that cannot be taken; the reading goes on behind it. Reasons, of
 * several the first:
 *
 *     too_long        longer than max_record; a line that is too long by itself stands alone
 *     nul_character, bad_encoding    its bytes are no text, whatever they would mean
 *     nul_character   CSV_TAB: \0
 *     bad_escape      CSV_TAB: a backslash before anything else, or at the end of a cell
 *                     CSV_COMMA: a quote in a cell that does not begin with one, something other
 *                     than a comma behind a closing quote, a quote that is never closed
 *     field_count     more or fewer cells than the header has columns
 *
 * Where quotes are wrong nobody knows where the record ends. It is said to end with the line of
 * the first wrong quote: of a cell that is not closed, is closed by a quote in a wrong place or
 * makes the record too long, this is the opening one. What follows is read line by line again.
 * So a stray quote costs its own line, and a record of several lines that is too long comes as
 * several bad ones (or, where such a line happens to look like a record, as that). Any other
 * record ends where its quotes say.
 *
 * CSV_FAILED is a failure of file_next.
 */
enum csv_got csv_next(struct csv *csv, struct csv_record *record, struct error *err);

/* A record from its bytes (those of raw, above), which are borrowed as long as the record is:
 * CSV_RECORD or CSV_BAD, of which all but too_long can be a reason. */
enum csv_got csv_take(struct csv *csv, const char *text, size_t length, struct csv_record *record);

/* Adds the bytes of a record (CSV_RECORD) to *to, with NULL in place of the cells of the columns of
 * these names (NULL-terminated): for keeping rejects. */
void csv_blank(const struct csv *csv, const struct csv_record *record, const char *const *names,
               struct str *to);

/* Nothing was there, not even a header. */
bool csv_is_empty(const struct csv *csv);

/* The place of a column among the cells; CSV_NONE if the header has no such name. Names are
 * compared exactly: case and white space matter. */
size_t csv_column(const struct csv *csv, const char *name);

/* The bytes of the header as they stood in the file; borrowed. */
const char *csv_header(const struct csv *csv, size_t *length);

/* As file_bytes and file_size. */
int64_t csv_bytes(const struct csv *csv);
int64_t csv_size(const struct csv *csv);

#endif

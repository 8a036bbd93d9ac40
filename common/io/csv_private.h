/* SPDX-License-Identifier: MIT
 *
 * What the readers of headers and of records share. Part of io/csv.
 */
#ifndef IO_CSV_PRIVATE_H
#define IO_CSV_PRIVATE_H

#include "base/str.h"
#include "io/csv.h"
#include "io/csv_split.h"

struct csv {
    struct file *file; /* NULL: records come by csv_take */
    struct str header; /* its bytes */
    enum csv_dialect dialect;
    size_t max_record;
    char **names;
    size_t columns;        /* 0 while the header is read */
    struct file_line line; /* from the file, not taken yet where has_line */
    bool has_line;
    /* Lines of records that go on behind their first line, each with its end. What follows next
     * was read as part of one that is bad, and is read again before the file. */
    struct str held;
    size_t next;
    int64_t number;        /* of the line at next */
    struct file_line view; /* of what is in held, or of a blank line */
    int64_t blanks;        /* blank lines that were taken and not given yet */
    int64_t blank_number;  /* of the first of them */
    struct csv_cells cells;
};

#endif

/* SPDX-License-Identifier: MIT
 *
 * Rows in COPY's binary format, from values to the connection, in chunks of
 * bounded size; and the relay of COPYs out of servers into another one.
 *
 *   struct copy *copy = copy_open(db, sql, values, err);
 *   copy_row(copy, columns); copy_int(copy, ...); ...   one call per column, in order
 *   copy_end(copy, &rows, err);
 *   copy_close(copy);
 *
 * Column calls only fill a buffer and cannot fail; copy_row sends the buffer when it is
 * full and reports failures. After a failure only copy_close makes sense.
 * Format: PostgreSQL's documentation of COPY, "Binary Format".
 */
#ifndef IO_COPY_H
#define IO_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "io/db.h"

struct copy;

struct copy *copy_open(struct db *db, const struct sql *sql, const struct db_value *values,
                       struct error *err);
void copy_close(struct copy *copy); /* accepts NULL */

/* Begins a row of so many columns. */
bool copy_row(struct copy *copy, int columns, struct error *err);

/* Takes back what was begun since the last copy_row: the row was found wanting. */
void copy_take_back(struct copy *copy);

void copy_null(struct copy *copy);
void copy_int(struct copy *copy, int64_t number);  /* bigint */
void copy_float(struct copy *copy, double number); /* double precision */
void copy_bool(struct copy *copy, bool value);
void copy_time(struct copy *copy, int64_t time); /* timestamptz; the beginning: -infinity */
void copy_text(struct copy *copy, const char *text, size_t length);   /* text */
void copy_bytes(struct copy *copy, const void *bytes, size_t length); /* bytea */
void copy_jsonb(struct copy *copy, const char *text, size_t length);
/* text[]: begin with the number of elements, which may be 0, then copy_text for each. */
void copy_text_list(struct copy *copy, int32_t count);

bool copy_end(struct copy *copy, int64_t *rows, struct error *err);

/*
 * Columns that a relay puts before those of each row; fill them by the calls above. They end with
 * copy_close.
 */
struct copy *copy_new_lead(int columns);

/* A session that gives rows to a relay. */
struct copy_stream {
    struct db *db;
    const struct db_value *values; /* of its statement */
    struct copy *lead;             /* NULL for none; borrowed */
    int64_t rows;                  /* what it gave */
};

/*
 * Sends what from_sql gives on all streams into one to_sql on *to, as the rows come, in constant
 * memory. Binary format: the rows are passed on without a look inside, each stream's header and
 * end are left out. Each stream's count must be that of its server, and their sum that of *to (75
 * if not). *bytes is raised by what was sent. After a failure nothing runs on the streams, which
 * can only be closed.
 */
bool copy_relay(struct copy_stream *streams, size_t count, const struct sql *from_sql,
                struct db *to, const struct sql *to_sql, int64_t *bytes, struct error *err);

#endif

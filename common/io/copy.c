/* SPDX-License-Identifier: MIT
 *
 * COPY's binary format: a header; per row a 16-bit number of columns, per
 * column a 32-bit length (-1 for NULL) and its bytes, all in network order;
 * at the end -1 as number of columns.
 */
#include "io/copy.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/copy_private.h"

#define KEPT_MEMORY ((size_t)1 << 20)         /* a buffer that grew for a long row is given back */
#define SERVER_EPOCH INT64_C(946684800000000) /* 2000-01-01, where the server counts from */
#define TYPE_TEXT 25

/* ---- the buffer ---- */

void copy_put_number(char *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (char)(unsigned char)(number >> 8 * (bytes - 1 - i));
}

static void add_number(struct copy *copy, uint64_t number, size_t bytes)
{
    char text[8];
    copy_put_number(text, number, bytes);
    str_add(&copy->buffer, text, bytes);
}

static void add_value(struct copy *copy, const void *bytes, size_t length)
{
    if (length > INT32_MAX)
        BUG("a value is longer than a column can be"); /* uncovered: takes 2 GiB */
    add_number(copy, length, 4);
    str_add(&copy->buffer, bytes, length);
}

static bool send_buffer(struct copy *copy, struct error *err)
{
    bool ok = db_copy_put(copy->db, copy->buffer.text, copy->buffer.length, err);
    if (copy->buffer.capacity > KEPT_MEMORY) {
        str_release(&copy->buffer);
        str_init(&copy->buffer);
    }
    str_clear(&copy->buffer);
    copy->row_start = 0;
    return ok;
}

/* ---- life cycle ---- */

struct copy *copy_open(struct db *db, const struct sql *sql, const struct db_value *values,
                       struct error *err)
{
    if (!db_copy_in(db, sql, values, err))
        return NULL;
    struct copy *copy = mem_alloc(sizeof *copy);
    copy->db = db;
    str_init(&copy->buffer);
    str_add(&copy->buffer, COPY_HEADER, sizeof COPY_HEADER);
    copy->row_start = copy->buffer.length;
    return copy;
}

struct copy *copy_new_lead(int columns)
{
    struct copy *lead = mem_alloc(sizeof *lead);
    lead->columns = columns;
    str_init(&lead->buffer);
    add_number(lead, 0, 2);
    return lead;
}

void copy_close(struct copy *copy)
{
    if (!copy)
        return;
    str_release(&copy->buffer);
    free(copy);
}

bool copy_row(struct copy *copy, int columns, struct error *err)
{
    if (copy->buffer.length >= COPY_CHUNK && !send_buffer(copy, err))
        return false;
    copy->row_start = copy->buffer.length;
    copy->list_left = 0;
    add_number(copy, (uint64_t)columns, 2);
    return true;
}

void copy_take_back(struct copy *copy)
{
    copy->buffer.length = copy->row_start;
    copy->buffer.text[copy->row_start] = '\0';
}

bool copy_end(struct copy *copy, int64_t *rows, struct error *err)
{
    add_number(copy, UINT64_MAX, 2);
    return send_buffer(copy, err) && db_copy_in_end(copy->db, rows, err);
}

/* ---- columns ---- */

void copy_null(struct copy *copy)
{
    add_number(copy, UINT64_MAX, 4);
}

void copy_int(struct copy *copy, int64_t number)
{
    add_number(copy, 8, 4);
    add_number(copy, (uint64_t)number, 8);
}

void copy_float(struct copy *copy, double number)
{
    uint64_t bits;
    _Static_assert(sizeof bits == sizeof number, "a double has the 64 bits of IEEE 754");
    memcpy(&bits, &number, sizeof bits);
    add_number(copy, 8, 4);
    add_number(copy, bits, 8);
}

void copy_bool(struct copy *copy, bool value)
{
    add_number(copy, 1, 4);
    add_number(copy, value, 1);
}

void copy_time(struct copy *copy, int64_t time)
{
    copy_int(copy, time == CLOCK_BEGINNING ? INT64_MIN : time - SERVER_EPOCH);
}

void copy_text(struct copy *copy, const char *text, size_t length)
{
    add_value(copy, text, length);
    if (copy->list_left > 0 && --copy->list_left == 0)
        copy_put_number(copy->buffer.text + copy->list_start,
                        copy->buffer.length - copy->list_start - 4, 4);
}

void copy_bytes(struct copy *copy, const void *bytes, size_t length)
{
    add_value(copy, bytes, length);
}

void copy_jsonb(struct copy *copy, const char *text, size_t length)
{
    if (length >= INT32_MAX)
        BUG("a value is longer than a column can be"); /* uncovered: takes 2 GiB */
    add_number(copy, length + 1, 4);
    add_number(copy, 1, 1); /* the format's version */
    str_add(&copy->buffer, text, length);
}

void copy_text_list(struct copy *copy, int32_t count)
{
    copy->list_start = copy->buffer.length;
    copy->list_left = count;
    add_number(copy, 12, 4);        /* the length, if there are no elements */
    add_number(copy, count > 0, 4); /* dimensions */
    add_number(copy, 0, 4);         /* no NULL among them */
    add_number(copy, TYPE_TEXT, 4);
    if (count > 0) {
        add_number(copy, (uint64_t)count, 4);
        add_number(copy, 1, 4); /* the first subscript */
    }
}

/* SPDX-License-Identifier: MIT */
#include "fake_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define ROWS_MAX 2048

struct row {
    struct str text;
    int declared, columns;
};

struct copy {
    struct row rows[ROWS_MAX]; /* the one at count - 1 is being filled */
    size_t count;
    int elements; /* of the list that is being filled */
    int fail_at;
    bool is_open;
};

static struct copy *latest;

struct copy *__wrap_copy_open(struct db *db, const struct sql *sql, const struct db_value *values,
                              struct error *err);
void __wrap_copy_close(struct copy *copy);
bool __wrap_copy_row(struct copy *copy, int columns, struct error *err);
void __wrap_copy_take_back(struct copy *copy);
void __wrap_copy_null(struct copy *copy);
void __wrap_copy_int(struct copy *copy, int64_t number);
void __wrap_copy_float(struct copy *copy, double number);
void __wrap_copy_bool(struct copy *copy, bool value);
void __wrap_copy_time(struct copy *copy, int64_t time);
void __wrap_copy_text(struct copy *copy, const char *text, size_t length);
void __wrap_copy_bytes(struct copy *copy, const void *bytes, size_t length);
void __wrap_copy_jsonb(struct copy *copy, const char *text, size_t length);
void __wrap_copy_text_list(struct copy *copy, int32_t count);
bool __wrap_copy_end(struct copy *copy, int64_t *rows, struct error *err);

/* ---- the test's words ---- */

struct copy *fake_copy_new(void)
{
    latest = mem_alloc(sizeof *latest);
    return latest;
}

void fake_copy_clear(struct copy *copy)
{
    for (size_t i = 0; i < ROWS_MAX; i++)
        str_release(&copy->rows[i].text);
    memset(copy->rows, 0, sizeof copy->rows);
    copy->count = 0;
    copy->elements = 0;
}

void fake_copy_free(struct copy *copy)
{
    assert_false(copy->is_open);
    fake_copy_clear(copy);
    free(copy);
}

size_t fake_copy_count(const struct copy *copy)
{
    return copy->count;
}

const char *fake_copy_columns(const struct copy *copy)
{
    assert_int_equal(copy->count, 1);
    return copy->rows[0].text.text;
}

const char *fake_copy_row(const struct copy *copy, size_t row)
{
    assert_true(row < copy->count);
    assert_int_equal(copy->rows[row].columns, copy->rows[row].declared);
    return copy->rows[row].text.text;
}

void fake_copy_fail_at(struct copy *copy, int n)
{
    copy->fail_at = n;
}

/* ---- the copy ---- */

static bool succeed(struct copy *copy, struct error *err)
{
    return copy->fail_at == 0 || --copy->fail_at > 0 ||
           error_set(err, STATUS_TEMPORARY, "the copy failed; try again");
}

static struct row *begin_row(struct copy *copy, int columns)
{
    assert_true(copy->count < ROWS_MAX);
    struct row *row = &copy->rows[copy->count++];
    str_init(&row->text);
    row->declared = columns;
    return row;
}

/* Where the next column goes. Elements of a list are no columns of their own. */
static struct str *column(struct copy *copy)
{
    struct row *row = copy->count > 0 ? &copy->rows[copy->count - 1] : begin_row(copy, 0);
    if (copy->elements == 0)
        row->columns++;
    if (row->text.length > 0 && row->text.text[row->text.length - 1] != '[')
        str_add_char(&row->text, ' ');
    return &row->text;
}

static void add_quoted(struct str *to, const char *mark, const char *text, size_t length)
{
    str_add_text(to, mark);
    str_add_char(to, '\'');
    str_add(to, text, length);
    str_add_char(to, '\'');
}

struct copy *__wrap_copy_open(struct db *db, const struct sql *sql, const struct db_value *values,
                              struct error *err)
{
    (void)db;
    (void)sql;
    (void)values;
    if (!succeed(latest, err))
        return NULL;
    latest->is_open = true;
    return latest;
}

void __wrap_copy_close(struct copy *copy)
{
    if (copy)
        copy->is_open = false;
}

bool __wrap_copy_row(struct copy *copy, int columns, struct error *err)
{
    assert_int_equal(copy->elements, 0);
    if (!succeed(copy, err))
        return false;
    begin_row(copy, columns);
    return true;
}

void __wrap_copy_take_back(struct copy *copy)
{
    assert_true(copy->count > 0);
    struct row *row = &copy->rows[--copy->count];
    str_release(&row->text);
    *row = (struct row){0};
    copy->elements = 0;
}

void __wrap_copy_null(struct copy *copy)
{
    str_add_text(column(copy), "null");
}

void __wrap_copy_int(struct copy *copy, int64_t number)
{
    str_add_format(column(copy), "%lld", (long long)number);
}

void __wrap_copy_float(struct copy *copy, double number)
{
    str_add_format(column(copy), "%.17g", number);
}

void __wrap_copy_bool(struct copy *copy, bool value)
{
    str_add_text(column(copy), value ? "true" : "false");
}

void __wrap_copy_time(struct copy *copy, int64_t time)
{
    char text[CLOCK_TEXT_SIZE];
    str_add_text(column(copy), clock_format(time, text));
}

void __wrap_copy_text(struct copy *copy, const char *text, size_t length)
{
    struct str *to = column(copy);
    add_quoted(to, "", text, length);
    if (copy->elements > 0 && --copy->elements == 0)
        str_add_char(to, ']');
}

void __wrap_copy_bytes(struct copy *copy, const void *bytes, size_t length)
{
    add_quoted(column(copy), "x", bytes, length);
}

void __wrap_copy_jsonb(struct copy *copy, const char *text, size_t length)
{
    add_quoted(column(copy), "j", text, length);
}

void __wrap_copy_text_list(struct copy *copy, int32_t count)
{
    str_add_text(column(copy), count > 0 ? "[" : "[]");
    copy->elements = count;
}

bool __wrap_copy_end(struct copy *copy, int64_t *rows, struct error *err)
{
    if (!succeed(copy, err))
        return false;
    *rows = (int64_t)copy->count;
    return true;
}

/* SPDX-License-Identifier: MIT
 *
 * Rows by column name, as a real server writes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../unit/io/expect_bug.h"
#include "base/clock.h"
#include "db_fixture.h"

static struct db_rows *query(const char *text)
{
    struct db_rows *rows = db_query(db, SQL(text), NULL, &err);
    if (!rows)
        fail_msg("%s", err.message);
    return rows;
}

static void values_are_found_by_column_and_row(void **state)
{
    (void)state;
    struct db_rows *rows = query("SELECT n AS \"Number\", 'word ' || n AS word, n = 2 AS is_two,"
                                 " NULL::text AS none, NULL::boolean AS unknown"
                                 " FROM pg_catalog.generate_series(1, 2) AS n ORDER BY n");
    assert_int_equal(db_rows_count(rows), 2);
    assert_int_equal(db_rows_int(rows, 1, "Number"), 2);
    assert_string_equal(db_rows_text(rows, 0, "word"), "word 1");
    assert_false(db_rows_bool(rows, 0, "is_two"));
    assert_true(db_rows_bool(rows, 1, "is_two"));
    assert_null(db_rows_text(rows, 0, "none"));
    assert_int_equal(db_rows_int(rows, 0, "none"), 0);
    assert_false(db_rows_bool(rows, 0, "unknown"));
    db_rows_free(rows);
}

static void integers_keep_all_digits(void **state)
{
    (void)state;
    struct db_rows *rows = query("SELECT 9223372036854775807 AS big, -9007199254740993 AS small");
    assert_true(db_rows_int(rows, 0, "big") == INT64_MAX);
    assert_true(db_rows_int(rows, 0, "small") == INT64_C(-9007199254740993));
    db_rows_free(rows);
}

static void times_are_microseconds(void **state)
{
    (void)state;
    struct db_rows *rows =
        query("SELECT '2000-01-01 00:00:00.000001+00'::timestamptz AS t,"
              " '2000-01-01 02:00:00+02'::timestamptz AS zoned, '-infinity'::timestamptz AS first,"
              " 'infinity'::timestamptz AS last, NULL::timestamptz AS none,"
              " '0044-03-15 BC'::timestamptz AS ides, '10000-01-01'::timestamptz AS late");
    assert_true(db_rows_time(rows, 0, "t") == INT64_C(946684800000001));
    assert_true(db_rows_time(rows, 0, "zoned") == INT64_C(946684800000000));
    assert_true(db_rows_time(rows, 0, "first") == CLOCK_BEGINNING);
    assert_true(db_rows_time(rows, 0, "last") == INT64_MAX);
    assert_true(db_rows_time(rows, 0, "none") == CLOCK_BEGINNING);
    assert_true(db_rows_time(rows, 0, "ides") == CLOCK_BEGINNING);
    assert_true(db_rows_time(rows, 0, "late") == INT64_MAX);
    db_rows_free(rows);
}

static void a_query_without_rows_is_no_failure(void **state)
{
    (void)state;
    struct db_rows *rows = query("SELECT 1 AS n WHERE false");
    assert_int_equal(db_rows_count(rows), 0);
    db_rows_free(rows);
    db_rows_free(NULL);
}

static void a_query_that_fails_gives_no_rows(void **state)
{
    (void)state;
    memset(&err, 0, sizeof err);
    assert_null(db_query(db, SQL("SELECT 1 / 0 AS n"), NULL, &err));
    assert_string_equal(err.sqlstate, "22012");
}

static void ask_unknown_column(void *rows)
{
    db_rows_text(rows, 0, "number");
}

static void ask_row_beyond(void *rows)
{
    db_rows_text(rows, 1, "n");
}

static void what_a_query_does_not_have_is_a_bug(void **state)
{
    (void)state;
    struct db_rows *rows = query("SELECT 1 AS n");
    expect_bug(ask_unknown_column, rows, "no column \"number\"");
    expect_bug(ask_row_beyond, rows, "no row 1");
    db_rows_free(rows);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(values_are_found_by_column_and_row),
        TEST(integers_keep_all_digits),
        TEST(times_are_microseconds),
        TEST(a_query_without_rows_is_no_failure),
        TEST(a_query_that_fails_gives_no_rows),
        TEST(what_a_query_does_not_have_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

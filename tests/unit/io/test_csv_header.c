/* SPDX-License-Identifier: MIT */
#include "csv_text.h"

static void the_bytes_of_the_header_are_kept(void **state)
{
    struct csv *csv;
    size_t length;

    (void)state;
    write_bytes(BYTES("\xef\xbb\xbf\"b\nb\", a\r\n1,2\r\n"));
    csv = csv_open(path, CSV_COMMA, CSV_TEXT_LONG, &err);
    assert_non_null(csv);
    assert_string_equal(csv_header(csv, &length), "\"b\nb\", a");
    assert_int_equal(length, 8);
    csv_close(csv);
}

static void assert_takes(enum csv_dialect dialect, const char *header, const char *text,
                         const char *expected)
{
    struct csv *csv = csv_open_kept(header, strlen(header), dialect, &err);
    struct csv_record record;
    enum csv_got got;

    assert_non_null(csv);
    assert_int_equal(csv_column(csv, "a"), 1);
    assert_int_equal(csv_column(csv, "c"), CSV_NONE);
    got = csv_take(csv, text, strlen(text), &record);
    assert_int_equal(got == CSV_BAD, record.reason != NULL);
    str_clear(&said);
    say(&record);
    assert_said(expected, strlen(expected));
    csv_close(csv);
}

static void a_record_that_was_kept_is_read_by_its_header(void **state)
{
    (void)state;
    assert_takes(CSV_COMMA, "b,a", "1,\"2\n\"\"x\"\"\"", "0: 1|2\n\"x\";");
    assert_takes(CSV_COMMA, "b,a", ",\"\"", "0: ~|;");
    assert_takes(CSV_COMMA, "b,a", "1", "0! field_count (1);");
    assert_takes(CSV_COMMA, "b,a", "1,\"2", "0! bad_escape (1,\"2);");
    assert_takes(CSV_COMMA, "b,a", "1,2\"", "0! bad_escape (1,2\");");
    assert_takes(CSV_COMMA, "b,a", "1,\xff", "0! bad_encoding (1,\xff);");
    assert_takes(CSV_TAB, "b\ta", "NULL\t\\t", "0: ~|\t;");
    assert_takes(CSV_TAB, "NULL\ta", "1\t\\x", "0! bad_escape (1\t\\x);");
}

static void assert_blanked(enum csv_dialect dialect, const char *header, const char *text,
                           const char *expected)
{
    static const char *const names[] = {"s", "t", NULL};
    struct csv *csv = csv_open_kept(header, strlen(header), dialect, &err);
    struct csv_record record;

    assert_non_null(csv);
    assert_int_equal(csv_take(csv, text, strlen(text), &record), CSV_RECORD);
    str_clear(&said);
    csv_blank(csv, &record, names, &said);
    assert_said(expected, strlen(expected));
    csv_close(csv);
}

static void cells_of_some_columns_are_blanked(void **state)
{
    (void)state;
    assert_blanked(CSV_COMMA, "a,s,b,t", "1,2,\"3,\"\"\",4", "1,,\"3,\"\"\",");
    assert_blanked(CSV_COMMA, "s,a,t,b", "\"x,\"\",\",,\"\",\"y\nz\"", ",,,\"y\nz\"");
    assert_blanked(CSV_COMMA, "s", "x", "");
    assert_blanked(CSV_COMMA, "S,a", "x,", "x,");
    assert_blanked(CSV_TAB, "a\ts\tb", "\"1\t\\t\t\\\\", "\"1\tNULL\t\\\\");
}

static void a_kept_header_is_judged_like_that_of_a_file(void **state)
{
    (void)state;
    assert_null(csv_open_kept("a,a", 3, CSV_COMMA, &err));
    assert_int_equal(err.status, STATUS_DATA);
    assert_string_equal(err.message, "columns 1 and 2 in the header of a table whose records were "
                                     "kept have the same name; give each a name of its own");
    assert_null(csv_open_kept("", 0, CSV_COMMA, &err));
    assert_int_equal(err.status, STATUS_DATA);
    assert_null(csv_open_kept("a,\"b", 4, CSV_COMMA, &err));
    assert_int_equal(err.status, STATUS_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_of_the_header_are_kept),
        cmocka_unit_test(a_record_that_was_kept_is_read_by_its_header),
        cmocka_unit_test(cells_of_some_columns_are_blanked),
        cmocka_unit_test(a_kept_header_is_judged_like_that_of_a_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

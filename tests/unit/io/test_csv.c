/* SPDX-License-Identifier: MIT
 *
 * The header, and where records begin and end. What a cell may hold is in
 * test_csv_split.c.
 */
#include "csv_text.h"

#define READS_COMMA(text, expected) \
    assert_reads(CSV_COMMA, CSV_TEXT_LONG, BYTES(text), BYTES(expected))
#define READS_TAB(text, expected) assert_reads(CSV_TAB, CSV_TEXT_LONG, BYTES(text), BYTES(expected))

/* Expects that the header is refused in these words about the file. */
static void refuses(enum csv_dialect dialect, const char *bytes, size_t length, const char *before,
                    const char *after)
{
    char expected[300];

    write_bytes(bytes, length);
    memset(&err, 0, sizeof(err));
    assert_null(csv_open(path, dialect, CSV_TEXT_LONG, &err));
    assert_int_equal(err.status, STATUS_DATA);
    snprintf(expected, sizeof(expected), "%sfile \"%s\"%s", before, strrchr(path, '/') + 1, after);
    assert_string_equal(err.message, expected);
}

/* ---- header ---- */

static void a_column_is_found_by_its_exact_name(void **state)
{
    struct csv *csv;

    (void)state;
    write_bytes(BYTES("\xef\xbb\xbfid,\"a, \"\"b\"\"\nc\", id,ID,\r\n"));
    csv = csv_open(path, CSV_COMMA, CSV_TEXT_LONG, &err);
    assert_non_null(csv);
    assert_int_equal(csv_column(csv, "id"), 0);
    assert_int_equal(csv_column(csv, "a, \"b\"\nc"), 1);
    assert_int_equal(csv_column(csv, " id"), 2);
    assert_int_equal(csv_column(csv, "ID"), 3);
    assert_int_equal(csv_column(csv, ""), 4);
    assert_true(csv_column(csv, "Id") == CSV_NONE);
    assert_true(csv_column(csv, "i") == CSV_NONE);
    say_rest(csv);
    assert_said("", 0);
}

static void a_name_of_a_header_is_never_null(void **state)
{
    struct csv *csv;

    (void)state;
    write_bytes(BYTES("NULL\ta\\tb\n"));
    csv = csv_open(path, CSV_TAB, CSV_TEXT_LONG, &err);
    assert_non_null(csv);
    assert_int_equal(csv_column(csv, "NULL"), 0);
    assert_int_equal(csv_column(csv, "a\tb"), 1);
    csv_close(csv);
    refuses(CSV_TAB, BYTES("a\t\\N\n"), "the header of ",
            " cannot be read (bad_escape); export it in UTF-8 as TSV");
}

static void an_empty_file_has_no_columns_and_no_records(void **state)
{
    struct csv *csv;

    (void)state;
    write_bytes(BYTES("\xef\xbb\xbf"));
    csv = csv_open(path, CSV_TAB, CSV_TEXT_LONG, &err);
    assert_non_null(csv);
    assert_true(csv_is_empty(csv));
    assert_true(csv_column(csv, "id") == CSV_NONE);
    say_rest(csv);
    assert_said("", 0);
}

static void a_header_is_no_blank_line(void **state)
{
    (void)state;
    refuses(CSV_COMMA, BYTES("\na,b\n"), "",
            " begins with a blank line where its header should be; remove it");
}

static void a_name_stands_once_in_a_header_and_is_not_told(void **state)
{
    (void)state;
    refuses(CSV_COMMA, BYTES("a,secret,b,\"secret\"\n"), "columns 2 and 4 in the header of ",
            " have the same name; give each a name of its own");
    refuses(CSV_TAB, BYTES("a\t\tb\t\n"), "columns 2 and 4 in the header of ",
            " have the same name; give each a name of its own");
    READS_COMMA("a,A\n1,2\n", "2: 1|2;");
}

static void a_header_is_refused_for_what_makes_a_record_bad(void **state)
{
    (void)state;
    refuses(CSV_COMMA, BYTES("a,\xff\n"), "the header of ",
            " cannot be read (bad_encoding); export it in UTF-8 as CSV");
    refuses(CSV_COMMA, BYTES("a\0,\0b\0\n"), "the header of ",
            " cannot be read (nul_character); export it in UTF-8 as CSV");
    refuses(CSV_COMMA, BYTES("a,b\"c\n"), "the header of ",
            " cannot be read (bad_escape); export it in UTF-8 as CSV");
    refuses(CSV_COMMA, BYTES("a,\"b\n1,2\n"), "the header of ",
            " cannot be read (bad_escape); export it in UTF-8 as CSV");
    assert_null(csv_open(path, CSV_COMMA, 3, &err));
    assert_string_equal(strstr(err.message, " cannot"),
                        " cannot be read (too_long); export it in UTF-8 as CSV");
}

static void a_header_has_no_more_columns_than_a_table_may_have(void **state)
{
    struct str header;
    struct csv *csv;

    (void)state;
    str_init(&header);
    for (int i = 0; i < CSV_COLUMNS_MAX; i++) {
        str_add_format(&header, "%sc%d", i > 0 ? "\t" : "", i);
    }
    write_bytes(header.text, header.length);
    csv = csv_open(path, CSV_TAB, CSV_TEXT_LONG, &err);
    assert_non_null(csv);
    assert_int_equal(csv_column(csv, "c4095"), 4095);
    csv_close(csv);
    str_add_text(&header, "\tlast");
    refuses(CSV_TAB, header.text, header.length, "the header of ",
            " has more than 4096 columns; check the file's format");
    str_release(&header);
}

static void a_file_that_is_not_there_is_no_data(void **state)
{
    (void)state;
    assert_null(csv_open("/tmp/none/of/these.csv", CSV_COMMA, CSV_TEXT_LONG, &err));
    assert_int_equal(err.status, STATUS_IO);
    csv_close(NULL);
}

/* ---- records ---- */

static void a_record_has_as_many_cells_as_the_header(void **state)
{
    (void)state;
    READS_COMMA("a,b\n1,2\n1\n1,2,3\n3,4",
                "2: 1|2;3! field_count (1);4! field_count (1,2,3);5: 3|4;");
    READS_TAB("a\tb\n1\t2\n1\n1\t2\t3\n3\t4", "2: 1|2;3! field_count (1);"
                                              "4! field_count (1\t2\t3);5: 3|4;");
    READS_COMMA("a,b\n,\n", "2: ~|~;");
}

static void crlf_ends_a_line_of_both_dialects(void **state)
{
    (void)state;
    READS_COMMA("a,b\r\n1,2\r\n\"x\",\r\n", "2: 1|2;3: x|~;");
    READS_TAB("a\tb\r\n1\tNULL\r\n", "2: 1|~;");
}

static void a_cr_elsewhere_is_text(void **state)
{
    (void)state;
    READS_COMMA("a,b\n1\r,2\r\r\n", "2: 1\r|2\r;");
    READS_TAB("a\tb\n1\r\t2\n", "2: 1\r|2;");
}

static void blank_lines_at_the_end_of_input_are_passed_over(void **state)
{
    (void)state;
    READS_COMMA("a,b\n1,2\n\n\r\n\n", "2: 1|2;");
    READS_TAB("a\tb\n\n", "");
}

static void blank_lines_before_a_record_lack_fields(void **state)
{
    (void)state;
    READS_TAB("a\tb\n\n\r\n1\t2\n\n3\t4\n\n",
              "2! field_count ();3! field_count ();4: 1|2;5! field_count ();6: 3|4;");
    READS_COMMA("a,b\n\n\"1\n\",2\n", "2! field_count ();3: 1\n|2;");
}

static void every_line_below_a_single_column_is_a_record(void **state)
{
    (void)state;
    READS_COMMA("a\n1\n\n\"\"\n\n", "2: 1;3: ~;4: ;5: ~;");
    READS_TAB("a\n1\n\nNULL\n\n", "2: 1;3: ;4: ~;5: ;");
}

static void a_line_break_within_quotes_is_kept_as_it_was(void **state)
{
    (void)state;
    READS_COMMA("a,b\n1,\"x\ny\r\n\r\n\"\"z\"\r\n2,\"\n\"\n3,4\n",
                "2: 1|x\ny\r\n\r\n\"z;6: 2|\n;8: 3|4;");
    READS_COMMA("a,b\n\"x\r\r\n\",\"\n\"\"\n\"", "2: x\r\r\n|\n\"\n;");
    READS_COMMA("a,b\n\"1\n2\",\"3\n4\"\n\"5\n6\",\"7\n8\"\n", "2: 1\n2|3\n4;5: 5\n6|7\n8;");
}

static void a_bad_record_of_several_lines_has_all_of_them(void **state)
{
    struct csv *csv;
    struct csv_record record;

    (void)state;
    READS_COMMA("a,b\n1,\"x\ny\",3\r\n4,5\n", "2! field_count (1,\"x\ny\",3);4: 4|5;");
    READS_COMMA("a,b\n1,\"\xff\r\n2,3\r\n\"\r\n4,5\n",
                "2! bad_encoding (1,\"\xff\r\n2,3\r\n\");5: 4|5;");
    write_bytes(BYTES("a,b\n1,\"x\r\ny\",3\r\n"));
    csv = csv_open(path, CSV_COMMA, CSV_TEXT_LONG, &err);
    assert_non_null(csv);
    assert_int_equal(csv_next(csv, &record, &err), CSV_BAD);
    assert_int_equal(record.raw->full_length, 10);
    assert_false(record.raw->is_too_long);
    assert_string_equal(record.raw->sha256, "");
    csv_close(csv);
}

/* ---- after wrong quotes ---- */

static void a_quote_that_is_never_closed_costs_its_line(void **state)
{
    (void)state;
    READS_COMMA("a,b\n1,\"x\n2,y\n\n3,z\n\n", "2! bad_escape (1,\"x);3: 2|y;4! field_count ();"
                                              "5: 3|z;");
    READS_COMMA("a,b\n1,\"x", "2! bad_escape (1,\"x);");
    READS_COMMA("a,b\n1,\"x\r\n2,y\r\r", "2! bad_escape (1,\"x);3: 2|y\r;");
}

static void only_the_line_of_the_open_quote_is_given_up(void **state)
{
    (void)state;
    /* The first cell of line 2 is closed in line 3, where another is opened. */
    READS_COMMA("a,b\n\"1\n2\",\"3\n4,5\n6,7\n", "2! bad_escape (\"1\n2\",\"3);4: 4|5;5: 6|7;");
}

static void a_quote_closed_in_a_wrong_place_costs_the_line_of_its_opening(void **state)
{
    (void)state;
    READS_COMMA("a,b\n1,\"x\n2,y\n3,\"z\"\n4,\"\n\"\n",
                "2! bad_escape (1,\"x);3: 2|y;4: 3|z;5: 4|\n;");
    READS_COMMA("a,b\n\"1\n2\",3\"\n4,5\n", "2! bad_escape (\"1\n2\",3\");4: 4|5;");
}

static void what_is_read_again_may_go_on_in_the_file(void **state)
{
    (void)state;
    /* Line 3 closes the quote of line 2 wrongly, and opens one itself that line 4 closes. */
    READS_COMMA("a,b\n1,\"x\n2,\"y\nz\"\n3,w\n", "2! bad_escape (1,\"x);3: 2|y\nz;5: 3|w;");
    READS_COMMA("a,b\n1,\"x\n2,\"y\n3,\"z\n4,\"\"\n",
                "2! bad_escape (1,\"x);3! bad_escape (2,\"y);4! bad_escape (3,\"z);5: 4|;");
}

/* ---- what is too long ---- */

static void a_line_that_is_too_long_stands_alone(void **state)
{
    char hash[65];
    struct csv *csv;
    struct csv_record record;

    (void)state;
    file_sha256("1,\"23456", 8, hash);
    write_bytes(BYTES("a,b\n1,\"23456\n7,89012\n"));
    csv = csv_open(path, CSV_COMMA, 7, &err);
    assert_non_null(csv);
    assert_int_equal(csv_next(csv, &record, &err), CSV_BAD);
    assert_string_equal(record.reason, "too_long");
    assert_true(record.raw->is_too_long);
    assert_int_equal(record.raw->full_length, 8);
    assert_string_equal(record.raw->sha256, hash);
    assert_int_equal(record.raw->number, 2);
    say_rest(csv);
    assert_said(BYTES("3: 7|89012;"));
    assert_reads(CSV_TAB, 5, BYTES("a\tb\n1\t234\n1\t2345\n1\t\xff\n"),
                 BYTES("2: 1|234;3! too_long (1\t2345);4! bad_encoding (1\t\xff);"));
}

static void a_record_of_several_lines_may_be_as_long_as_a_line(void **state)
{
    static const char text[] = "a,b\n1,\"2\r\n3\"\n4,5\n";

    (void)state;
    assert_reads(CSV_COMMA, 8, BYTES(text), BYTES("2: 1|2\r\n3;4: 4|5;"));
    assert_reads(CSV_COMMA, 7, BYTES(text),
                 BYTES("2! too_long (1,\"2);3! bad_escape (3\");4: 4|5;"));
}

static void a_long_line_within_quotes_makes_the_record_too_long(void **state)
{
    (void)state;
    assert_reads(CSV_COMMA, 8, BYTES("a,b\n1,\"2\n3\n4567890123\n\"\n5,6\n"),
                 BYTES("2! too_long (1,\"2);3! field_count (3);4! too_long (4567890123);"
                       "5! bad_escape (\");6: 5|6;"));
}

static void a_record_is_measured_by_its_whole_line_not_by_what_is_kept_of_it(void **state)
{
    int64_t max_record = FILE_HEAD + 100;
    struct csv *csv;
    struct csv_record record;
    struct str text;

    (void)state;
    str_init(&text);
    str_add_text(&text, "a,b\n1,\"2\n");
    for (int i = 0; i < max_record; i++) {
        str_add_char(&text, 'x');
    }
    str_add_text(&text, "y\n\",4\n");
    write_bytes(text.text, text.length);
    csv = csv_open(path, CSV_COMMA, max_record, &err);
    assert_non_null(csv);
    assert_int_equal(csv_next(csv, &record, &err), CSV_BAD);
    assert_string_equal(record.reason, "too_long");
    assert_string_equal(record.raw->text, "1,\"2");
    assert_int_equal(csv_next(csv, &record, &err), CSV_BAD);
    assert_string_equal(record.reason, "too_long");
    assert_int_equal(record.raw->number, 3);
    assert_int_equal(record.raw->length, FILE_HEAD);
    assert_int_equal(record.raw->full_length, max_record + 1);
    say_rest(csv);
    assert_said(BYTES("4! bad_escape (\",4);"));
    str_release(&text);
}

static void what_is_too_long_is_not_looked_at(void **state)
{
    (void)state;
    assert_reads(CSV_TAB, 5, BYTES("a\tb\n1\t\xff\xff\xff\xff\n"),
                 BYTES("2! too_long (1\t\xff\xff\xff\xff);"));
    assert_reads(CSV_COMMA, 5, BYTES("a,b\n1,\"\xff\n2\"\n"),
                 BYTES("2! too_long (1,\"\xff);3! bad_escape (2\");"));
}

static void a_record_may_have_very_many_lines(void **state)
{
    enum { COUNT = 800 * 1000 };
    struct str text;
    struct str expected;

    (void)state;
    str_init(&text);
    str_init(&expected);
    str_add_text(&text, "a,b\n1,\"");
    str_add_text(&expected, "2: 1|");
    for (int i = 0; i < COUNT; i++) {
        str_add_text(&text, "\n\"\"\n");
        str_add_text(&expected, "\n\"\n");
    }
    str_add_text(&text, "\"\n2,\"3\n\"\n4,\"\"\"\"\n");
    str_add_format(&expected, ";%d: 2|3\n;%d: 4|\";", 3 + 2 * COUNT, 5 + 2 * COUNT);
    assert_reads(CSV_COMMA, 4 * 1024 * 1024, text.text, text.length, expected.text,
                 expected.length);
    str_release(&expected);
    str_release(&text);
}

/* ---- failures ---- */

static void a_stream_that_breaks_off_fails_the_reading(void **state)
{
    static const unsigned char cut[] = {0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3};

    (void)state;
    write_bytes((const char *)cut, sizeof(cut));
    assert_null(csv_open(path, CSV_COMMA, CSV_TEXT_LONG, &err));
    assert_int_equal(err.status, STATUS_IO);
}

static void a_stream_may_break_off_behind_the_header_and_within_quotes(void **state)
{
    /* "a,b\n1,\"x\n" in gzip, stored and said not to be the last block */
    static const char cut[] = "\x1f\x8b\x08\0\0\0\0\0\0\3\0\x0a\0\xf5\xff"
                              "a,b\n1,\"x\n2";
    struct csv *csv;
    struct csv_record record;

    (void)state;
    for (size_t length = 21; length <= sizeof(cut) - 2; length += 3) {
        write_bytes(cut, length);
        csv = csv_open(path, CSV_COMMA, CSV_TEXT_LONG, &err);
        if (csv == NULL) {
            assert_int_equal(err.status, STATUS_IO);
            continue;
        }
        memset(&err, 0, sizeof(err));
        assert_int_equal(csv_next(csv, &record, &err), CSV_FAILED);
        assert_int_equal(err.status, STATUS_IO);
        assert_int_equal(csv_bytes(csv), length);
        assert_int_equal(csv_size(csv), length);
        csv_close(csv);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_is_found_by_its_exact_name),
        cmocka_unit_test(a_name_of_a_header_is_never_null),
        cmocka_unit_test(an_empty_file_has_no_columns_and_no_records),
        cmocka_unit_test(a_header_is_no_blank_line),
        cmocka_unit_test(a_name_stands_once_in_a_header_and_is_not_told),
        cmocka_unit_test(a_header_is_refused_for_what_makes_a_record_bad),
        cmocka_unit_test(a_header_has_no_more_columns_than_a_table_may_have),
        cmocka_unit_test(a_file_that_is_not_there_is_no_data),
        cmocka_unit_test(a_record_has_as_many_cells_as_the_header),
        cmocka_unit_test(crlf_ends_a_line_of_both_dialects),
        cmocka_unit_test(a_cr_elsewhere_is_text),
        cmocka_unit_test(blank_lines_at_the_end_of_input_are_passed_over),
        cmocka_unit_test(blank_lines_before_a_record_lack_fields),
        cmocka_unit_test(every_line_below_a_single_column_is_a_record),
        cmocka_unit_test(a_line_break_within_quotes_is_kept_as_it_was),
        cmocka_unit_test(a_bad_record_of_several_lines_has_all_of_them),
        cmocka_unit_test(a_quote_that_is_never_closed_costs_its_line),
        cmocka_unit_test(only_the_line_of_the_open_quote_is_given_up),
        cmocka_unit_test(a_quote_closed_in_a_wrong_place_costs_the_line_of_its_opening),
        cmocka_unit_test(what_is_read_again_may_go_on_in_the_file),
        cmocka_unit_test(a_line_that_is_too_long_stands_alone),
        cmocka_unit_test(a_record_of_several_lines_may_be_as_long_as_a_line),
        cmocka_unit_test(a_long_line_within_quotes_makes_the_record_too_long),
        cmocka_unit_test(a_record_is_measured_by_its_whole_line_not_by_what_is_kept_of_it),
        cmocka_unit_test(what_is_too_long_is_not_looked_at),
        cmocka_unit_test(a_record_may_have_very_many_lines),
        cmocka_unit_test(a_stream_that_breaks_off_fails_the_reading),
        cmocka_unit_test(a_stream_may_break_off_behind_the_header_and_within_quotes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

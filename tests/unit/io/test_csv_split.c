/* SPDX-License-Identifier: MIT
 *
 * What a cell of each dialect is. Where records begin and end is in test_csv.c.
 */
#include "csv_text.h"
#include "io/csv_split.h"

/* Records of two columns below a header. */
#define READS_COMMA(text, expected) \
    assert_reads(CSV_COMMA, CSV_TEXT_LONG, BYTES("a,b\n" text), BYTES(expected))
#define READS_TAB(text, expected) \
    assert_reads(CSV_TAB, CSV_TEXT_LONG, BYTES("a\tb\n" text), BYTES(expected))

/* ---- CSV_COMMA ---- */

static void an_empty_cell_is_null_and_a_quoted_one_is_not(void **state)
{
    (void)state;
    READS_COMMA(",\"\"\n\"\",\n", "2: ~|;3: |~;");
    READS_COMMA("NULL,\\N\n", "2: NULL|\\N;");
    READS_COMMA(" , \n", "2:  | ;");
}

static void quotes_hold_commas_and_doubled_quotes(void **state)
{
    (void)state;
    READS_COMMA("\"a,b\",\"\"\"\"\n", "2: a,b|\";");
    READS_COMMA("\"say \"\"yes\"\", or \"\"no\"\"\",\"\"\"x\"\n", "2: say \"yes\", or \"no\"|\"x;");
    READS_COMMA("\"\",\"\"\"\"\"\"\n", "2: |\"\";");
    READS_COMMA("a\\,\tb\n", "2: a\\|\tb;");
}

static void a_quote_in_a_cell_without_quotes_is_a_bad_escape(void **state)
{
    (void)state;
    READS_COMMA("a\"b,c\n", "2! bad_escape (a\"b,c);");
    READS_COMMA("1, \"x\"\n1,x\"\n\"1\",2\n",
                "2! bad_escape (1, \"x\");3! bad_escape (1,x\");4: 1|2;");
}

static void a_comma_follows_a_closing_quote(void **state)
{
    (void)state;
    READS_COMMA("\"x\" ,2\n\"x\"y,2\n1,\"x\"\"\"z\n1,\"x\"\r\n",
                "2! bad_escape (\"x\" ,2);3! bad_escape (\"x\"y,2);4! bad_escape (1,\"x\"\"\"z);"
                "5: 1|x;");
}

/* ---- CSV_TAB ---- */

static void null_is_null_as_the_whole_cell_only(void **state)
{
    (void)state;
    READS_TAB("NULL\t\\N\nnull\tNULLS\n NULL\tNUL\n", "2: ~|~;3: null|NULLS;4:  NULL|NUL;");
    READS_TAB("\\\\N\t\n", "2: \\N|;");
    READS_TAB("x\\N\t1\n\\Nx\t1\n", "2! bad_escape (x\\N\t1);3! bad_escape (\\Nx\t1);");
}

static void an_empty_cell_between_tabs_is_an_empty_text(void **state)
{
    (void)state;
    READS_TAB("\t\n\t1\n", "2: |;3: |1;");
}

static void escapes_stand_for_what_they_name(void **state)
{
    (void)state;
    READS_TAB("a\\tb\\nc\\rd\\\\e\t{\"x\": \"a\\\\nb\"}\n", "2: a\tb\nc\rd\\e|{\"x\": \"a\\nb\"};");
    READS_TAB("\\\\\t\\t\n1\\\\\\\\\t2\n", "2: \\|\t;3: 1\\\\|2;");
    READS_TAB("NUL\\\\L\t\\\\0\n", "2: NUL\\L|\\0;");
}

static void other_escapes_are_bad(void **state)
{
    (void)state;
    READS_TAB("\\b\t1\n1\t\\\n\\\t1\n1\\T\t2\n\\\"\t1\n",
              "2! bad_escape (\\b\t1);3! bad_escape (1\t\\);4! bad_escape (\\\t1);"
              "5! bad_escape (1\\T\t2);6! bad_escape (\\\"\t1);");
}

static void an_escaped_nul_is_a_nul_character(void **state)
{
    (void)state;
    READS_TAB("a\\0b\t1\n1\t\\0\n", "2! nul_character (a\\0b\t1);3! nul_character (1\t\\0);");
}

static void quotes_of_tsv_are_text(void **state)
{
    (void)state;
    READS_TAB("\"a\tb\"\n\"\"\t,\n", "2: \"a|b\";3: \"\"|,;");
}

/* ---- both ---- */

static void text_is_utf8_without_nul(void **state)
{
    (void)state;
    READS_COMMA("\xc3\xa9,\xf0\x9f\x98\x80\n1,\xe9\n1,a\0b\n",
                "2: \xc3\xa9|\xf0\x9f\x98\x80;3! bad_encoding (1,\xe9);4! nul_character (1,a\0b);");
    READS_TAB("\xc3\xa9\t\xf0\x9f\x98\x80\n1\t\xed\xa0\x80\n1\ta\0b\n",
              "2: \xc3\xa9|\xf0\x9f\x98\x80;3! bad_encoding (1\t\xed\xa0\x80);"
              "4! nul_character (1\ta\0b);");
}

static void a_character_does_not_reach_into_the_next_cell(void **state)
{
    (void)state;
    READS_COMMA("\xc3,\xa9\n", "2! bad_encoding (\xc3,\xa9);");
    READS_TAB("\xc3\\t\xa9\t1\n", "2! bad_encoding (\xc3\\t\xa9\t1);");
}

static void of_several_reasons_the_encoding_comes_first(void **state)
{
    (void)state;
    READS_COMMA("a\"\xff\n\xff\0\n\0\xff\na\"\n",
                "2! bad_encoding (a\"\xff);3! bad_encoding (\xff\0);4! nul_character (\0\xff);"
                "5! bad_escape (a\");");
    READS_TAB("\\x\t\xff\t1\n\\x\n", "2! bad_encoding (\\x\t\xff\t1);3! bad_escape (\\x);");
}

static void cells_beyond_the_greatest_number_are_counted_only(void **state)
{
    char *text = mem_alloc(3 * CSV_COLUMNS_MAX);
    struct csv_cells *cells = mem_alloc(sizeof(*cells));
    size_t place;

    (void)state;
    csv_cells_init(cells);
    memset(text, ',', 2 * CSV_COLUMNS_MAX);
    assert_int_equal(csv_split_comma(cells, text, 0, 2 * CSV_COLUMNS_MAX, &place), CSV_WHOLE);
    assert_int_equal(cells->count, 2 * CSV_COLUMNS_MAX + 1);
    memset(text, '\t', 2 * CSV_COLUMNS_MAX);
    assert_null(csv_split_tab(cells, text, 2 * CSV_COLUMNS_MAX, true));
    assert_int_equal(cells->count, 2 * CSV_COLUMNS_MAX + 1);
    csv_cells_release(cells);
    free(cells);
    free(text);
}

static void cells_stay_where_they_were_decoded(void **state)
{
    struct csv_cells *cells = mem_alloc(sizeof(*cells));
    char text[40 * 100 + 1];
    char expected[40];
    size_t place;

    (void)state;
    csv_cells_init(cells);
    for (int i = 0; i < 100; i++) {
        snprintf(text + 40 * i, 41, "\"\"\"%035d\"%c", i, i < 99 ? ',' : '\0');
    }
    assert_int_equal(csv_split_comma(cells, text, 0, sizeof(text) - 2, &place), CSV_WHOLE);
    assert_int_equal(cells->count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(expected, sizeof(expected), "\"%035d", i);
        assert_int_equal(cells->items[i].length, 36);
        assert_memory_equal(cells->items[i].text, expected, 36);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(text + 40 * i, 41, "\\n%037d%c", i, i < 99 ? '\t' : '\0');
    }
    assert_null(csv_split_tab(cells, text, sizeof(text) - 2, true));
    assert_int_equal(cells->count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(expected, sizeof(expected), "\n%037d", i);
        assert_int_equal(cells->items[i].length, 38);
        assert_memory_equal(cells->items[i].text, expected, 38);
    }
    csv_cells_release(cells);
    free(cells);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_cell_is_null_and_a_quoted_one_is_not),
        cmocka_unit_test(quotes_hold_commas_and_doubled_quotes),
        cmocka_unit_test(a_quote_in_a_cell_without_quotes_is_a_bad_escape),
        cmocka_unit_test(a_comma_follows_a_closing_quote),
        cmocka_unit_test(null_is_null_as_the_whole_cell_only),
        cmocka_unit_test(an_empty_cell_between_tabs_is_an_empty_text),
        cmocka_unit_test(escapes_stand_for_what_they_name),
        cmocka_unit_test(other_escapes_are_bad),
        cmocka_unit_test(an_escaped_nul_is_a_nul_character),
        cmocka_unit_test(quotes_of_tsv_are_text),
        cmocka_unit_test(text_is_utf8_without_nul),
        cmocka_unit_test(a_character_does_not_reach_into_the_next_cell),
        cmocka_unit_test(of_several_reasons_the_encoding_comes_first),
        cmocka_unit_test(cells_beyond_the_greatest_number_are_counted_only),
        cmocka_unit_test(cells_stay_where_they_were_decoded),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

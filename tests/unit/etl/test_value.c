/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=copy_open,--wrap=copy_close,--wrap=copy_row,--wrap=copy_take_back */
/* link: -Wl,--wrap=copy_null,--wrap=copy_int,--wrap=copy_bool,--wrap=copy_time */
/* link: -Wl,--wrap=copy_text,--wrap=copy_bytes,--wrap=copy_jsonb,--wrap=copy_text_list */
/* link: -Wl,--wrap=copy_end */
#include "etl/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_copy.h"

/* Puts the value that stands at "v" of the document, as the field declares it: its column, or the
 * reason after a "!". */
static void assert_put(const struct field *field, const char *document, const char *expected)
{
    static const char *const paths[] = {"v"};
    struct json_plan *plan = json_plan_new(paths, 1);
    struct json_value json;
    struct value value = {.field = field};
    struct value_buffer buffer;
    struct copy *copy = fake_copy_new();

    str_init(&buffer.text);
    str_init(&buffer.built);
    assert_int_equal(json_scan(plan, document, strlen(document), &json), JSON_OK);
    value_choose(&value, &json, 1);
    const char *reason = value_read_time(&value, &buffer);
    if (!reason)
        reason = value_put(&value, &buffer, copy);
    if (expected[0] == '!') {
        assert_non_null(reason);
        assert_string_equal(reason, expected + 1);
    } else {
        assert_null(reason);
        assert_string_equal(fake_copy_columns(copy), expected);
    }
    fake_copy_free(copy);
    json_plan_free(plan);
    str_release(&buffer.text);
    str_release(&buffer.built);
}

/* ---- texts ---- */

static void a_text_is_taken_byte_by_byte(void **state)
{
    static const struct field field = {.type = FIELD_TEXT};
    (void)state;
    assert_put(&field, "{\"v\":\"  a b\\n\\u00e9\\ud83d\\ude00 \"}",
               "'  a b\n\xc3\xa9\xf0\x9f\x98\x80 '");
    assert_put(&field, "{\"v\":\"\"}", "''");
    assert_put(&field, "{\"v\":\"null\"}", "'null'");
}

static void null_and_absent_are_null(void **state)
{
    static const enum field_type types[] = {FIELD_TEXT,    FIELD_INTEGER, FIELD_DECIMAL,
                                            FIELD_BOOLEAN, FIELD_TIME,    FIELD_NEWEST};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct field field = {.type = types[i], .element = "date"};
        assert_put(&field, "{\"v\":null}", "null");
        assert_put(&field, "{}", "null");
    }
}

static void what_is_no_string_is_no_text(void **state)
{
    static const struct field field = {.type = FIELD_TEXT};
    static const char *const documents[] = {"{\"v\":1}", "{\"v\":true}", "{\"v\":[]}",
                                            "{\"v\":{}}"};
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_put(&field, documents[i], "!wrong_type");
}

static void an_empty_text_is_missing_where_it_is_required(void **state)
{
    static const struct field required = {.type = FIELD_TEXT, .required = true};
    static const struct field key = {.type = FIELD_TEXT, .is_key = true};
    (void)state;
    assert_put(&required, "{\"v\":\"\"}", "!missing_field");
    assert_put(&key, "{\"v\":\"\"}", "!missing_field");
    assert_put(&key, "{\"v\":\" \"}", "' '");
}

static void a_text_among_choices_is_one_of_them(void **state)
{
    static const char *const choices[] = {"true", "false", "none", NULL};
    static const struct field field = {.type = FIELD_TEXT, .choices = choices};
    (void)state;
    assert_put(&field, "{\"v\":\"none\"}", "'none'");
    assert_put(&field, "{\"v\":\"tr\\u0075e\"}", "'true'");
    assert_put(&field, "{\"v\":\"True\"}", "!wrong_type");
    assert_put(&field, "{\"v\":\"non\"}", "!wrong_type");
    assert_put(&field, "{\"v\":\"\"}", "!wrong_type");
}

static void a_boolean_becomes_the_text_that_is_declared_for_it(void **state)
{
    static const struct field text = {
        .type = FIELD_TEXT, .when_true = "yes", .when_false = "no", .otherwise = "none"};
    static const struct field number = {
        .type = FIELD_INTEGER, .when_true = "2", .when_false = "1", .maximum = 9};
    (void)state;
    assert_put(&text, "{\"v\":true}", "'yes'");
    assert_put(&text, "{\"v\":false}", "'no'");
    assert_put(&text, "{\"v\":\"maybe\"}", "'maybe'");
    assert_put(&text, "{\"v\":null}", "'none'");
    assert_put(&number, "{\"v\":true}", "2");
    assert_put(&number, "{\"v\":false}", "1");
    assert_put(&number, "{\"v\":7}", "7");
}

/* ---- numbers ---- */

static void a_whole_number_is_exact_to_2_53(void **state)
{
    static const struct field field = {.type = FIELD_INTEGER};
    (void)state;
    assert_put(&field, "{\"v\":0}", "0");
    assert_put(&field, "{\"v\":-7}", "-7");
    assert_put(&field, "{\"v\":9007199254740992}", "9007199254740992");
    assert_put(&field, "{\"v\":-9007199254740992}", "-9007199254740992");
    assert_put(&field, "{\"v\":9007199254740993}", "!bad_integer");
    assert_put(&field, "{\"v\":99999999999999999999999}", "!bad_integer");
    assert_put(&field, "{\"v\":1.0}", "!bad_integer");
    assert_put(&field, "{\"v\":1e3}", "!bad_integer");
    assert_put(&field, "{\"v\":\"1\"}", "!wrong_type");
    assert_put(&field, "{\"v\":true}", "!wrong_type");
}

static void a_range_holds_its_ends(void **state)
{
    static const struct field counted = {.type = FIELD_INTEGER, .maximum = 10};
    static const struct field signed_one = {.type = FIELD_INTEGER, .minimum = -3, .maximum = -1};
    static const struct field negative = {.type = FIELD_INTEGER, .minimum = -3};
    (void)state;
    assert_put(&counted, "{\"v\":0}", "0");
    assert_put(&counted, "{\"v\":10}", "10");
    assert_put(&counted, "{\"v\":11}", "!bad_integer");
    assert_put(&counted, "{\"v\":-1}", "!bad_integer");
    assert_put(&signed_one, "{\"v\":-3}", "-3");
    assert_put(&signed_one, "{\"v\":-1}", "-1");
    assert_put(&signed_one, "{\"v\":0}", "!bad_integer");
    assert_put(&negative, "{\"v\":-4}", "!bad_integer");
}

static void a_decimal_keeps_its_source_text(void **state)
{
    static const struct field field = {.type = FIELD_DECIMAL};
    (void)state;
    assert_put(&field, "{\"v\":12.3400}", "'12.3400'");
    assert_put(&field, "{\"v\":-0.1}", "'-0.1'");
    assert_put(&field, "{\"v\":123456789012345678901234567890}",
               "'123456789012345678901234567890'");
    assert_put(&field, "{\"v\":\"12.3400\"}", "'12.3400'");
    assert_put(&field, "{\"v\":\"+5\"}", "'+5'");
    assert_put(&field, "{\"v\":\".5\"}", "'.5'");
    assert_put(&field, "{\"v\":\"5.\"}", "'5.'");
    assert_put(&field, "{\"v\":\"1\\u0032\"}", "'12'");
    assert_put(&field, "{\"v\":1e-05}", "'1e-05'");
    assert_put(&field, "{\"v\":\"1.5E+10\"}", "'1.5E+10'");
}

static void what_spells_no_decimal_is_no_number(void **state)
{
    static const struct field field = {.type = FIELD_DECIMAL};
    static const char *const documents[] = {
        "{\"v\":\"\"}",     "{\"v\":\".\"}",    "{\"v\":\"-\"}",   "{\"v\":\"1,5\"}",
        "{\"v\":\"1 \"}",   "{\"v\":\"NaN\"}",  "{\"v\":\"1e\"}",  "{\"v\":1e400}",
        "{\"v\":\"e5\"}",   "{\"v\":\"1e5.\"}", "{\"v\":\"0x1\"}", "{\"v\":\"--1\"}",
        "{\"v\":\"1.2.3\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        assert_put(&field, documents[i], "!bad_number");
    assert_put(&field, "{\"v\":true}", "!wrong_type");
    assert_put(&field, "{\"v\":[1]}", "!wrong_type");
}

static void a_boolean_is_true_or_false_and_no_word(void **state)
{
    static const struct field field = {.type = FIELD_BOOLEAN};
    (void)state;
    assert_put(&field, "{\"v\":true}", "true");
    assert_put(&field, "{\"v\":false}", "false");
    assert_put(&field, "{\"v\":\"true\"}", "!wrong_type");
    assert_put(&field, "{\"v\":1}", "!wrong_type");
}

/* ---- defaults ---- */

static void a_default_is_taken_where_there_is_nothing(void **state)
{
    static const struct {
        struct field field;
        const char *column;
    } cases[] = {
        {{.type = FIELD_TEXT, .otherwise = "UTC"}, "'UTC'"},
        {{.type = FIELD_INTEGER, .otherwise = "1"}, "1"},
        {{.type = FIELD_DECIMAL, .otherwise = "1.50"}, "'1.50'"},
        {{.type = FIELD_BOOLEAN, .otherwise = "true"}, "true"},
        {{.type = FIELD_BOOLEAN, .otherwise = "false"}, "false"},
        {{.type = FIELD_TIME, .otherwise = "2015-01-01T00:00:00Z"}, "2015-01-01T00:00:00.000000Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_put(&cases[i].field, "{\"v\":null}", cases[i].column);
        assert_put(&cases[i].field, "{\"w\":1}", cases[i].column);
    }
}

/* ---- cells of a table ---- */

/* The column that a cell becomes, or the reason after a "!"; NULL text is a NULL cell. */
static void assert_cell(const struct field *field, const char *text, const char *expected)
{
    const struct csv_cell cell = {
        .text = text ? text : "", .length = text ? strlen(text) : 0, .is_null = !text};
    struct json_value json;
    struct value value = {.field = field};
    struct value_buffer buffer;
    struct copy *copy = fake_copy_new();
    str_init(&buffer.text);
    str_init(&buffer.built);
    const char *reason = value_read_cell(field, &cell, &json);
    if (!reason) {
        value_choose(&value, &json, 1);
        reason = value_read_time(&value, &buffer);
    }
    if (!reason)
        reason = value_put(&value, &buffer, copy);
    assert_string_equal(reason ? reason : fake_copy_columns(copy), expected);
    fake_copy_free(copy);
    str_release(&buffer.text);
    str_release(&buffer.built);
}

static void a_cell_is_read_by_the_type_of_its_field(void **state)
{
    static const struct field text = {.type = FIELD_TEXT}, integer = {.type = FIELD_INTEGER},
                              decimal = {.type = FIELD_DECIMAL}, boolean = {.type = FIELD_BOOLEAN},
                              time = {.type = FIELD_TIME}, list = {.type = FIELD_TEXT_LIST};
    (void)state;
    assert_cell(&text, "a\\b \"c\"", "'a\\b \"c\"'");
    assert_cell(&text, "", "''");
    assert_cell(&text, "12", "'12'");
    assert_cell(&integer, "-12", "-12");
    assert_cell(&decimal, "1.50", "'1.50'");
    assert_cell(&boolean, "t", "true");
    assert_cell(&boolean, "true", "true");
    assert_cell(&boolean, "1", "true");
    assert_cell(&boolean, "f", "false");
    assert_cell(&boolean, "false", "false");
    assert_cell(&boolean, "0", "false");
    assert_cell(&time, "2024-01-02 03:04:05", "2024-01-02T03:04:05.000000Z");
    assert_cell(&list, NULL, "[]");
}

static void a_null_cell_is_null_or_the_default(void **state)
{
    static const struct field text = {.type = FIELD_TEXT};
    static const struct field integer = {.type = FIELD_INTEGER, .otherwise = "1"};
    (void)state;
    assert_cell(&text, NULL, "null");
    assert_cell(&integer, NULL, "1");
}

static void a_cell_of_something_else_tells_why(void **state)
{
    static const struct field integer = {.type = FIELD_INTEGER}, decimal = {.type = FIELD_DECIMAL},
                              boolean = {.type = FIELD_BOOLEAN}, time = {.type = FIELD_TIME},
                              list = {.type = FIELD_TEXT_LIST};
    static const char *const integers[] = {"", "-", "1.0", " 1", "1 ", "+1", "x", "1e3"};
    (void)state;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        assert_cell(&integer, integers[i], "bad_integer");
    assert_cell(&decimal, "", "bad_number");
    assert_cell(&decimal, "-", "bad_number");
    assert_cell(&boolean, "", "bad_boolean");
    assert_cell(&boolean, "True", "bad_boolean");
    assert_cell(&boolean, "yes", "bad_boolean");
    assert_cell(&time, "", "bad_timestamp");
    assert_cell(&list, "a", "wrong_type");
}

static void the_first_alternative_that_is_there_wins(void **state)
{
    static const struct field field = {.type = FIELD_TEXT};
    struct value value = {.field = &field};
    const struct json_value alternatives[] = {
        {.type = JSON_ABSENT},
        {.type = JSON_NULL, .text = "null", .length = 4},
        {.type = JSON_STRING, .text = "b", .length = 1},
        {.type = JSON_STRING, .text = "c", .length = 1},
    };
    (void)state;
    value_choose(&value, alternatives, 4);
    assert_memory_equal(value.json.text, "b", 1);
    value_choose(&value, alternatives, 2);
    assert_int_equal(value.json.type, JSON_NULL);
    value_choose(&value, alternatives, 1);
    assert_int_equal(value.json.type, JSON_ABSENT);
}

/* ---- times ---- */

static void a_time_is_utc_with_microseconds(void **state)
{
    static const struct field field = {.type = FIELD_TIME};
    (void)state;
    assert_put(&field, "{\"v\":\"2024-02-29T12:00:00.1234567Z\"}", "2024-02-29T12:00:00.123456Z");
    assert_put(&field, "{\"v\":\"2024-02-29 12:00:00+02:00\"}", "2024-02-29T10:00:00.000000Z");
    assert_put(&field, "{\"v\":\"2024-02-29\"}", "2024-02-29T00:00:00.000000Z");
    assert_put(&field, "{\"v\":\"2024\\u002d02-29\"}", "2024-02-29T00:00:00.000000Z");
}

static void a_time_that_is_none_tells_why(void **state)
{
    static const struct field field = {.type = FIELD_TIME};
    (void)state;
    assert_put(&field, "{\"v\":\"yesterday\"}", "!bad_timestamp");
    assert_put(&field, "{\"v\":\"\"}", "!bad_timestamp");
    assert_put(&field, "{\"v\":\"2023-02-29T00:00:00Z\"}", "!time_out_of_range");
    assert_put(&field, "{\"v\":1700000000}", "!wrong_type");
    assert_put(&field, "{\"v\":{}}", "!wrong_type");
}

static void the_newest_time_of_a_list_is_taken(void **state)
{
    static const struct field field = {.type = FIELD_NEWEST, .element = "date"};
    (void)state;
    assert_put(&field,
               "{\"v\":[{\"date\":\"2024-01-02\"},{\"date\":\"2024-01-03\"},{\"date\":null},"
               "{\"x\":1},{\"date\":\"2024-01-01\"}]}",
               "2024-01-03T00:00:00.000000Z");
    assert_put(&field, "{\"v\":[{\"date\":\"1960-01-01\"}]}", "1960-01-01T00:00:00.000000Z");
    assert_put(&field, "{\"v\":[]}", "null");
    assert_put(&field, "{\"v\":[{}]}", "null");
}

static void a_list_of_times_with_something_else_tells_why(void **state)
{
    static const struct field field = {.type = FIELD_NEWEST, .element = "date"};
    (void)state;
    assert_put(&field, "{\"v\":{\"date\":\"2024-01-01\"}}", "!wrong_type");
    assert_put(&field, "{\"v\":\"2024-01-01\"}", "!wrong_type");
    assert_put(&field, "{\"v\":[\"2024-01-01\"]}", "!wrong_type");
    assert_put(&field, "{\"v\":[{\"date\":1}]}", "!wrong_type");
    assert_put(&field, "{\"v\":[{\"date\":\"2024-01-01\"},{\"date\":\"soon\"}]}", "!bad_timestamp");
    assert_put(&field, "{\"v\":[{\"date\":\"2024-13-01\"}]}", "!time_out_of_range");
}

/* ---- lists ---- */

static void a_list_of_texts_keeps_its_order(void **state)
{
    static const struct field field = {.type = FIELD_TEXT_LIST};
    (void)state;
    assert_put(&field, "{\"v\":[\"b\",\"a\",\"b\",\"\",\"\\u00e9\"]}",
               "['b' 'a' 'b' '' '\xc3\xa9']");
    assert_put(&field, "{\"v\":[]}", "[]");
    assert_put(&field, "{\"v\":null}", "[]");
    assert_put(&field, "{}", "[]");
}

static void a_list_with_something_else_is_no_list_of_texts(void **state)
{
    static const struct field field = {.type = FIELD_TEXT_LIST};
    (void)state;
    assert_put(&field, "{\"v\":\"a\"}", "!wrong_type");
    assert_put(&field, "{\"v\":{}}", "!wrong_type");
    assert_put(&field, "{\"v\":[\"a\",1]}", "!wrong_type");
    assert_put(&field, "{\"v\":[null]}", "!wrong_type");
}

static void a_text_that_names_a_row_may_be_as_long_as_an_index_takes(void **state)
{
    static const struct field short_text = {.type = FIELD_TEXT, .longest = 3},
                              list = {.type = FIELD_TEXT_LIST, .longest = 3},
                              key = {.type = FIELD_TEXT, .is_key = true},
                              longer_key = {.type = FIELD_TEXT, .is_key = true, .longest = 1001};
    static const struct field names[] = {
        {.column = "n", .path = "n", .type = FIELD_TEXT, .longest = 3}, {0}};
    static const struct field named = {.type = FIELD_OBJECTS, .elements = names};
    char text[1200];
    (void)state;
    assert_put(&short_text, "{\"v\":\"abc\"}", "'abc'");
    assert_put(&short_text, "{\"v\":\"ab\\u00e9\"}", "!too_long"); /* bytes, not letters */
    assert_put(&list, "{\"v\":[\"abc\",\"\"]}", "['abc' '']");
    assert_put(&list, "{\"v\":[\"a\",\"abcd\",\"b\"]}", "!too_long");
    assert_put(&named, "{\"v\":[{\"n\":\"abc\"}]}", "j'[{\"n\":\"abc\"}]'");
    assert_put(&named, "{\"v\":[{\"n\":\"abcd\"}]}", "!too_long");
    snprintf(text, sizeof text, "{\"v\":\"%01001d\"}", 0);
    assert_put(&key, text, "!too_long");
    char expected[1200];
    snprintf(expected, sizeof expected, "'%01001d'", 0);
    assert_put(&longer_key, text, expected);
}

static const struct field members[] = {
    {.column = "name", .path = "n", .type = FIELD_TEXT, .required = true},
    {.column = "admin", .path = "a", .type = FIELD_BOOLEAN, .otherwise = "false"},
    {.column = "places", .path = "p", .type = FIELD_TEXT_LIST},
    {0},
};
static const struct field objects = {.type = FIELD_OBJECTS, .elements = members};

static void objects_are_rebuilt_from_their_declared_members(void **state)
{
    (void)state;
    assert_put(&objects,
               "{\"v\":[{\"secret\":1,\"n\":\"q\\\"\\u00e9\",\"a\":true,\"p\":[\"x\",\"y\"]},"
               "{\"n\":\"m\"}]}",
               "j'[{\"name\":\"q\\\"\\u00e9\",\"admin\":true,\"places\":[\"x\",\"y\"]},"
               "{\"name\":\"m\",\"admin\":false,\"places\":[]}]'");
    assert_put(&objects, "{\"v\":{\"n\":\"one\",\"p\":null}}",
               "j'[{\"name\":\"one\",\"admin\":false,\"places\":[]}]'");
    assert_put(&objects, "{\"v\":[]}", "j'[]'");
    assert_put(&objects, "{\"v\":null}", "j'[]'");
    assert_put(&objects, "{}", "j'[]'");
}

static void a_member_that_is_absent_is_null(void **state)
{
    static const struct field optional[] = {{.column = "name", .path = "n", .type = FIELD_TEXT},
                                            {.column = "on", .path = "o", .type = FIELD_BOOLEAN},
                                            {0}};
    static const struct field field = {.type = FIELD_OBJECTS, .elements = optional};
    (void)state;
    assert_put(&field, "{\"v\":[{\"o\":null}]}", "j'[{\"name\":null,\"on\":null}]'");
}

static void an_object_with_a_wrong_member_tells_why(void **state)
{
    (void)state;
    assert_put(&objects, "{\"v\":\"x\"}", "!wrong_type");
    assert_put(&objects, "{\"v\":[1]}", "!wrong_type");
    assert_put(&objects, "{\"v\":[{\"a\":true}]}", "!missing_field");
    assert_put(&objects, "{\"v\":[{\"n\":1}]}", "!wrong_type");
    assert_put(&objects, "{\"v\":[{\"n\":\"x\",\"a\":\"true\"}]}", "!wrong_type");
    assert_put(&objects, "{\"v\":[{\"n\":\"x\",\"p\":\"y\"}]}", "!wrong_type");
    assert_put(&objects, "{\"v\":[{\"n\":\"x\",\"p\":[\"y\",1]}]}", "!wrong_type");
    assert_put(&objects, "{\"v\":[{\"n\":\"x\"},{}]}", "!missing_field");
    assert_put(&objects, "{\"v\":{\"n\":2}}", "!wrong_type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_taken_byte_by_byte),
        cmocka_unit_test(null_and_absent_are_null),
        cmocka_unit_test(what_is_no_string_is_no_text),
        cmocka_unit_test(an_empty_text_is_missing_where_it_is_required),
        cmocka_unit_test(a_text_among_choices_is_one_of_them),
        cmocka_unit_test(a_boolean_becomes_the_text_that_is_declared_for_it),
        cmocka_unit_test(a_whole_number_is_exact_to_2_53),
        cmocka_unit_test(a_range_holds_its_ends),
        cmocka_unit_test(a_decimal_keeps_its_source_text),
        cmocka_unit_test(what_spells_no_decimal_is_no_number),
        cmocka_unit_test(a_boolean_is_true_or_false_and_no_word),
        cmocka_unit_test(a_default_is_taken_where_there_is_nothing),
        cmocka_unit_test(a_cell_is_read_by_the_type_of_its_field),
        cmocka_unit_test(a_null_cell_is_null_or_the_default),
        cmocka_unit_test(a_cell_of_something_else_tells_why),
        cmocka_unit_test(the_first_alternative_that_is_there_wins),
        cmocka_unit_test(a_time_is_utc_with_microseconds),
        cmocka_unit_test(a_time_that_is_none_tells_why),
        cmocka_unit_test(the_newest_time_of_a_list_is_taken),
        cmocka_unit_test(a_list_of_times_with_something_else_tells_why),
        cmocka_unit_test(a_list_of_texts_keeps_its_order),
        cmocka_unit_test(a_text_that_names_a_row_may_be_as_long_as_an_index_takes),
        cmocka_unit_test(a_list_with_something_else_is_no_list_of_texts),
        cmocka_unit_test(objects_are_rebuilt_from_their_declared_members),
        cmocka_unit_test(a_member_that_is_absent_is_null),
        cmocka_unit_test(an_object_with_a_wrong_member_tells_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "child.h"

static void line_is(const struct result *result, const char *expected)
{
    struct str line;

    str_init(&line);
    result_format(result, &line);
    assert_string_equal(line.text, expected);
    str_release(&line);
}

static void values_are_printed_in_the_order_of_setting(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    result_set_int(&result, "schema_version", 1);
    result_set_text(&result, "step", "load-staging");
    result_set_null(&result, "since");
    result_set_text(&result, "nothing", NULL);
    result_set_time(&result, "until", 0);
    result_set_time(&result, "beginning", CLOCK_BEGINNING);
    result_set_int(&result, "rows_read", -5);
    line_is(&result, "{\"schema_version\":1,\"step\":\"load-staging\",\"since\":null,"
                     "\"nothing\":null,\"until\":\"1970-01-01T00:00:00.000000Z\","
                     "\"beginning\":null,\"rows_read\":-5}\n");
    result_release(&result);
}

static void nothing_set_is_an_empty_object(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    line_is(&result, "{}\n");
    result_release(&result);
}

static void seconds_have_three_decimals(void **state)
{
    static const struct {
        int64_t microseconds;
        const char *line;
    } times[] = {
        {0, "{\"seconds\":0.000}\n"},       {999, "{\"seconds\":0.000}\n"},
        {1234567, "{\"seconds\":1.234}\n"}, {-1500000, "{\"seconds\":-1.500}\n"},
        {-999, "{\"seconds\":0.000}\n"},    {3600000000, "{\"seconds\":3600.000}\n"},
    };
    struct result result;

    (void)state;
    result_init(&result);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        result_set_seconds(&result, "seconds", times[i].microseconds);
        line_is(&result, times[i].line);
    }
    result_release(&result);
}

static void setting_again_replaces_in_the_old_place(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    result_set_text(&result, "status", "done");
    result_set_int(&result, "rows", 1);
    result_set_text(&result, "status", "nothing-to-do");
    result_set_text(&result, "rows", "many");
    line_is(&result, "{\"status\":\"nothing-to-do\",\"rows\":\"many\"}\n");
    result_set_text(&result, "status", result_get_text(&result, "status"));
    assert_string_equal(result_get_text(&result, "status"), "nothing-to-do");
    result_release(&result);
}

static void names_and_texts_are_ascii_json(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    result_set_text(&result, "a\"b", "\xc3\xa9\n");
    line_is(&result, "{\"a\\\"b\":\"\\u00e9\\n\"}\n");
    result_release(&result);
}

static void adding_starts_at_zero(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    result_add(&result, "rows", 3);
    result_add(&result, "rows", INT64_C(5000000000));
    assert_int_equal(result_get_int(&result, "rows"), INT64_C(5000000003));
    line_is(&result, "{\"rows\":5000000003}\n");
    result_release(&result);
}

static int add_to_text(const void *data)
{
    struct result result;

    result_init(&result);
    result_set_text(&result, "status", data);
    result_add(&result, "status", 1);
    return 0;
}

static void adding_to_a_text_is_a_bug(void **state)
{
    struct child child;

    (void)state;
    child_run(add_to_text, "done", &child);
    assert_non_null(strstr(child.err, "result \"status\" is no number to add to"));
}

static void what_is_not_there_is_zero_and_null(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    result_set_int(&result, "rows", 7);
    result_set_text(&result, "status", "done");
    assert_int_equal(result_get_int(&result, "missing"), 0);
    assert_int_equal(result_get_int(&result, "status"), 0);
    assert_null(result_get_text(&result, "missing"));
    assert_null(result_get_text(&result, "rows"));
    result_release(&result);
}

static void ids_are_a_list_of_strings(void **state)
{
    static const char *const ids[] = {"7", "12", "9"};
    struct result result;

    (void)state;
    result_init(&result);
    result_set_ids(&result, "batches", ids, 3);
    line_is(&result, "{\"batches\":[\"7\",\"12\",\"9\"]}\n");
    result_set_ids(&result, "batches", ids, 0);
    line_is(&result, "{\"batches\":[]}\n");
    result_release(&result);
}

static void a_document_is_kept_as_it_is(void **state)
{
    char text[] = "workflow  lag\nform  3\n";
    struct result result;

    (void)state;
    result_init(&result);
    assert_null(result_get_document(&result));
    result_set_document(&result, "first");
    result_set_document(&result, text);
    text[0] = 'X';
    assert_string_equal(result_get_document(&result), "workflow  lag\nform  3\n");
    result_set_document(&result, NULL);
    assert_null(result_get_document(&result));
    result_set_document(&result, "again");
    result_release(&result);
    assert_null(result_get_document(&result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_printed_in_the_order_of_setting),
        cmocka_unit_test(nothing_set_is_an_empty_object),
        cmocka_unit_test(seconds_have_three_decimals),
        cmocka_unit_test(setting_again_replaces_in_the_old_place),
        cmocka_unit_test(names_and_texts_are_ascii_json),
        cmocka_unit_test(adding_starts_at_zero),
        cmocka_unit_test(adding_to_a_text_is_a_bug),
        cmocka_unit_test(what_is_not_there_is_zero_and_null),
        cmocka_unit_test(ids_are_a_list_of_strings),
        cmocka_unit_test(a_document_is_kept_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

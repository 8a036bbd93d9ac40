/* SPDX-License-Identifier: MIT */
#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "child.h"

#define START "{\"schema_version\":1,\"step\":\"load-staging\","

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
        {0, "{\"seconds\":0.000}\n"},           {999, "{\"seconds\":0.000}\n"},
        {1234567, "{\"seconds\":1.234}\n"},     {-1500000, "{\"seconds\":-1.500}\n"},
        {-999, "{\"seconds\":0.000}\n"},        {3600000000, "{\"seconds\":3600.000}\n"},
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

/* count ids of the same four digits. */
static void set_many_ids(struct result *result, size_t count)
{
    static const char *ids[1000];

    for (size_t i = 0; i < count; i++)
        ids[i] = "1234";
    ids[0] = "first";
    ids[count - 1] = "last";
    result_set_ids(result, "batches", ids, count);
}

static void ids_that_would_not_fit_are_told_by_count_and_ends(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    set_many_ids(&result, 1000);
    result_set_int(&result, "rows", 1);
    line_is(&result, "{\"batches\":{\"count\":1000,\"first\":\"first\",\"last\":\"last\"},"
                     "\"rows\":1}\n");
    result_release(&result);
}

/* A line of exactly length bytes, most of them ids. */
static void make_line(struct result *result, struct str *line, size_t length)
{
    struct str padding;

    str_init(&padding);
    result_set_int(result, "schema_version", 1);
    result_set_text(result, "status", "done");
    set_many_ids(result, 500);
    result_set_text(result, "pad", "");
    str_clear(line);
    result_format(result, line);
    while (padding.length < length - line->length)
        str_add_char(&padding, 'x');
    result_set_text(result, "pad", padding.text);
    str_clear(line);
    result_format(result, line);
    str_release(&padding);
}

static void a_line_leaves_room_for_the_status_of_a_retry(void **state)
{
    struct result result;
    struct str line;

    (void)state;
    result_init(&result);
    str_init(&line);

    make_line(&result, &line, RESULT_MAX - 8);
    assert_int_equal(line.length, RESULT_MAX - 8);
    assert_null(strstr(line.text, "count"));
    assert_true(result_set_line(&result, line.text));
    str_clear(&line);
    result_format(&result, &line);
    assert_int_equal(line.length, RESULT_MAX);
    result_release(&result);

    make_line(&result, &line, RESULT_MAX - 7);
    assert_non_null(strstr(line.text, "count"));
    result_release(&result);
    str_release(&line);
}

static int print_too_much(const void *data)
{
    char text[5000];
    struct result result;
    struct str line;

    (void)data;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    result_init(&result);
    str_init(&line);
    result_set_text(&result, "text", text);
    result_format(&result, &line);
    return 0;
}

static void a_line_that_cannot_be_made_to_fit_is_a_bug(void **state)
{
    struct child child;

    (void)state;
    child_run(print_too_much, NULL, &child);
    assert_non_null(strstr(child.err, "a result line of 5011 bytes is too long"));
}

static void format_appends(void **state)
{
    struct result result;
    struct str line;

    (void)state;
    result_init(&result);
    str_init(&line);
    str_add_text(&line, "before ");
    set_many_ids(&result, 1000);
    result_format(&result, &line);
    assert_memory_equal(line.text, "before {\"batches\":{\"count\"", 25);
    result_release(&result);
    str_release(&line);
}

static void an_earlier_line_comes_again_as_already_done(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    result_set_text(&result, "status", "done");
    assert_true(result_set_line(&result, START "\"status\":\"done\",\"rows_read\":3}\n"));
    line_is(&result, START "\"status\":\"already-done\",\"rows_read\":3}\n");
    assert_true(result_set_line(&result, START "\"status\":\"already-done\"}"));
    line_is(&result, START "\"status\":\"already-done\"}\n");
    result_release(&result);
}

static void only_the_outermost_status_changes(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    assert_true(result_set_line(
        &result, START "\"x\":{\"status\":\"done\"},\"y\":[\"status\",{\"status\":\"done\"}],"
                       "\"z\":\"\\\"status\\\":\\\"done\\\"\",\"w\":\"}\",\"status\":\"done\"}"));
    line_is(&result, START "\"x\":{\"status\":\"done\"},\"y\":[\"status\",{\"status\":\"done\"}],"
                           "\"z\":\"\\\"status\\\":\\\"done\\\"\",\"w\":\"}\","
                           "\"status\":\"already-done\"}\n");
    result_release(&result);
}

static void what_is_no_line_of_ours_is_refused_and_changes_nothing(void **state)
{
    static const char *const lines[] = {
        "",
        "{}",
        "{\"status\":\"done\"}",
        " " START "\"status\":\"done\"}",
        START "\"rows_read\":3}",                 /* no status */
        START "\"status\":null}",                 /* no text */
        START "\"x\":{\"status\":\"done\"}}",     /* not the outermost */
        START "\"status\":\"done\"",              /* no end */
        START "\"status\":\"done",                /* within the status */
        START "\"rows\":\"x",                     /* within another text */
        START "\"rows\":\"x\\",                   /* within an escape */
        START "\"rows\":\"\xc3\xa9\",\"status\":\"done\"}", /* not ASCII */
        START "\t\"status\":\"done\"}",
        START "\"status\":\"done\"}}",
        START "\"status\":\"done\"} ",
    };
    struct result result;

    (void)state;
    result_init(&result);
    result_set_int(&result, "rows", 1);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (result_set_line(&result, lines[i]))
            fail_msg("line %zu was taken", i);
    line_is(&result, "{\"rows\":1}\n");
    result_release(&result);
}

static void a_line_that_would_grow_too_long_is_refused(void **state)
{
    struct result result;
    struct str line;

    (void)state;
    result_init(&result);
    str_init(&line);
    str_add_text(&line, START "\"status\":\"done\",\"pad\":\"");
    while (line.length < RESULT_MAX - 10)
        str_add_char(&line, 'x');
    str_add_text(&line, "\"}");
    assert_false(result_set_line(&result, line.text));
    str_release(&line);
    result_release(&result);
}

static void empty_is_nothing_to_do_now_or_at_the_first_try(void **state)
{
    struct result result;

    (void)state;
    result_init(&result);
    assert_false(result_is_empty(&result));
    result_set_text(&result, "status", "done");
    assert_false(result_is_empty(&result));
    result_set_text(&result, "status", "nothing-to-do");
    assert_true(result_is_empty(&result));
    assert_true(result_set_line(&result, START "\"status\":\"done\"}"));
    assert_false(result_is_empty(&result));
    assert_true(result_set_line(&result, START "\"status\":\"nothing-to-do\"}"));
    assert_true(result_is_empty(&result));
    line_is(&result, START "\"status\":\"already-done\"}\n");
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
        cmocka_unit_test(ids_that_would_not_fit_are_told_by_count_and_ends),
        cmocka_unit_test(a_line_leaves_room_for_the_status_of_a_retry),
        cmocka_unit_test(a_line_that_cannot_be_made_to_fit_is_a_bug),
        cmocka_unit_test(format_appends),
        cmocka_unit_test(an_earlier_line_comes_again_as_already_done),
        cmocka_unit_test(only_the_outermost_status_changes),
        cmocka_unit_test(what_is_no_line_of_ours_is_refused_and_changes_nothing),
        cmocka_unit_test(a_line_that_would_grow_too_long_is_refused),
        cmocka_unit_test(empty_is_nothing_to_do_now_or_at_the_first_try),
        cmocka_unit_test(a_document_is_kept_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
        START "\"rows_read\":3}",                           /* no status */
        START "\"status\":null}",                           /* no text */
        START "\"x\":{\"status\":\"done\"}}",               /* not the outermost */
        START "\"status\":\"done\"",                        /* no end */
        START "\"status\":\"done",                          /* within the status */
        START "\"rows\":\"x",                               /* within another text */
        START "\"rows\":\"x\\",                             /* within an escape */
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
    assert_false(result_set_line(&result, NULL));
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
    assert_true(result_set_line(&result, START "\"status\":\"something-new\"}")); /* as long */
    assert_false(result_is_empty(&result));
    assert_true(result_set_line(&result, START "\"status\":\"nothing-to-do\"}"));
    assert_true(result_is_empty(&result));
    line_is(&result, START "\"status\":\"already-done\"}\n");
    result_release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_would_not_fit_are_told_by_count_and_ends),
        cmocka_unit_test(a_line_leaves_room_for_the_status_of_a_retry),
        cmocka_unit_test(a_line_that_cannot_be_made_to_fit_is_a_bug),
        cmocka_unit_test(format_appends),
        cmocka_unit_test(an_earlier_line_comes_again_as_already_done),
        cmocka_unit_test(only_the_outermost_status_changes),
        cmocka_unit_test(what_is_no_line_of_ours_is_refused_and_changes_nothing),
        cmocka_unit_test(a_line_that_would_grow_too_long_is_refused),
        cmocka_unit_test(empty_is_nothing_to_do_now_or_at_the_first_try),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "base/task.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task_call.h"

static void success_is_one_line_and_0(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = succeed});
    assert_int_equal(child.status, 0);
    assert_string_equal(child.out, LINE);
}

static bool find_no_rows(struct result *result, struct error *err)
{
    succeed(result, err);
    return error_set(err, STATUS_DATA, "batch \"42\" has 0 staged rows; run load-staging again");
}

static void failure_prints_reason_and_remedy_and_no_result(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = find_no_rows});
    has_failed(&child, 65,
               "load-staging: error: batch \"42\" has 0 staged rows; run load-staging again\n");
    assert_non_null(strstr(child.err, "outcome=failed"));
}

static void a_result_that_does_not_arrive_is_an_io_error(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = succeed}, .before = fill_output);
    has_failed(&child, 74,
               "load-staging: error: could not write to standard output: No space left"
               " on device" COMMITTED);
}

static bool find_nothing(struct result *result, struct error *err)
{
    succeed(result, err);
    result_set_text(result, "status", "nothing-to-do");
    return true;
}

static bool find_nothing_again(struct result *result, struct error *err)
{
    (void)err;
    return result_set_line(result, "{\"schema_version\":1,\"status\":\"nothing-to-do\"}");
}

#define STEP(function) .task = {.is_step = true, .run = function}

static void nothing_to_do_is_a_result_unless_it_is_to_be_skipped(void **state)
{
    static const char skipped[] =
        "load-staging: error: nothing to do; skipped, as --skip-if-empty asks\n";
    struct child child;

    (void)state;
    CALL(&child, STEP(find_nothing));
    assert_int_equal(child.status, 0);
    assert_string_equal(child.out, "{\"schema_version\":1,\"status\":\"nothing-to-do\"}\n");
    CALL(&child, STEP(find_nothing), .words = {"--skip-if-empty"});
    has_failed(&child, 99, skipped);
    CALL(&child, STEP(find_nothing_again), .words = {"--skip-if-empty"});
    has_failed(&child, 99, skipped);
    CALL(&child, STEP(succeed), .words = {"--skip-if-empty"});
    assert_int_equal(child.status, 0);
}

static bool show(struct result *result, struct error *err)
{
    (void)err;
    result_set_document(result, "workflow lag\nform 3\n");
    return true;
}

static bool show_stale(struct result *result, struct error *err)
{
    show(result, err);
    return error_set(err, STATUS_STALE, "workflow \"form\" is late; look at its DAG");
}

static bool be_stale(struct result *result, struct error *err)
{
    (void)result;
    return error_set(err, STATUS_STALE, "workflow \"form\" is late; look at its DAG");
}

static void a_document_is_printed_even_where_it_tells_of_staleness(void **state)
{
    static const char stale[] = "load-staging: error: workflow \"form\" is late; look at its DAG\n";
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = show});
    assert_int_equal(child.status, 0);
    assert_string_equal(child.out, "workflow lag\nform 3\n");
    CALL(&child, .task = {.run = show_stale});
    assert_int_equal(child.status, 79);
    assert_string_equal(child.out, "workflow lag\nform 3\n");
    assert_string_equal(last_line(&child), stale);
    CALL(&child, .task = {.run = be_stale});
    has_failed(&child, 79, stale);
    CALL(&child, .task = {.run = show_stale}, .before = fill_output);
    has_failed(&child, 74,
               "load-staging: error: could not write to standard output: No space left"
               " on device; make room and run it again\n");
}

static char result_path[] = "/tmp/factline-task-XXXXXX";

static void result_file_is(const char *expected)
{
    char text[256];
    FILE *file = fopen(result_path, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static void the_result_file_holds_the_line_too(void **state)
{
    struct child child;

    (void)state;
    int fd = mkstemp(result_path);
    assert_true(fd >= 0);
    close(fd);

    CALL(&child, .task = {.run = find_no_rows}, .words = {"--result-file", result_path});
    assert_int_equal(child.status, 65);
    result_file_is("");
    CALL(&child, .task = {.run = succeed}, .words = {"--result-file", result_path});
    assert_int_equal(child.status, 0);
    assert_string_equal(child.out, LINE);
    result_file_is(LINE);
    unlink(result_path);
}

static void a_result_file_that_cannot_be_made_is_an_io_error(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = succeed}, .words = {"--result-file", "/nonexistent/x"});
    has_failed(&child, 74,
               "load-staging: error: could not write file \"/nonexistent/x\": No"
               " such file or directory" COMMITTED);
    CALL(&child, .task = {.run = succeed}, .words = {"--result-file", "/dev/null"});
    has_failed(&child, 64,
               "load-staging: error: file \"/dev/null\" is there and is no"
               " regular file; name another\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_one_line_and_0),
        cmocka_unit_test(failure_prints_reason_and_remedy_and_no_result),
        cmocka_unit_test(a_result_that_does_not_arrive_is_an_io_error),
        cmocka_unit_test(nothing_to_do_is_a_result_unless_it_is_to_be_skipped),
        cmocka_unit_test(a_document_is_printed_even_where_it_tells_of_staleness),
        cmocka_unit_test(the_result_file_holds_the_line_too),
        cmocka_unit_test(a_result_file_that_cannot_be_made_is_an_io_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "child.h"

static void setting_fills_status_and_message_and_returns_false(void **state)
{
    struct error err = {.sqlstate = "40001"};

    (void)state;
    assert_false(error_set(&err, STATUS_DATA, "%d rows; look at \"%s\"", 3, "x"));
    assert_int_equal(err.status, STATUS_DATA);
    assert_string_equal(err.message, "3 rows; look at \"x\"");
    assert_string_equal(err.sqlstate, "");
}

static void a_long_message_is_cut_at_its_field(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, STATUS_IO, "%1000s", "x");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void a_message_may_be_made_from_itself(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, STATUS_IO, "inner");
    error_set(&err, STATUS_DATA, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

static void a_prefix_goes_before_and_keeps_status_and_sqlstate(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, STATUS_TEMPORARY, "lock is busy; run again");
    memcpy(err.sqlstate, "55P03", sizeof err.sqlstate);
    assert_false(error_prefix(&err, "batch \"%s\": ", "42"));
    assert_string_equal(err.message, "batch \"42\": lock is busy; run again");
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_string_equal(err.sqlstate, "55P03");
}

static void a_prefix_too_long_is_cut_as_well(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, STATUS_IO, "%500s", "end");
    error_prefix(&err, "file \"%s\": ", "name");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_memory_equal(err.message, "file \"name\": ", 13);
    error_prefix(&err, "%600s", "x");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void every_status_has_its_name(void **state)
{
    static const struct {
        int status;
        const char *name;
    } names[] = {
        {0, "OK"},    {64, "USAGE"},        {65, "DATA"},       {69, "UNAVAILABLE"}, {70, "BUG"},
        {74, "IO"},   {75, "TEMPORARY"},    {77, "PERMISSION"}, {78, "CONFIG"},      {79, "STALE"},
        {99, "SKIP"}, {128, "INTERRUPTED"}, {1, "UNKNOWN"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(status_name((enum status)names[i].status), names[i].name);
}

static int contradict(const void *data)
{
    BUG("%s", (const char *)data);
}

static void a_bug_ends_the_program_with_70_and_one_line(void **state)
{
    struct child child;

    (void)state;
    child_run(contradict, "two owners", &child);
#ifdef FACTLINE_DEBUG
    assert_int_equal(child.signal, SIGABRT);
#else
    assert_int_equal(child.status, 70);
#endif
    assert_string_equal(child.out, "");
    assert_non_null(strstr(child.err, "factline: error: mistake in the program, "));
    assert_non_null(strstr(child.err, "two owners; report it\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_fills_status_and_message_and_returns_false),
        cmocka_unit_test(a_long_message_is_cut_at_its_field),
        cmocka_unit_test(a_message_may_be_made_from_itself),
        cmocka_unit_test(a_prefix_goes_before_and_keeps_status_and_sqlstate),
        cmocka_unit_test(a_prefix_too_long_is_cut_as_well),
        cmocka_unit_test(every_status_has_its_name),
        cmocka_unit_test(a_bug_ends_the_program_with_70_and_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

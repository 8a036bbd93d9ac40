/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/error.h"
#include "child.h"

#define TIME "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z"

static void matches(const char *text, const char *pattern)
{
    regex_t regex;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int answer = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    if (answer != 0)
        fail_msg("\"%s\" does not match \"%s\"", text, pattern);
}

static int tell_one_event(const void *data)
{
    (void)data;
    log_open("transform-fact", LOG_INFO);
    log_set_context("form", "42");
    log_event(LOG_INFO, "statement", "sql=%s rows=%d ms=%d", "form_fact", 10, 3);
    return 0;
}

static void an_event_is_one_line_in_the_documented_order(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_one_event, NULL, &child);
    matches(child.err,
            "^" TIME " info transform-fact form 42 statement sql=form_fact rows=10 ms=3\n$");
    assert_string_equal(child.out, "");
}

static int tell_without_context(const void *data)
{
    (void)data;
    log_open("migrate-warehouse", LOG_DEBUG);
    log_event(LOG_DEBUG, "start", "%s", "");
    log_set_context("form", "42");
    log_set_context(NULL, "");
    log_event(LOG_WARNING, "end", "x=1");
    return 0;
}

static void what_is_not_known_yet_is_a_dash(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_without_context, NULL, &child);
    matches(child.err, "^" TIME " debug migrate-warehouse - - start \n" TIME
                       " warning migrate-warehouse - - end x=1\n$");
}

static int tell_nothing_more(const void *data)
{
    log_open("x", LOG_INFO);
    log_event(LOG_INFO, "start", data ? "%s" : "", (const char *)data);
    return 0;
}

static void an_event_needs_no_values(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_nothing_more, NULL, &child);
    matches(child.err, "^" TIME " info x - - start\n$");
}

static int tell_at_every_level(const void *data)
{
    if (data)
        log_open("x", *(const enum log_level *)data);
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        log_event((enum log_level)level, "event", "level=%d", level);
        CHILD_EXPECT(log_is_on((enum log_level)level) ==
                     (level <= (data ? (int)*(const enum log_level *)data : LOG_ERROR)));
    }
    return 0;
}

static int lines_in(const char *text)
{
    int lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void what_is_more_detailed_than_asked_for_is_not_shown(void **state)
{
    struct child child;

    (void)state;
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        enum log_level shown = (enum log_level)level;
        child_run(tell_at_every_level, &shown, &child);
        assert_int_equal(child.status, 0);
        assert_int_equal(lines_in(child.err), level + 1);
    }
}

static void before_it_is_opened_only_errors_are_shown(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_at_every_level, NULL, &child);
    assert_int_equal(child.status, 0);
    matches(child.err, "^" TIME " error factline - - event level=0\n$");
}

static int tell_controls(const void *data)
{
    log_open("x", LOG_INFO);
    log_set_context("a\nb", "c\td");
    log_event(LOG_INFO, "event", "file=%s", (const char *)data);
    return 0;
}

static void control_characters_become_question_marks(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_controls,
              "1\n2\r3\x1b[31m4\x7f"
              "5\xc2\x9b"
              "6\xc3\xa9\xc2\xa0",
              &child);
    matches(child.err, " x a[?]b c[?]d event file=1[?]2[?]3[?]\\[31m4[?]5[?][?]6");
    assert_non_null(strstr(child.err, "6\xc3\xa9\xc2\xa0\n"));
    assert_int_equal(lines_in(child.err), 1);
}

static int tell_much(const void *data)
{
    (void)data;
    log_open("x", LOG_INFO);
    log_set_context("0123456789012345678901234567890123456789012345678901234567890123456789", "b");
    log_event(LOG_INFO, "event", "long=%5000d", 1);
    return 0;
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_much, NULL, &child);
    assert_int_equal(lines_in(child.err), 1);
    assert_in_range(strlen(child.err), 4000, 4096);
    assert_int_equal(child.err[strlen(child.err) - 1], '\n');
}

static void a_long_context_is_cut_at_63_bytes(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_much, NULL, &child);
    assert_non_null(
        strstr(child.err, " 012345678901234567890123456789012345678901234567890123456789012 b "));
}

static int fail_quietly(const void *data)
{
    struct error err;

    (void)data;
    log_open("load-staging", LOG_ERROR);
    log_set_context("form", "42");
    error_set(&err, STATUS_IO, "file \"%s\" is missing; name another", "a\nb");
    log_failure(&err);
    return 0;
}

static void a_failure_is_reason_and_remedy_at_every_level(void **state)
{
    struct child child;

    (void)state;
    child_run(fail_quietly, NULL, &child);
    assert_string_equal(child.err, "load-staging: error: file \"a?b\" is missing; name another\n");
}

static void name_stderr_as_journal(void)
{
    struct stat status;
    char stream[64];

    CHILD_EXPECT(fstat(STDERR_FILENO, &status) == 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

static int tell_the_journal(const void *data)
{
    name_stderr_as_journal();
    tell_one_event(data);
    return fail_quietly(data);
}

static void the_journal_gets_priorities(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_the_journal, NULL, &child);
    matches(child.err, "^<6>" TIME " info transform-fact .*\n<3>load-staging: error: .*\n$");
}

static int tell_beside_the_journal(const void *data)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    return tell_one_event(data);
}

static void a_journal_that_is_elsewhere_changes_nothing(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_beside_the_journal, NULL, &child);
    matches(child.err, "^" TIME " info ");
}

static int tell_a_group(const void *data)
{
    setenv("AIRFLOW_CTX_TASK_ID", "load_form", 1);
    if (!data)
        setenv("AIRFLOW_CTX_TASK_ID", "", 1); /* as good as absent */
    log_open("x", LOG_ERROR);
    log_begin_group("form");
    log_end_group();
    return 0;
}

static void marks_of_a_group_are_for_airflow_alone(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_a_group, "under Airflow", &child);
    assert_string_equal(child.err, "::group::form\n::endgroup::\n");
    child_run(tell_a_group, NULL, &child);
    assert_string_equal(child.err, "");
}

static int tell_nobody(const void *data)
{
    log_open("x", LOG_INFO);
    close(STDERR_FILENO);
    errno = ENOENT;
    log_event(LOG_INFO, "event", "x=%s", (const char *)data);
    if (errno != ENOENT)
        return 1;
    return fail_quietly(NULL);
}

static void a_write_that_fails_stops_nothing_and_leaves_errno(void **state)
{
    struct child child;

    (void)state;
    child_run(tell_nobody, "y", &child);
    assert_int_equal(child.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line_in_the_documented_order),
        cmocka_unit_test(what_is_not_known_yet_is_a_dash),
        cmocka_unit_test(an_event_needs_no_values),
        cmocka_unit_test(what_is_more_detailed_than_asked_for_is_not_shown),
        cmocka_unit_test(before_it_is_opened_only_errors_are_shown),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(a_long_context_is_cut_at_63_bytes),
        cmocka_unit_test(a_failure_is_reason_and_remedy_at_every_level),
        cmocka_unit_test(the_journal_gets_priorities),
        cmocka_unit_test(a_journal_that_is_elsewhere_changes_nothing),
        cmocka_unit_test(marks_of_a_group_are_for_airflow_alone),
        cmocka_unit_test(a_write_that_fails_stops_nothing_and_leaves_errno),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "base/task.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "task_call.h"

static const char *feed;
static struct task_list sources;

static const struct task_option feed_options[] = {
    {.arg = "FEED", .help = "feed", .to = &feed},
    {.name = "source", .arg = "SPEC", .help = "source", .list = &sources, .may_be_stdin = true},
    {0},
};

/* ---- the process ---- */

static void give_input(void)
{
    int ends[2];

    if (pipe(ends) == 0 && write(ends[1], "bytes", 5) == 5)
        dup2(ends[0], STDIN_FILENO);
}

static bool read_input(struct result *result, struct error *err)
{
    char bytes[8];

    (void)err;
    result_set_int(result, "bytes", read(STDIN_FILENO, bytes, sizeof bytes));
    return true;
}

static void standard_input_is_kept_only_where_a_dash_says_so(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.options = feed_options, .run = read_input}, .words = {"form"},
         .before = give_input);
    assert_string_equal(child.out, "{\"bytes\":0}\n");
    CALL(&child, .task = {.options = feed_options, .run = read_input},
         .words = {"form", "--source", "-"}, .before = give_input);
    assert_string_equal(child.out, "{\"bytes\":5}\n");
}

static void close_streams(void)
{
    close(STDIN_FILENO);
    close(STDERR_FILENO);
}

static bool open_a_file(struct result *result, struct error *err)
{
    int fd = open("/dev/null", O_RDONLY);

    (void)err;
    result_set_int(result, "fd_is_high", fd > STDERR_FILENO);
    close(fd);
    return true;
}

static void closed_streams_are_opened_before_others_take_their_numbers(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = open_a_file}, .before = close_streams);
    assert_int_equal(child.status, 0);
    assert_string_equal(child.out, "{\"fd_is_high\":1}\n");
}

static void close_output(void)
{
    close(STDOUT_FILENO);
}

static void a_result_for_a_closed_output_is_an_io_error(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = succeed}, .before = close_output);
    has_failed(&child, 74,
               "load-staging: error: could not write to standard output: Bad file"
               " descriptor" COMMITTED);
}

static bool look_at_cores(struct result *result, struct error *err)
{
    struct rlimit limit;

    (void)err;
    getrlimit(RLIMIT_CORE, &limit);
    result_set_int(result, "core_limit_is_small", limit.rlim_cur <= 1);
    return true;
}

static void no_core_is_left(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = look_at_cores});
    assert_string_equal(child.out, "{\"core_limit_is_small\":1}\n");
}

static bool log_all(struct result *result, struct error *err)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
        log_event((enum log_level)level, "event", "level=%d", level);
    return succeed(result, err);
}

static void quiet_and_verbose_choose_what_is_logged(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = log_all});
    assert_non_null(strstr(child.err, " info load-staging - - start version="));
    assert_non_null(strstr(child.err, " info load-staging - - end outcome=done ms="));
    assert_non_null(strstr(child.err, "level=2"));
    assert_null(strstr(child.err, "level=3"));
    CALL(&child, .task = {.run = log_all}, .words = {"--quiet"});
    assert_non_null(strstr(child.err, "level=0"));
    assert_null(strstr(child.err, "level=1"));
    assert_null(strstr(child.err, "start"));
    CALL(&child, .task = {.run = log_all}, .words = {"--verbose"});
    assert_non_null(strstr(child.err, "level=3"));
}

/* ---- being stopped ---- */

static int signal_to_send;

static bool be_stopped(struct result *result, struct error *err)
{
    (void)result;
    kill(getpid(), signal_to_send);
    CHILD_EXPECT(interrupt_wait(-1, 0, -1, NULL) == INTERRUPT_STOP);
    return error_set(err, STATUS_INTERRUPTED, "interrupted; run again");
}

static void a_stop_ends_by_that_very_signal_after_one_line(void **state)
{
    static const struct {
        int number;
        const char *line;
    } stops[] = {
        {SIGTERM, "load-staging: error: interrupted by signal 15 (SIGTERM); run the step again\n"},
        {SIGINT, "load-staging: error: interrupted by signal 2 (SIGINT); run the step again\n"},
        {SIGHUP, "load-staging: error: interrupted by signal 1 (SIGHUP); run the step again\n"},
    };
    struct child child;

    (void)state;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        signal_to_send = stops[i].number;
        CALL(&child, .task = {.run = be_stopped});
        has_failed(&child, -1, stops[i].line);
        assert_int_equal(child.signal, stops[i].number);
    }
}

static bool fail_by_a_stop(struct result *result, struct error *err)
{
    (void)result;
    kill(getpid(), SIGTERM);
    return error_set(err, STATUS_IO, "a read was cut short; run again");
}

static bool fail_beside_a_stop(struct result *result, struct error *err)
{
    (void)result;
    kill(getpid(), SIGTERM);
    return error_set(err, STATUS_DATA, "the header is wrong; correct it");
}

static void a_failure_that_passes_is_laid_to_the_stop_a_lasting_one_is_not(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = fail_by_a_stop});
    assert_int_equal(child.signal, SIGTERM);
    CALL(&child, .task = {.run = fail_beside_a_stop});
    assert_int_equal(child.status, 65);
}

static bool succeed_beside_a_stop(struct result *result, struct error *err)
{
    kill(getpid(), SIGTERM);
    return succeed(result, err);
}

static void a_stop_after_the_work_prints_no_result_and_says_so(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = succeed_beside_a_stop});
    has_failed(&child, -1, "load-staging: error: interrupted by signal 15 (SIGTERM)" COMMITTED);
    assert_int_equal(child.signal, SIGTERM);
}

static void lose_reader(void)
{
    int ends[2];

    CHILD_EXPECT(pipe(ends) == 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    close(ends[0]);
}

static bool wait_for_ever(struct result *result, struct error *err)
{
    (void)result;
    CHILD_EXPECT(interrupt_wait(-1, 0, -1, NULL) == INTERRUPT_STOP);
    return error_set(err, STATUS_INTERRUPTED, "interrupted; run again");
}

static void an_output_that_nobody_reads_is_an_io_error(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = wait_for_ever}, .before = lose_reader);
    has_failed(&child, 74,
               "load-staging: error: nobody reads standard output any more; run the step"
               " again\n");
    CALL(&child, .task = {.run = succeed}, .before = lose_reader);
    has_failed(&child, 74,
               "load-staging: error: could not write to standard output: Broken pipe" COMMITTED);
}

static bool fail_without_reason(struct result *result, struct error *err)
{
    (void)result;
    (void)err;
    return false;
}

static bool be_stopped_by_nobody(struct result *result, struct error *err)
{
    (void)result;
    return error_set(err, STATUS_INTERRUPTED, "interrupted; run again");
}

static void a_failure_that_contradicts_itself_is_a_bug(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = fail_without_reason});
    assert_non_null(strstr(last_line(&child), "failed without a reason; report it"));
    CALL(&child, .task = {.run = be_stopped_by_nobody});
    assert_non_null(strstr(last_line(&child), "interrupted by nobody; report it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_input_is_kept_only_where_a_dash_says_so),
        cmocka_unit_test(closed_streams_are_opened_before_others_take_their_numbers),
        cmocka_unit_test(a_result_for_a_closed_output_is_an_io_error),
        cmocka_unit_test(no_core_is_left),
        cmocka_unit_test(quiet_and_verbose_choose_what_is_logged),
        cmocka_unit_test(a_stop_ends_by_that_very_signal_after_one_line),
        cmocka_unit_test(a_failure_that_passes_is_laid_to_the_stop_a_lasting_one_is_not),
        cmocka_unit_test(a_stop_after_the_work_prints_no_result_and_says_so),
        cmocka_unit_test(an_output_that_nobody_reads_is_an_io_error),
        cmocka_unit_test(a_failure_that_contradicts_itself_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=isatty,--wrap=ioctl,--wrap=clock_monotonic */
#include "base/progress.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "child.h"

/* ---- in place of the terminal and of time ---- */

static bool is_terminal;
static unsigned short columns;
static int64_t now;

int __wrap_isatty(int fd);
int __wrap_ioctl(int fd, unsigned long request, ...);
int64_t __wrap_clock_monotonic(void);

int __wrap_isatty(int fd)
{
    return fd == STDERR_FILENO && is_terminal;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;

    if (fd != STDERR_FILENO || request != TIOCGWINSZ || columns == 0)
        return -1;
    va_start(arguments, request);
    va_arg(arguments, struct winsize *)->ws_col = columns;
    va_end(arguments);
    return 0;
}

int64_t __wrap_clock_monotonic(void)
{
    return now;
}

static int set_up(void **state)
{
    (void)state;
    is_terminal = true;
    columns = 120;
    now = 1000 * CLOCK_SECOND;
    setenv("TERM", "vt100", 1);
    return 0;
}

static void matches(const char *text, const char *pattern)
{
    regex_t regex;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int answer = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    if (answer != 0)
        fail_msg("\"%s\" does not match \"%s\"", text, pattern);
}

static void open_log(enum log_level level)
{
    log_open("load-staging", level);
    log_set_context("form", "17");
}

/* ---- on a terminal ---- */

static int read_a_file(const void *data)
{
    (void)data;
    open_log(LOG_INFO);
    struct progress progress = progress_begin("reading", NULL);
    progress.size = 200;
    for (int i = 1; i <= 4; i++) {
        progress.rows += 1000;
        progress.bytes += 60;
        progress.rejected = i / 2;
        now += CLOCK_SECOND / 5; /* every second one is due */
        progress_tell(&progress);
    }
    log_event(LOG_INFO, "end", "x=1");
    return 0;
}

static void a_terminal_shows_one_line_that_is_rewritten_and_goes_before_the_next(void **state)
{
    struct child child;

    (void)state;
    child_run(read_a_file, NULL, &child);
    matches(child.err,
            "^load-staging form 17 reading \\[############[.]{8}\\]  60 %  0:00  2000 rows  5000/s"
            "  1 rejected\r"
            "load-staging form 17 reading \\[#{20}\\] 100 %  0:00  4000 rows  5000/s  2 rejected\r"
            " +\r[^\r]* end x=1\n$");
}

static int wait_long(const void *data)
{
    (void)data;
    open_log(LOG_INFO);
    struct progress progress = progress_begin("waiting", "form_fact");
    now += 125 * CLOCK_SECOND;
    progress_show(&progress);
    now -= 65 * CLOCK_SECOND;
    progress.sql = NULL;
    progress_show(&progress);
    return 0;
}

static void a_shorter_line_covers_the_longer_one_before(void **state)
{
    struct child child;

    (void)state;
    child_run(wait_long, NULL, &child);
    assert_string_equal(child.err, "load-staging form 17 waiting form_fact  2:05\r"
                                   "load-staging form 17 waiting  1:00          \r");
}

static int copy_a_window(const void *data)
{
    (void)data;
    open_log(LOG_INFO);
    progress_set_window("2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000Z");
    struct progress progress = progress_begin("copy", "form");
    progress_show(&progress);
    progress.rows = 10;
    progress.bytes = 5;
    now += 40 * CLOCK_SECOND;
    progress_tell(&progress);
    return 0;
}

static void a_window_is_told_where_nobody_knows_the_whole(void **state)
{
    struct child child;

    (void)state;
    child_run(copy_a_window, NULL, &child);
    assert_string_equal(child.err, "load-staging form 17 copy form  0:00\r"
                                   "load-staging form 17 copy form  0:40  10 rows  0/s  until "
                                   "2026-01-02T00:00:00.000000Z\r");
}

static void a_line_never_reaches_the_last_column(void **state)
{
    static const struct {
        unsigned short columns;
        size_t length;
    } cases[] = {{20, 19}, {0, 79}, {400, 85}};
    struct child child;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        columns = cases[i].columns;
        child_run(copy_a_window, NULL, &child);
        assert_int_equal(strlen(strchr(child.err, '\r') + 1), cases[i].length + 1);
    }
}

static int show_status(const void *data)
{
    log_open("x", *(const enum log_level *)data);
    log_status("anything");
    return log_has_status();
}

static void there_is_no_such_line_when_quiet_on_a_dumb_terminal_or_elsewhere(void **state)
{
    enum log_level level = LOG_ERROR;
    struct child child;

    (void)state;
    for (int i = 0; i < 3; i++) {
        child_run(show_status, &level, &child);
        assert_string_equal(child.err, "");
        assert_int_equal(child.status, 0);
        level = LOG_INFO;
        is_terminal = i == 0;
        setenv("TERM", i == 0 ? "dumb" : "vt100", 1);
    }
    is_terminal = true;
    unsetenv("TERM");
    child_run(show_status, &level, &child);
    assert_string_equal(child.err, "x - - anything\r");
}

/* ---- in a log ---- */

static void a_log_gets_an_event_every_half_minute(void **state)
{
    struct child child;

    (void)state;
    is_terminal = false;
    child_run(copy_a_window, NULL, &child);
    matches(child.err, "^[^\r\n]* info load-staging form 17 copy sql=form ms=0\n"
                       "[^\r\n]* copy sql=form ms=40000 rows=10 rows_per_second=0 bytes=5 "
                       "since=2026-01-01T00:00:00.000000Z until=2026-01-02T00:00:00.000000Z\n$");
    child_run(read_a_file, NULL, &child);
    matches(child.err, "^[^\n]* end x=1\n$");
    child_run(wait_long, NULL, &child);
    matches(child.err, "sql=form_fact ms=125000\n.* waiting ms=60000\n$");
}

static int read_slowly(const void *data)
{
    (void)data;
    open_log(LOG_INFO);
    struct progress progress = progress_begin("reading", NULL);
    progress.rows = 300;
    progress.rejected = 2;
    progress.bytes = 50;
    progress.size = 200;
    now += 30 * CLOCK_SECOND;
    progress_tell(&progress);
    progress_tell(&progress);
    return 0;
}

static void the_event_of_a_file_tells_the_percentage(void **state)
{
    struct child child;

    (void)state;
    is_terminal = false;
    child_run(read_slowly, NULL, &child);
    matches(child.err, "^[^\n]* reading ms=30000 rows=300 rows_per_second=10 bytes=50 rejected=2 "
                       "percent=25\n$");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_terminal_shows_one_line_that_is_rewritten_and_goes_before_the_next,
                               set_up),
        cmocka_unit_test_setup(a_shorter_line_covers_the_longer_one_before, set_up),
        cmocka_unit_test_setup(a_window_is_told_where_nobody_knows_the_whole, set_up),
        cmocka_unit_test_setup(a_line_never_reaches_the_last_column, set_up),
        cmocka_unit_test_setup(there_is_no_such_line_when_quiet_on_a_dumb_terminal_or_elsewhere,
                               set_up),
        cmocka_unit_test_setup(a_log_gets_an_event_every_half_minute, set_up),
        cmocka_unit_test_setup(the_event_of_a_file_tells_the_percentage, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

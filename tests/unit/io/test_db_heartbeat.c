/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=interrupt_wait,--wrap=log_event */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/interrupt.h"
#include "fake_db.h"

static const struct sql statement = {.name = "form_fact", .text = "SELECT 1"};

/* ---- in place of time and log ---- */

static int silences; /* so many waits of thirty seconds end without an answer */
static int heartbeats;
static char last[128];

enum interrupt_waited __real_interrupt_wait(int fd, short events, int timeout_ms, short *revents);
enum interrupt_waited __wrap_interrupt_wait(int fd, short events, int timeout_ms, short *revents);
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum interrupt_waited __wrap_interrupt_wait(int fd, short events, int timeout_ms, short *revents)
{
    if (timeout_ms != 30000 || silences == 0)
        return __real_interrupt_wait(fd, events, timeout_ms, revents);
    silences--;
    *revents = 0;
    return INTERRUPT_TIMEOUT;
}

void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (strcmp(event, "waiting") != 0)
        return;
    assert_int_equal(level, LOG_INFO);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last, sizeof last, format, arguments);
    va_end(arguments);
    heartbeats++;
}

/* ---- tests ---- */

static void answer(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_wait_for_end(fd);
}

static void a_statement_that_runs_long_says_so_twice_a_minute(void **state)
{
    (void)state;
    struct db *db = open_fake(answer);
    silences = 2;
    heartbeats = 0;
    assert_true(db_run(db, &statement, NULL, NULL, &err));
    assert_int_equal(heartbeats, 2);
    assert_memory_equal(last, "sql=form_fact ms=", 17);
    close_fake(db);
}

static void a_short_statement_says_nothing_on_its_way(void **state)
{
    (void)state;
    struct db *db = open_fake(answer);
    heartbeats = 0;
    assert_true(db_run(db, &statement, NULL, NULL, &err));
    assert_int_equal(heartbeats, 0);
    close_fake(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_that_runs_long_says_so_twice_a_minute),
        cmocka_unit_test(a_short_statement_says_nothing_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

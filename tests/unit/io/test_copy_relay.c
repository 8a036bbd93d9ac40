/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=db_copy_in,--wrap=db_copy_put,--wrap=db_copy_in_end */
/* link: -Wl,--wrap=db_copy_out,--wrap=db_copy_get,--wrap=db_copy_out_end */
/* link: -Wl,--wrap=clock_monotonic,--wrap=log_event */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "copy_wire.h"

static const struct sql out = {.name = "rows_out", .text = "", .is_copy = true};

/* ---- in place of time and log ---- */

static int64_t now, tick; /* each look at the clock takes a tick */
static size_t heartbeats;

int64_t __wrap_clock_monotonic(void);
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int64_t __wrap_clock_monotonic(void)
{
    now += tick;
    return now;
}

void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
{
    assert_int_equal(level, LOG_INFO);
    assert_string_equal(event, "copy");
    assert_string_equal(format, "%s");
    heartbeats++;
}

/* ---- relays ---- */

static void send_rows(size_t count, size_t length)
{
    wire.row = mem_alloc(length);
    memset(wire.row, 'r', length);
    wire.row_length = length;
    wire.rows_left = count;
    wire.sent = wire.counted = (int64_t)count;
}

static bool relay(int64_t *rows, int64_t *bytes)
{
    return copy_relay(NULL, &out, NULL, NULL, &in, NULL, rows, bytes, &err);
}

static void a_relay_passes_all_bytes_in_few_pieces(void **state)
{
    (void)state;
    int64_t rows = 0, bytes = 0;
    send_rows(10000, 100);
    assert_true(relay(&rows, &bytes));
    assert_int_equal(rows, 10000);
    assert_int_equal(bytes, 1000000);
    assert_int_equal(wire.taken.length, 1000000);
    assert_in_range(wire.puts, 15, 17);
}

static void a_relay_passes_long_rows_at_once(void **state)
{
    (void)state;
    int64_t rows = 0, bytes = 0;
    send_rows(3, 1 << 20);
    assert_true(relay(&rows, &bytes));
    assert_int_equal(bytes, 3 << 20);
    assert_int_equal(wire.taken.length, 3 << 20);
}

static void a_relay_of_nothing_is_no_failure(void **state)
{
    (void)state;
    int64_t rows = 7, bytes = 7;
    assert_true(relay(&rows, &bytes));
    assert_int_equal(rows, 0);
    assert_int_equal(bytes, 0);
}

static void servers_that_count_otherwise_fail_the_relay(void **state)
{
    (void)state;
    int64_t rows = 7, bytes = 7;
    send_rows(3, 10);
    wire.counted = 2;
    assert_false(relay(&rows, &bytes));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_string_equal(err.message, "the source sent 3 rows for \"rows_in\", the warehouse took "
                                     "2; run the step again");
    assert_int_equal(rows, 7);
}

static void each_failure_ends_the_relay(void **state)
{
    (void)state;
    bool *const failures[] = {&wire.fail_out, &wire.fail_in, &wire.fail_get, &wire.fail_out_end,
                              &wire.fail_in_end};
    static const char *const messages[] = {"out", "in", "get", "out end", "in end"};
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        int64_t rows, bytes;
        *failures[i] = true;
        assert_false(relay(&rows, &bytes));
        assert_string_equal(err.message, messages[i]);
        *failures[i] = false;
    }
}

static void a_piece_that_is_refused_ends_the_relay(void **state)
{
    (void)state;
    int64_t rows, bytes;
    send_rows(10000, 100);
    wire.fail_from = 3;
    assert_false(relay(&rows, &bytes));
    assert_string_equal(err.message, "put");
    assert_int_equal(wire.puts, 2);
    assert_true(wire.rows_left > 0);

    free(wire.row);
    send_rows(10, 1 << 20);
    wire.fail_from = wire.puts + 2;
    assert_false(relay(&rows, &bytes));
    assert_string_equal(err.message, "put");
}

static void a_relay_tells_of_itself_every_half_minute(void **state)
{
    (void)state;
    int64_t rows, bytes;
    send_rows(10000, 1000); /* 10 MB in pieces of 64 KiB: 153 looks at the clock, and two more */
    tick = CLOCK_SECOND;
    assert_true(relay(&rows, &bytes));
    assert_in_range(heartbeats, 4, 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_relay_passes_all_bytes_in_few_pieces),
        TEST(a_relay_passes_long_rows_at_once),
        TEST(a_relay_of_nothing_is_no_failure),
        TEST(servers_that_count_otherwise_fail_the_relay),
        TEST(each_failure_ends_the_relay),
        TEST(a_piece_that_is_refused_ends_the_relay),
        TEST(a_relay_tells_of_itself_every_half_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

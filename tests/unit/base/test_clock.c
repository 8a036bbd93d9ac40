/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define UNSET 12345

static enum clock_parsed parse(const char *text, int64_t *time)
{
    *time = UNSET;
    return clock_parse(text, strlen(text), time);
}

/* The text as a time, and that time as we would print it. */
static void reads_as(const char *text, const char *expected)
{
    char buffer[CLOCK_TEXT_SIZE];
    int64_t time;

    assert_int_equal(parse(text, &time), CLOCK_OK);
    assert_string_equal(clock_format(time, buffer), expected);
}

static void is_refused(const char *text, enum clock_parsed expected)
{
    int64_t time;

    if (parse(text, &time) != expected)
        fail_msg("\"%s\" was not answered with %d", text, (int)expected);
    assert_int_equal(time, UNSET);
}

static void the_epoch_is_zero(void **state)
{
    int64_t time;

    (void)state;
    assert_int_equal(parse("1970-01-01T00:00:00Z", &time), CLOCK_OK);
    assert_int_equal(time, 0);
    assert_int_equal(parse("1970-01-02T00:00:01.000002Z", &time), CLOCK_OK);
    assert_int_equal(time, CLOCK_DAY + CLOCK_SECOND + 2);
}

static void a_bare_date_is_its_midnight(void **state)
{
    (void)state;
    reads_as("2026-01-31", "2026-01-31T00:00:00.000000Z");
}

static void date_and_time_may_be_parted_in_three_ways(void **state)
{
    (void)state;
    reads_as("2026-01-31T08:30:01Z", "2026-01-31T08:30:01.000000Z");
    reads_as("2026-01-31t08:30:01z", "2026-01-31T08:30:01.000000Z");
    reads_as("2026-01-31 08:30:01", "2026-01-31T08:30:01.000000Z");
}

static void no_zone_is_utc(void **state)
{
    (void)state;
    reads_as("2026-01-31T08:30:01", "2026-01-31T08:30:01.000000Z");
    reads_as("2026-01-31T08:30:01.5", "2026-01-31T08:30:01.500000Z");
}

static void a_fraction_of_any_length_is_cut_at_microseconds(void **state)
{
    (void)state;
    reads_as("2026-01-31T08:30:01.1Z", "2026-01-31T08:30:01.100000Z");
    reads_as("2026-01-31T08:30:01.123456Z", "2026-01-31T08:30:01.123456Z");
    reads_as("2026-01-31T08:30:01.12345678901234567890Z", "2026-01-31T08:30:01.123456Z");
    reads_as("2026-01-31T08:30:01.9999999Z", "2026-01-31T08:30:01.999999Z");
}

static void zones_come_with_and_without_colon_and_minutes(void **state)
{
    (void)state;
    reads_as("2026-01-31T08:30:00+02:00", "2026-01-31T06:30:00.000000Z");
    reads_as("2026-01-31T08:30:00+0530", "2026-01-31T03:00:00.000000Z");
    reads_as("2026-01-31T08:30:00-03", "2026-01-31T11:30:00.000000Z");
    reads_as("2026-01-31T08:30:00.25-03:30", "2026-01-31T12:00:00.250000Z");
    reads_as("2026-01-01T00:00:00+15:59", "2025-12-31T08:01:00.000000Z");
}

static void hour_24_is_the_next_midnight(void **state)
{
    (void)state;
    reads_as("2026-12-31T24:00:00Z", "2027-01-01T00:00:00.000000Z");
    reads_as("2026-12-31T24:00:00.000Z", "2027-01-01T00:00:00.000000Z");
}

static void second_60_is_the_next_minute(void **state)
{
    (void)state;
    reads_as("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z");
    reads_as("2016-12-31T10:20:60.5Z", "2016-12-31T10:21:00.500000Z");
}

static void leap_days_follow_the_gregorian_calendar(void **state)
{
    (void)state;
    reads_as("2024-02-29", "2024-02-29T00:00:00.000000Z");
    reads_as("2000-02-29", "2000-02-29T00:00:00.000000Z");
    is_refused("2023-02-29", CLOCK_OUT_OF_RANGE);
    is_refused("1900-02-29", CLOCK_OUT_OF_RANGE);
}

static void the_first_and_the_last_year_are_read(void **state)
{
    (void)state;
    reads_as("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z");
    reads_as("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z");
}

static void what_is_not_a_time_is_malformed(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "2026",
        "2026-01",
        "2026-1-1",
        "26-01-01",
        "12026-01-01",
        "2026/01/01",
        "2026-01/01",
        "2026-01-0x",
        "-infinity",
        " 2026-01-01",
        "2026-01-01 ",
        "2026-01-01Z",
        "2026-01-01T",
        "2026-01-01T08",
        "2026-01-01T08:30",
        "2026-01-01T08:30Z",
        "2026-01-01T0x:30:00Z",
        "2026-01-01T08.30:00Z",
        "2026-01-01T08:3x:00Z",
        "2026-01-01T08:30.00Z",
        "2026-01-01T08:30:0",
        "2026-01-01T08:30:00.Z",
        "2026-01-01T08:30:00.",
        "2026-01-01T08:30:00,5Z",
        "2026-01-01T08:30:00ZZ",
        "2026-01-01T08:30:00 Z",
        "2026-01-01T08:30:00+",
        "2026-01-01T08:30:00+2",
        "2026-01-01T08:30:00+02:",
        "2026-01-01T08:30:00+02:0",
        "2026-01-01T08:30:00+02:00:00",
        "2026-01-01T08:30:00 UTC",
        "2026-01-01_08:30:00Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        is_refused(texts[i], CLOCK_MALFORMED);
}

static void what_no_calendar_has_is_out_of_range(void **state)
{
    static const char *const texts[] = {
        "0000-12-31",
        "2026-00-01",
        "2026-13-01",
        "2026-01-00",
        "2026-01-32",
        "2026-04-31",
        "2026-01-01T25:00:00Z",
        "2026-01-01T24:00:01Z",
        "2026-01-01T24:01:00Z",
        "2026-01-01T24:00:00.1Z",
        "2026-01-01T08:60:00Z",
        "2026-01-01T08:00:61Z",
        "2026-01-01T08:00:00+16:00",
        "2026-01-01T08:00:00+02:60",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T24:00:00Z",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:30:00-01:00",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        is_refused(texts[i], CLOCK_OUT_OF_RANGE);
}

static void a_nul_byte_is_malformed(void **state)
{
    static const char texts[][21] = {"2026-01-01\0", "2026-01-01T08:30:00\0"};
    int64_t time;

    (void)state;
    assert_int_equal(clock_parse(texts[0], 11, &time), CLOCK_MALFORMED);
    assert_int_equal(clock_parse(texts[1], 20, &time), CLOCK_MALFORMED);
}

static void length_bounds_what_is_read(void **state)
{
    int64_t time;

    (void)state;
    assert_int_equal(clock_parse("2026-01-31T08:30:00Z", 10, &time), CLOCK_OK);
    assert_int_equal(time % CLOCK_DAY, 0);
    assert_int_equal(clock_parse("2026-01-31", 9, &time), CLOCK_MALFORMED);
}

/* The C library's calendar is the oracle. */
static void every_hundredth_day_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (time_t day = -719162; day <= 2932896; day += 97) {
        time_t seconds = day * 86400 + 3661;
        char expected[64], actual[CLOCK_TEXT_SIZE];
        struct tm parts;
        int64_t time;

        assert_non_null(gmtime_r(&seconds, &parts));
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.000007Z",
                 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                 parts.tm_sec);
        assert_string_equal(clock_format(seconds * CLOCK_SECOND + 7, actual), expected);
        assert_int_equal(parse(expected, &time), CLOCK_OK);
        assert_int_equal(time, seconds * CLOCK_SECOND + 7);
    }
}

static void the_beginning_of_time_is_minus_infinity(void **state)
{
    char buffer[CLOCK_TEXT_SIZE];

    (void)state;
    assert_string_equal(clock_format(CLOCK_BEGINNING, buffer), "-infinity");
}

static void the_extremes_fit_their_buffer(void **state)
{
    char buffer[CLOCK_TEXT_SIZE];

    (void)state;
    assert_string_equal(clock_format(INT64_MAX, buffer), "294247-01-10T04:00:54.775807Z");
    assert_string_equal(clock_format(INT64_MIN + 1, buffer), "-290308-12-21T19:59:05.224193Z");
    assert_string_equal(clock_format(-1, buffer), "1969-12-31T23:59:59.999999Z");
}

static void durations_come_in_four_units(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } durations[] = {
        {"0", 0},
        {"45", 45},
        {"45s", 45},
        {"15min", 900},
        {"2h", 7200},
        {"30d", 30 * 86400},
        {"36525d", INT64_C(36525) * 86400},
    };
    int64_t duration;

    (void)state;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        assert_true(clock_parse_duration(durations[i].text, &duration));
        assert_int_equal(duration, durations[i].seconds * CLOCK_SECOND);
    }
}

static void durations_take_decimals(void **state)
{
    int64_t duration;

    (void)state;
    assert_true(clock_parse_duration("1.5h", &duration));
    assert_int_equal(duration, 5400 * CLOCK_SECOND);
    assert_true(clock_parse_duration("0.000001", &duration));
    assert_int_equal(duration, 1);
    assert_true(clock_parse_duration("0.1234569s", &duration));
    assert_int_equal(duration, 123456);
}

static void what_is_not_a_duration_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "s",
        "-1",
        "+1",
        "1m",
        "1 h",
        "1H",
        "1e3",
        ".5",
        "1.",
        "1.h",
        "1.5.",
        "15mins",
        "0x10",
        "1d12h",
        "inf",
        "36526d",
        "36525.5d",
        "3155760001s",
        "99999999999999999999d",
        "52596001min",
    };
    int64_t duration = UNSET;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (clock_parse_duration(texts[i], &duration))
            fail_msg("\"%s\" was taken", texts[i]);
    assert_int_equal(duration, UNSET);
}

static void now_is_what_the_machine_says(void **state)
{
    int64_t before = (int64_t)time(NULL), now = clock_now();

    (void)state;
    assert_in_range(now / CLOCK_SECOND, before, before + 60);
}

static void the_monotonic_clock_never_steps_back(void **state)
{
    int64_t last = clock_monotonic();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t next = clock_monotonic();
        assert_true(next >= last);
        last = next;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_epoch_is_zero),
        cmocka_unit_test(a_bare_date_is_its_midnight),
        cmocka_unit_test(date_and_time_may_be_parted_in_three_ways),
        cmocka_unit_test(no_zone_is_utc),
        cmocka_unit_test(a_fraction_of_any_length_is_cut_at_microseconds),
        cmocka_unit_test(zones_come_with_and_without_colon_and_minutes),
        cmocka_unit_test(hour_24_is_the_next_midnight),
        cmocka_unit_test(second_60_is_the_next_minute),
        cmocka_unit_test(leap_days_follow_the_gregorian_calendar),
        cmocka_unit_test(the_first_and_the_last_year_are_read),
        cmocka_unit_test(what_is_not_a_time_is_malformed),
        cmocka_unit_test(what_no_calendar_has_is_out_of_range),
        cmocka_unit_test(a_nul_byte_is_malformed),
        cmocka_unit_test(length_bounds_what_is_read),
        cmocka_unit_test(every_hundredth_day_agrees_with_the_c_library),
        cmocka_unit_test(the_beginning_of_time_is_minus_infinity),
        cmocka_unit_test(the_extremes_fit_their_buffer),
        cmocka_unit_test(durations_come_in_four_units),
        cmocka_unit_test(durations_take_decimals),
        cmocka_unit_test(what_is_not_a_duration_is_refused),
        cmocka_unit_test(now_is_what_the_machine_says),
        cmocka_unit_test(the_monotonic_clock_never_steps_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

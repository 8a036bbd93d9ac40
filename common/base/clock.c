/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAYS_MAX INT64_C(36525) /* of a duration: 100 years */

/* What is left to read. */
struct reader {
    const char *at, *end;
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Takes exactly count digits. */
static bool take_digits(struct reader *reader, int count, int *number)
{
    if (reader->end - reader->at < count)
        return false;
    *number = 0;
    for (int i = 0; i < count; i++, reader->at++) {
        if (!is_digit(*reader->at))
            return false;
        *number = *number * 10 + (*reader->at - '0');
    }
    return true;
}

/* Takes one character if it is one of these. Returns it, else NUL. */
static char take_any(struct reader *reader, const char *characters)
{
    if (reader->at == reader->end || *reader->at == '\0' || !strchr(characters, *reader->at))
        return '\0';
    return *reader->at++;
}

/* Takes a point and the digits after it, at least one, as millionths. Nothing there is 0. */
static bool take_fraction(struct reader *reader, int *millionths)
{
    *millionths = 0;
    if (!take_any(reader, "."))
        return true;
    if (reader->at == reader->end || !is_digit(*reader->at))
        return false;
    for (int unit = 100000; reader->at < reader->end && is_digit(*reader->at); reader->at++) {
        *millionths += unit * (*reader->at - '0');
        unit /= 10;
    }
    return true;
}

/* Days since 1970-01-01 in the Gregorian calendar; years are counted from March,
 * so that the leap day comes last. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    int64_t march_year = month > 2 ? year : year - 1;
    int64_t era = (march_year >= 0 ? march_year : march_year - 399) / 400;
    int64_t year_of_era = march_year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = (int)(day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100));
    int month_from_march = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

/*
 * The parts of a time: false where the text has not their shape. *in_range turns
 * false where the shape is right, but there is no such day, hour or zone.
 */
static bool take_date(struct reader *reader, int64_t *time, bool *in_range)
{
    int year, month, day;

    if (!take_digits(reader, 4, &year) || !take_any(reader, "-") ||
        !take_digits(reader, 2, &month) || !take_any(reader, "-") || !take_digits(reader, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        *in_range = false;
    else
        *time = days_from_date(year, month, day) * CLOCK_DAY;
    return true;
}

static bool take_time_of_day(struct reader *reader, int64_t *time, bool *in_range)
{
    int hour, minute, second, millionths;

    if (!take_digits(reader, 2, &hour) || !take_any(reader, ":") ||
        !take_digits(reader, 2, &minute) || !take_any(reader, ":") ||
        !take_digits(reader, 2, &second) || !take_fraction(reader, &millionths))
        return false;
    if (hour > 24 || minute > 59 || second > 60 ||
        (hour == 24 && (minute > 0 || second > 0 || millionths > 0)))
        *in_range = false;
    *time = ((hour * INT64_C(60) + minute) * 60 + second) * CLOCK_SECOND + millionths;
    return true;
}

/* Gives what is to be subtracted to reach UTC. */
static bool take_zone(struct reader *reader, int64_t *offset, bool *in_range)
{
    int hours, minutes = 0;

    if (reader->at == reader->end || take_any(reader, "Zz"))
        return true;

    char sign = take_any(reader, "+-");
    if (!sign || !take_digits(reader, 2, &hours))
        return false;
    if (reader->at < reader->end) {
        take_any(reader, ":");
        if (!take_digits(reader, 2, &minutes))
            return false;
    }
    if (hours > 15 || minutes > 59)
        *in_range = false;
    *offset = (hours * INT64_C(60) + minutes) * 60 * CLOCK_SECOND * (sign == '-' ? -1 : 1);
    return true;
}

enum clock_parsed clock_parse(const char *text, size_t length, int64_t *time)
{
    struct reader reader = {text, text + length};
    int64_t date = 0, time_of_day = 0, offset = 0;
    bool in_range = true;

    if (!take_date(&reader, &date, &in_range))
        return CLOCK_MALFORMED;
    if (reader.at < reader.end &&
        (!take_any(&reader, "Tt ") || !take_time_of_day(&reader, &time_of_day, &in_range) ||
         !take_zone(&reader, &offset, &in_range) || reader.at < reader.end))
        return CLOCK_MALFORMED;

    /* 24:00, second 60 or a zone may carry a time out of the first or the last year. */
    int64_t sum = date + time_of_day - offset;
    if (!in_range || sum < days_from_date(1, 1, 1) * CLOCK_DAY ||
        sum >= days_from_date(10000, 1, 1) * CLOCK_DAY)
        return CLOCK_OUT_OF_RANGE;
    *time = sum;
    return CLOCK_OK;
}

const char *clock_format(int64_t time, char *buffer)
{
    if (time == CLOCK_BEGINNING) {
        snprintf(buffer, CLOCK_TEXT_SIZE, "-infinity");
        return buffer;
    }

    int64_t days = time / CLOCK_DAY - (time % CLOCK_DAY < 0 ? 1 : 0);
    int64_t rest = time % CLOCK_DAY + (time % CLOCK_DAY < 0 ? CLOCK_DAY : 0);
    unsigned seconds = (unsigned)(rest / CLOCK_SECOND);
    unsigned micros = (unsigned)(rest % CLOCK_SECOND);
    int64_t year;
    int month, day;

    /* Some remainders change nothing; they prove to the compiler that the text fits. */
    date_from_days(days, &year, &month, &day);
    snprintf(buffer, CLOCK_TEXT_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u.%06uZ", (int)(year % 1000000),
             (unsigned)month % 13, (unsigned)day % 32, seconds / 3600 % 24, seconds / 60 % 60,
             seconds % 60, micros % 1000000);
    return buffer;
}

bool clock_parse_duration(const char *text, int64_t *duration)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    struct reader reader = {text, text + strlen(text)};
    int64_t whole = 0;
    int millionths;

    if (!is_digit(*text))
        return false;
    for (; is_digit(*reader.at); reader.at++) {
        whole = whole * 10 + (*reader.at - '0');
        if (whole > DAYS_MAX * 86400)
            return false;
    }
    if (!take_fraction(&reader, &millionths))
        return false;

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(reader.at, units[i].name) != 0)
            continue;
        if (whole > DAYS_MAX * 86400 / units[i].seconds)
            return false;
        int64_t sum = whole * units[i].seconds * CLOCK_SECOND + millionths * units[i].seconds;
        if (sum > DAYS_MAX * CLOCK_DAY)
            return false;
        *duration = sum;
        return true;
    }
    return false;
}

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* SPDX-License-Identifier: MIT
 *
 * Times, durations and budgets. A time that is taken is written and read as the same time, and is
 * the one that counting days from its digits gives; durations and budgets are within their bounds.
 */
#include <string.h>

#include "base/clock.h"
#include "etl/reject.h"
#include "fuzz.h"

static int64_t number(const char *text, int digits)
{
    int64_t sum = 0;
    for (int i = 0; i < digits; i++)
        sum = sum * 10 + (text[i] - '0');
    return sum;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Day by day, month by month, as a calendar does. */
static int64_t days_until(int64_t year, int64_t month, int64_t day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = (year - 1) * 365 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 719162;
    for (int64_t i = 1; i < month; i++)
        days += lengths[i - 1] + (i == 2 && is_leap(year));
    FUZZ_EXPECT(month >= 1 && month <= 12 && day >= 1);
    FUZZ_EXPECT(day <= lengths[month - 1] + (month == 2 && is_leap(year)));
    return days + day - 1;
}

/* What a text that was taken says, within the offset of its zone. */
static void judge_time(const char *text, size_t length, int64_t time)
{
    int64_t days = days_until(number(text, 4), number(text + 5, 2), number(text + 8, 2));
    int64_t local = days * 86400, offset = 0;
    const char *end = text + length, *sign = NULL;
    if (length > 10)
        local += number(text + 11, 2) * 3600 + number(text + 14, 2) * 60 + number(text + 17, 2);
    for (const char *at = text + 10; at < end; at++)
        if (*at == '+' || *at == '-')
            sign = at;
    if (sign) {
        size_t digits = (size_t)(end - sign) - 1;
        offset = number(sign + 1, 2) * 3600;
        if (digits > 2)
            offset += number(end - 2, 2) * 60;
        offset = *sign == '-' ? -offset : offset;
    }
    int64_t fraction = time - (local - offset) * CLOCK_SECOND;
    FUZZ_EXPECT(fraction >= 0 && fraction < CLOCK_SECOND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[128], formatted[CLOCK_TEXT_SIZE];
    int64_t time, again, duration;
    struct reject_budget budget;
    struct error err = {0};
    if (size >= sizeof text)
        return 0;
    if (clock_parse((const char *)data, size, &time) == CLOCK_OK) {
        judge_time((const char *)data, size, time);
        clock_format(time, formatted);
        FUZZ_EXPECT(clock_parse(formatted, strlen(formatted), &again) == CLOCK_OK && again == time);
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (clock_parse_duration(text, &duration))
        FUZZ_EXPECT(duration >= 0 && duration <= 36525 * CLOCK_DAY);
    if (reject_parse_budget(text, &budget, &err))
        FUZZ_EXPECT(budget.number >= 0 && budget.percent >= 0 && budget.percent <= 100);
    else
        FUZZ_EXPECT(err.status == STATUS_USAGE);
    return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Points in time and durations: int64 microseconds, UTC, since 1970-01-01.
 * Time zones of the machine play no part. A window is (since, until]: start
 * exclusive, end inclusive.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_SECOND INT64_C(1000000)
#define CLOCK_DAY (86400 * CLOCK_SECOND)

/* The beginning of time: "-infinity" at the server, null in a result line. */
#define CLOCK_BEGINNING INT64_MIN

/* Room for any formatted time with its NUL. */
#define CLOCK_TEXT_SIZE 32

enum clock_parsed { CLOCK_OK, CLOCK_MALFORMED, CLOCK_OUT_OF_RANGE };

/*
 * Reads RFC 3339 in the spellings that sources use: "T", "t" or a space
 * between date and time, or a bare date, its midnight; a fraction of any
 * length (digits beyond microseconds are cut) or none; "Z", "z", +hh:mm, +hhmm, +hh
 * (hours up to 15, as PostgreSQL) or no zone, which means UTC. 24:00:00 is the
 * next midnight, second 60 the next minute. Seconds may not be left out.
 * CLOCK_OUT_OF_RANGE: well formed, but no such day, hour or year (years
 * 0001 to 9999 are accepted). *time is set with CLOCK_OK only.
 */
enum clock_parsed clock_parse(const char *text, size_t length, int64_t *time);

/* Writes "YYYY-MM-DDThh:mm:ss.ffffffZ", or "-infinity" for the beginning.
 * buffer has CLOCK_TEXT_SIZE bytes; returns it. */
const char *clock_format(int64_t time, char *buffer);

/* Reads a number (decimals allowed) with "s", "min", "h" or "d"; a bare one is
 * seconds. Not negative, at most 100 years. False if it is anything else. */
bool clock_parse_duration(const char *text, int64_t *duration);

/* This machine's clock: for log lines only, never for windows. */
int64_t clock_now(void);

/* Microseconds of a clock that never steps: for durations and deadlines. */
int64_t clock_monotonic(void);

#endif

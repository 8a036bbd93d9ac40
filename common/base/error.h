/* SPDX-License-Identifier: MIT
 *
 * What went wrong: one exit status and one message of fixed size.
 *
 * Every function that can fail returns bool and takes `struct error *err` last.
 * True means done, and *err was not touched. False means that the place which
 * knows the cause has filled *err; callers return false, perhaps after
 * error_prefix. Nothing is allocated while failing.
 *
 * A message reads "REASON; REMEDY": lower case, no full stop. It names kinds
 * and names (table, column, file), and never a value from a record, a bound
 * parameter, a connection string or a message of the server.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

/* Exit statuses: those of sysexits.h, with 79 and 99 of our own. dags/ holds
 * the same list; tests/dags compares the two. */
enum status {
    STATUS_OK = 0,
    STATUS_USAGE = 64,       /* wrong command line */
    STATUS_DATA = 65,        /* the data cannot be taken as it is */
    STATUS_UNAVAILABLE = 69, /* no session could be had */
    STATUS_BUG = 70,         /* our own mistake */
    STATUS_IO = 74,          /* reading or writing failed */
    STATUS_TEMPORARY = 75,   /* may work next time */
    STATUS_PERMISSION = 77,  /* refused by server or file system */
    STATUS_CONFIG = 78,      /* environment, database or schema is not as needed */
    STATUS_STALE = 79,       /* --max-lag exceeded */
    STATUS_SKIP = 99,        /* nothing to do, with --skip-if-empty */
    STATUS_INTERRUPTED =
        128 /* a signal or a closed output asked us to stop; never an exit status */
};

struct error {
    enum status status;
    char sqlstate[6];  /* of the server's refusal, else "" */
    char message[512]; /* cut where longer */
};

/* Fills *err and returns false, so that a caller can `return error_set(...)`. */
bool error_set(struct error *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts text in front of the message that *err holds. Returns false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "OK", "USAGE", ...; "UNKNOWN" for a number that is none of ours. */
const char *status_name(enum status status);

/* Ends the program because it contradicts itself: exit status 70, abort() in
 * the debug variants (FACTLINE_DEBUG). Never for input, however odd. */
#define BUG(...) error_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void error_bug(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

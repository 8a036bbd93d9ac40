/* SPDX-License-Identifier: MIT
 *
 * What a run tells: ordered names with values, printed as one compact line of
 * ASCII JSON of at most RESULT_MAX bytes, newline included. Also serves as
 * the bag of counts that statements return (etl adds them by column name).
 *
 * Setting a name again replaces its value in its old place.
 */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define RESULT_MAX 4096

struct result_entry;

struct result {
    struct result_entry *entries;
    size_t count;
    char *line;          /* an earlier line to print again, or NULL */
    bool line_was_empty; /* the earlier line told of nothing to do */
    char *document;      /* text to print instead of a line (batch-status), or NULL */
};

void result_init(struct result *result);
void result_release(struct result *result);

void result_set_text(struct result *result, const char *name, const char *text); /* NULL: null */
void result_set_int(struct result *result, const char *name, int64_t number);
void result_set_null(struct result *result, const char *name);
void result_set_seconds(struct result *result, const char *name, int64_t microseconds); /* 1.234 */
void result_set_time(struct result *result, const char *name, int64_t time); /* beginning: null */

/* A list of ids as JSON strings, sorted as given, or {"count","first","last"}
 * where the whole line would not fit RESULT_MAX. ids are borrowed until the call ends. */
void result_set_ids(struct result *result, const char *name, const char *const *ids, size_t count);

/* Adds to a number; a name not seen yet starts at 0. */
void result_add(struct result *result, const char *name, int64_t number);

/* The number, 0 for a name that is not there or no number. */
int64_t result_get_int(const struct result *result, const char *name);

/* The text, NULL for a name that is not there or no text. Borrowed. */
const char *result_get_text(const struct result *result, const char *name);

/* Prints an earlier line of ours again, its "status" set to "already-done".
 * False if line is NULL or does not look like one of ours; then nothing changes. */
bool result_set_line(struct result *result, const char *line);

/* True if the status is "nothing-to-do", or was in the earlier line: what --skip-if-empty
 * asks, and a retry must answer as the first try did. */
bool result_is_empty(const struct result *result);

/* Prints text instead of a result line (a table, a document of any length). Copied. */
void result_set_document(struct result *result, const char *text);
const char *result_get_document(const struct result *result);

/* Appends the line with its newline to *to. */
void result_format(const struct result *result, struct str *to);

#endif

/* SPDX-License-Identifier: MIT
 *
 * A string that grows. text is NUL-terminated at all times once initialised
 * and may hold NUL bytes before its length. Memory that cannot be had ends the
 * program (base/mem.h).
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stddef.h>

struct str {
    char *text;
    size_t length;   /* bytes before the final NUL */
    size_t capacity; /* bytes allocated, the final NUL included */
};

void str_init(struct str *str);
void str_release(struct str *str); /* accepts a released one */

/* Empties it and keeps the memory. */
void str_clear(struct str *str);

/* Makes room for extra more bytes, so that the caller may write them at
 * text + length and add to length itself. */
void str_reserve(struct str *str, size_t extra);

void str_add(struct str *str, const void *bytes, size_t length);
void str_add_text(struct str *str, const char *text);
void str_add_char(struct str *str, char character);
void str_add_format(struct str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds length bytes of UTF-8 as a JSON string with its quotes, in ASCII: what
 * is beyond ASCII becomes \uXXXX, pairs of them beyond U+FFFF; a byte that is
 * not UTF-8 becomes \ufffd. */
void str_add_json(struct str *str, const char *text, size_t length);

#endif

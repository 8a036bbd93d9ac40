/* SPDX-License-Identifier: MIT
 *
 * Is this UTF-8? Characters as Unicode defines them (table 3-7): no overlong
 * form, no surrogate, nothing beyond U+10FFFF.
 */
#ifndef IO_UTF8_H
#define IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool utf8_is_between(const char *at, unsigned char least, unsigned char most)
{
    return (unsigned char)*at >= least && (unsigned char)*at <= most;
}

/* The length of the character at at, which is before end; 0 where there is none: what is overlong,
 * a surrogate or too large shows in the second byte. NUL is a character. */
static inline size_t utf8_length(const char *at, const char *end)
{
    unsigned char first = (unsigned char)*at;
    ptrdiff_t left = end - at;

    if (first < 0x80) {
        return 1;
    }
    if (first < 0xe0) {
        return first >= 0xc2 && left >= 2 && utf8_is_between(at + 1, 0x80, 0xbf) ? 2 : 0;
    }
    if (first < 0xf0) {
        return left >= 3 &&
                       utf8_is_between(at + 1, first == 0xe0 ? 0xa0 : 0x80,
                                       first == 0xed ? 0x9f : 0xbf) &&
                       utf8_is_between(at + 2, 0x80, 0xbf)
                   ? 3
                   : 0;
    }
    return first <= 0xf4 && left >= 4 &&
                   utf8_is_between(at + 1, first == 0xf0 ? 0x90 : 0x80,
                                   first == 0xf4 ? 0x8f : 0xbf) &&
                   utf8_is_between(at + 2, 0x80, 0xbf) && utf8_is_between(at + 3, 0x80, 0xbf)
               ? 4
               : 0;
}

/* The first byte that is no part of a text: a NUL, or where no character begins; end if there is
 * none. */
const char *utf8_text_end(const char *at, const char *end);

#endif

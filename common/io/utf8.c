/* SPDX-License-Identifier: MIT */
#include "io/utf8.h"

#include <stdint.h>
#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Whether one of eight bytes is NUL or beyond ASCII, in whatever order the machine has them: the
 * borrow of a NUL marks it and perhaps others, but without a NUL nothing is borrowed. */
static bool has_mark(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return ((word | (word - EACH_BYTE)) & (EACH_BYTE * 0x80)) != 0;
}

const char *utf8_text_end(const char *at, const char *end)
{
    while (at < end) {
        if (end - at >= 8 && !has_mark(at)) {
            at += 8;
            continue;
        }
        /* Up to the mark, and to the end of a word that is not ASCII. */
        while (at < end && (unsigned char)*at < 0x80) {
            if (*at == '\0') {
                return at;
            }
            at++;
        }
        while (at < end && (unsigned char)*at >= 0x80) {
            size_t length = utf8_length(at, end);

            if (length == 0) {
                return at;
            }
            at += length;
        }
    }
    return end;
}

/* SPDX-License-Identifier: MIT
 *
 * What the writers of COPY's binary format share.
 */
#ifndef IO_COPY_PRIVATE_H
#define IO_COPY_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Sent at once. A socket is called writable when three quarters of what it holds are gone; a larger
 * chunk would let the server run out of rows while the next one is made. Less than PIECE in
 * db_copy.c, so that it goes at once with a row more. */
#define COPY_CHUNK ((size_t)15 * 1024)

/* Signature, flags and the length of an extension that nobody has yet; the literal's own NUL is the
 * last byte, so that sizeof counts right. */
#define COPY_HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"

struct copy {
    struct db *db; /* NULL of a lead */
    struct str buffer;
    size_t row_start;
    size_t list_start; /* of the list being filled: where its length belongs */
    int32_t list_left; /* elements that it still lacks */
    int columns;       /* of a lead */
};

/* Puts the lowest bytes of a number in network order. */
void copy_put_number(char *to, uint64_t number, size_t bytes);

#endif

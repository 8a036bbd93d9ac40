/* SPDX-License-Identifier: MIT
 *
 * COPY's binary format read back, as the server reads it. Whatever is not as
 * the format says ends the program.
 */
#ifndef TESTS_FUZZ_WIRE_H
#define TESTS_FUZZ_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    const unsigned char *at, *end;
};

/* Begins behind the header. */
struct wire wire_open(const char *bytes, size_t length);

/* Columns of the next row, -1 behind the last one, where the bytes must end. */
int wire_row(struct wire *wire);

/* The next column, whose bytes it returns; NULL for a NULL. */
const char *wire_column(struct wire *wire, size_t *length);

/* The same of a column with a number of so many bytes; no NULL. */
int64_t wire_number(struct wire *wire, size_t bytes);

/* Begins a text[] that is the next column: how many elements, each of them a column then. */
int32_t wire_list(struct wire *wire);

#endif

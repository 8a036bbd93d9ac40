/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share. A target takes any bytes, does with them what
 * the product does, and judges the outcome by an oracle: a second, plainer
 * opinion, or the way back to the bytes. It ends the program where they differ.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The name that libFuzzer calls; replay.c calls it where there is no libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_EXPECT(condition)                                                       \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                 \
        }                                                                            \
    } while (0)

#endif

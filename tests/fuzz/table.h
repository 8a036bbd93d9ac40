/* SPDX-License-Identifier: MIT
 *
 * Tables from any bytes, and the judgement of what is read from them: the same for both dialects.
 *
 * No byte is lost: the records' own bytes in their order are the file's, blank lines apart. A
 * record joined again from its cells is read as the same cells. What is given as cells is read as
 * these cells.
 */
#ifndef TESTS_FUZZ_TABLE_H
#define TESTS_FUZZ_TABLE_H

#include "fuzz.h"
#include "io/csv.h"

int table_fuzz(const uint8_t *data, size_t size, enum csv_dialect dialect);

#endif

/* SPDX-License-Identifier: MIT
 *
 * A COPY that keeps its rows as text instead of sending them. A test that wants it has these lines:
 *
 *   link: -Wl,--wrap=copy_open,--wrap=copy_close,--wrap=copy_row,--wrap=copy_take_back
 *   link: -Wl,--wrap=copy_null,--wrap=copy_int,--wrap=copy_bool,--wrap=copy_time
 *   link: -Wl,--wrap=copy_text,--wrap=copy_bytes,--wrap=copy_jsonb,--wrap=copy_text_list
 *   link: -Wl,--wrap=copy_end
 *
 * each in a comment of its own. A row reads: null, numbers plain, true, false, times as
 * clock_format writes them, 'text', x'bytes', j'jsonb', ['element' 'element'], separated by blanks.
 */
#ifndef TESTS_UNIT_ETL_FAKE_COPY_H
#define TESTS_UNIT_ETL_FAKE_COPY_H

#include <stddef.h>

#include "io/copy.h"

/* Also what the next copy_open gives. */
struct copy *fake_copy_new(void);
void fake_copy_free(struct copy *copy);

/* Rows that were not taken back. The test fails where a row has other columns than copy_row said.
 */
size_t fake_copy_count(const struct copy *copy);
const char *fake_copy_row(const struct copy *copy, size_t row);

/* What was added without copy_row. */
const char *fake_copy_columns(const struct copy *copy);

/* Forgets all rows. */
void fake_copy_clear(struct copy *copy);

/* The n-th call of those that can fail (copy_open, copy_row, copy_end) fails; 0 for none. */
void fake_copy_fail_at(struct copy *copy, int n);

#endif

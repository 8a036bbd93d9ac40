/* SPDX-License-Identifier: MIT
 *
 * One record into its cells. Only for io/csv: io/csv.h is what others use.
 */
#ifndef IO_CSV_SPLIT_H
#define IO_CSV_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "io/csv.h"

/* The cells found last. They point into the text, or into decoded where something was escaped. */
struct csv_cells {
    struct csv_cell items[CSV_COLUMNS_MAX];
    size_t count; /* of all; only the first CSV_COLUMNS_MAX of them are in items */
    struct str decoded;
};

void csv_cells_init(struct csv_cells *cells);
void csv_cells_release(struct csv_cells *cells);

/* Splits a line of CSV_TAB. NULL, or the reason why it cannot be. Without has_null the letters of
 * NULL are text, and \N is an escape like others that there are not. */
const char *csv_split_tab(struct csv_cells *cells, const char *text, size_t length, bool has_null);

enum csv_shape {
    CSV_WHOLE,
    CSV_OPEN,  /* ends within quotes: there is more to come */
    CSV_BROKEN /* a quote stands in a wrong place */
};

/* Splits a record of CSV_COMMA, or what there is of it, beginning at the cell that begins at byte
 * from. Unless it is whole, *place is where the opening quote of the last cell is, or a quote in a
 * cell without. */
enum csv_shape csv_split_comma(struct csv_cells *cells, const char *text, size_t from,
                               size_t length, size_t *place);

/* Whether quotes that are open before this line are open behind it, too. */
bool csv_stays_open(const char *text, size_t length);

#endif

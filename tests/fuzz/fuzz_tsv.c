/* SPDX-License-Identifier: MIT
 *
 * TSV: what table.h says.
 */
#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return table_fuzz(data, size, CSV_TAB);
}

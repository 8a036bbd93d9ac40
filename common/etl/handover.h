/* SPDX-License-Identifier: MIT
 *
 * What the step before handed over: its result line, on standard input or in its result file.
 */
#ifndef ETL_HANDOVER_H
#define ETL_HANDOVER_H

#include <stdbool.h>

#include "base/error.h"

/* Reads the line at path ("-": standard input) and gives its batch_id, yours to free; "" where the
 * step before had nothing to do. STATUS_IO: nothing there, since the step before failed.
 * STATUS_USAGE: no result line, or one of another workflow. */
char *handover_read(const char *path, const char *workflow, struct error *err);

/* What --batch-id or --batch-file name: *id is yours to free; NULL where they are not given and the
 * run key decides. STATUS_USAGE: there is no run key either. */
bool handover_find(const char *workflow, char **id, struct error *err);

#endif

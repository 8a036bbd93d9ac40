/* SPDX-License-Identifier: MIT
 *
 * Where a result goes: standard output and the file of --result-file. Both tell
 * whether the bytes arrived, since a result that is lost after COMMIT must end
 * in a retry.
 */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Writes all of it to standard output, in one write where that takes it, and
 * closes it, which is when some file systems tell of a full disk. STATUS_IO, with
 * this remedy; STATUS_INTERRUPTED where a stop came while nobody read. */
bool output_print(const char *text, size_t length, const char *remedy, struct error *err);

/* STATUS_USAGE where path is there and is no regular file: putting a file in the place of a
 * folder fails, and in the place of a device it destroys it. */
bool output_check_file(const char *path, struct error *err);

/* Puts a file with this text at path, whole or not at all: a temporary file in the same
 * folder, fsync, rename. STATUS_IO, with this remedy. */
bool output_put_file(const char *path, const char *text, size_t length, const char *remedy,
                     struct error *err);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Where a result goes: standard output, the file of --result-file, and files that the user asked
 * for. All tell whether the bytes arrived, since a result that is lost after COMMIT must end in a
 * retry.
 */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

/* Writes all of it to standard output, in one write where that takes it, and
 * closes it, which is when some file systems tell of a full disk. STATUS_IO, with
 * this remedy; STATUS_INTERRUPTED where a stop came while nobody read. */
bool output_print(const char *text, size_t length, const char *remedy, struct error *err);

/* STATUS_USAGE where path is there and is no regular file: putting a file in the place of a
 * folder fails, and in the place of a device it destroys it. */
bool output_check_file(const char *path, struct error *err);

/* A file that is written piece by piece, readable by its owner alone, whole or not at all: until
 * the end it has another name in the same folder. What fails is STATUS_IO, with this remedy, but
 * for what output_check_file refuses. */
struct output_file {
    FILE *stream;
    const char *path, *remedy; /* borrowed */
    struct str temporary;
};

/* After a failure there is nothing to close. */
bool output_file_open(struct output_file *file, const char *path, const char *remedy,
                      struct error *err);

bool output_file_add(struct output_file *file, const char *bytes, size_t length, struct error *err);

/* Gives the file its name where is_whole (what should be in it is) and all bytes are safe, else
 * removes it. False unless it has its name. */
bool output_file_close(struct output_file *file, bool is_whole, struct error *err);

/* The same with this text, and readable as any file that one makes. */
bool output_put_file(const char *path, const char *text, size_t length, const char *remedy,
                     struct error *err);

#endif

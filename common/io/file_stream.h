/* SPDX-License-Identifier: MIT
 *
 * The bytes of a file or of standard input, decompressed where their beginning
 * says gzip or zstd. No lines here: io/file.h is what others use.
 */
#ifndef IO_FILE_STREAM_H
#define IO_FILE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct file_stream;

/* path "-" is standard input. NULL after a failure. Where is_raw, nothing is decompressed. */
struct file_stream *file_stream_open(const char *path, bool is_raw, struct error *err);
void file_stream_close(struct file_stream *stream); /* accepts NULL; leaves standard input open */

/* Reads at least one byte and at most size (not 0); *got 0 is the end. */
bool file_stream_read(struct file_stream *stream, char *bytes, size_t size, size_t *got,
                      struct error *err);

/* Bytes read so far, as stored. */
int64_t file_stream_bytes(const struct file_stream *stream);

/* Bytes of the whole file, as stored; 0 where nobody knows, as of a pipe. */
int64_t file_stream_size(const struct file_stream *stream);

/* How messages call it: 'file "x.ndjson"' or "standard input". */
const char *file_stream_label(const struct file_stream *stream);

#endif

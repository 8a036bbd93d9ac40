/* SPDX-License-Identifier: MIT
 *
 * Files and standard input as a stream of lines: plain, gzip (several members,
 * too) or zstd, told apart by the first bytes. Memory is bounded by the longest
 * line that is kept (max_record). A byte order mark at the beginning is dropped; a line ends
 * with LF or CRLF, which are not part of it; the last one may lack its end. Any
 * other byte, NUL too, is as it was. Waits go through base/interrupt, so that a
 * stop is noticed while a pipe is silent (STATUS_INTERRUPTED).
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define FILE_HEAD (64 * 1024) /* bytes kept of a line that is too long */

struct file;

struct file_line {
    const char *text;    /* NUL-terminated; borrowed until the next call */
    size_t length;       /* bytes at text; at most FILE_HEAD where is_too_long */
    int64_t number;      /* from 1 */
    bool is_too_long;    /* longer than max_record: text is its head only */
    int64_t full_length; /* its true length */
    char sha256[65];     /* of the whole line in hex, where is_too_long; else "" */
    bool is_crlf;        /* its end was CRLF, not LF or the end of input */
};

/* path "-" is standard input. max_record in bytes. STATUS_IO: missing or unreadable;
 * STATUS_PERMISSION: refused. Messages name the file without its folders. */
struct file *file_open(const char *path, int64_t max_record, struct error *err);
void file_close(struct file *file); /* accepts NULL */

enum file_got { FILE_LINE, FILE_END, FILE_FAILED };

/* The next line. A compressed stream that is damaged or ends early is FILE_FAILED (74). */
enum file_got file_next(struct file *file, struct file_line *line, struct error *err);

/* A path without its folders, within it: all that messages and logs tell of it. */
const char *file_name(const char *path);

/* How messages name it: file "NAME", without its folders, or standard input. */
const char *file_label(const struct file *file);

/* Bytes read from the file so far, as stored (compressed). */
int64_t file_bytes(const struct file *file);

/* Bytes of the whole file, as stored; 0 where nobody knows, as of a pipe. */
int64_t file_size(const struct file *file);

/* All of a small text file or of standard input ("-"), as stored: appended to *to, which stays as
 * it is after a failure. 74 if it is longer than max bytes or unreadable. */
bool file_read_all(const char *path, size_t max, struct str *to, struct error *err);

/* When the file was last written; the end of time for standard input and where nobody can tell. */
int64_t file_modified(const char *path);

/* The lowercase hex SHA-256 of bytes; hex has 65 bytes. */
void file_sha256(const void *bytes, size_t length, char *hex);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Records that cannot be staged, and how many of them are too many. While a file is read they are
 * spooled to a temporary file without a name (they are personal data), since the connection is busy
 * with COPY; then they are written to etl.rejected_row.
 */
#ifndef ETL_REJECT_H
#define ETL_REJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "etl/batch.h"
#include "etl/field.h"
#include "io/file.h"

/* Beyond the budget, the first of them are kept to show what is wrong. */
#define REJECT_SAMPLE 1000

struct reject_budget {
    bool is_percent; /* judged at the end of input; a plain number at once */
    bool is_default; /* the greater of 10 and 1 percent */
    double percent;
    int64_t number;
};

/* "N" or "P%"; NULL is the default. STATUS_USAGE for anything else. */
bool reject_parse_budget(const char *text, struct reject_budget *budget, struct error *err);

/* False, with STATUS_DATA, where rejected of read records are too many. is_end: all was read. */
bool reject_is_within(const struct reject_budget *budget, int64_t rejected, int64_t read,
                      bool is_end, struct error *err);

/* Members and columns that no copy of a record may hold, in whatever feed; NULL-terminated. */
extern const char *const reject_secrets[];

struct reject_spool;

struct reject_spool *reject_open(struct error *err);
void reject_close(struct reject_spool *spool); /* accepts NULL */
int64_t reject_count(const struct reject_spool *spool);

/* Adds a line. Whole up to 1 MiB, else its head with length and SHA-256; secrets blanked where it
 * is a document that parsed. source is borrowed to the end. */
bool reject_add(struct reject_spool *spool, const char *source, const struct file_line *line,
                const struct field_reject *reject, struct error *err);

/* Writes at most limit of the rejects (-1: all), in the caller's transaction. */
bool reject_write(struct reject_spool *spool, struct db *db, const struct batch *batch,
                  int64_t limit, struct error *err);

/* Adds the bytes of a kept record to *to, from the hexadecimal digits in which a page of them
 * comes. */
void reject_add_bytes(const char *hex, struct str *to);

#endif

/* SPDX-License-Identifier: MIT
 *
 * What one line of a document source is: a record of the feed, a true deletion, something to
 * skip, or something to reject. Unwraps what CouchDB sends: plain documents, lines of _changes
 * with include_docs, rows of _all_docs. Formats: CouchDB's documentation of /db/_changes and
 * /db/_all_docs.
 */
#ifndef ETL_DOCUMENT_H
#define ETL_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "etl/field.h"
#include "io/json.h"

enum document_kind { DOCUMENT_RECORD, DOCUMENT_DELETION, DOCUMENT_SKIPPED, DOCUMENT_REJECTED };

struct document_reader;

/* paths: those that the caller wants of each record; they and feed outlive the reader. */
struct document_reader *document_reader_new(const struct feed *feed, const char *const *paths,
                                            size_t count);
void document_reader_free(struct document_reader *reader); /* accepts NULL */

/*
 * Sorts one line. DOCUMENT_RECORD: *values points to the values at the caller's paths, in their
 * order, until the next call. DOCUMENT_DELETION: *key is the deleted document's id.
 * DOCUMENT_REJECTED: *reject is filled.
 */
enum document_kind document_read(struct document_reader *reader, const char *text, size_t length,
                                 const struct json_value **values, struct json_value *key,
                                 struct field_reject *reject);

#endif

/* SPDX-License-Identifier: MIT
 *
 * What the readers of documents and of tables share. Part of etl/field.
 */
#ifndef ETL_FIELD_PRIVATE_H
#define ETL_FIELD_PRIVATE_H

#include "etl/document.h"
#include "etl/extract.h"
#include "etl/field.h"
#include "etl/value.h"

/* A field's value in the record at hand, and where its alternatives stand among the paths. */
struct slot {
    struct value value;
    size_t first, count;
    struct str canonical;    /* of a text with a grammar */
    unsigned notes;          /* that it deserves */
    struct slot *within;     /* which comes before it, or after */
    struct extract *extract; /* of FIELD_EXTRACT */
    int64_t note_counts[GRAMMAR_NOTES_MAX];
};

struct field_reader {
    struct document_reader *documents;
    struct slot *slots;
    size_t slot_count;
    int column_count;
    char **paths;
    size_t path_count;
    struct json_value *cells; /* of a table's record, as if a document had them at the paths */
    size_t *columns;          /* the table's column for each path, CSV_NONE where it has none */
    size_t *filter_columns;   /* and for each filter of the feed */
    const struct feed *feed;
    bool takes_keys;    /* listed fields alone */
    const char *agents; /* whose records are skipped; NULL: nobody's */
    struct value_buffer buffer;
};

/* Whether the reader leaves a field alone: it is neither read nor staged. */
static inline bool field_is_left_out(const struct field_reader *reader, const struct field *field)
{
    return reader->takes_keys && !field->is_listed;
}

/* What a reject is told by: a text of the declaration, which outlives the reader. */
static inline const char *field_name(const struct field *field)
{
    return field->column ? field->column : field->path;
}

/* Stages a record of which values stand at the reader's paths, in their order. */
enum field_taken field_stage_record(struct field_reader *reader, const struct field_batch *batch,
                                    const struct json_value *values, int64_t line_no,
                                    struct copy *copy, struct field_reject *reject,
                                    struct error *err);

#endif

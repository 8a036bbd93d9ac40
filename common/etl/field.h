/* SPDX-License-Identifier: MIT
 *
 * From a record to a staging row or a reject, by table. A pipeline declares
 * the fields of a feed; this module reads them from a document and checks
 * presence, type and range. It knows nothing of any source system.
 */
#ifndef ETL_FIELD_H
#define ETL_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "etl/grammar.h"
#include "io/copy.h"
#include "io/csv.h"
#include "io/json.h"

/* The longest name of a row: with another it fits into an index of PostgreSQL, which takes 2704
 * bytes. */
#define FIELD_ID_LONGEST 1000

enum field_type {
    FIELD_TEXT,    /* a string */
    FIELD_INTEGER, /* a whole number within 2^53 and [minimum, maximum]; staged as bigint */
    FIELD_DECIMAL, /* a number, or a string that spells one; its source text is kept; staged as text
                    */
    FIELD_FLOAT,   /* a finite number, or a string that spells one; staged as double precision */
    FIELD_BOOLEAN, /* true or false */
    FIELD_TIME,    /* a string that clock_parse reads; staged as timestamptz */
    FIELD_TEXT_LIST, /* an array of strings; staged as text[]; null and absent are empty */
    FIELD_OBJECTS,   /* an array of objects (or one object, as a list of one): of each element the
                        declared members only; staged as jsonb, one array of objects */
    FIELD_EXTRACT, /* an object of no fixed shape, or a string that holds one: the declared members
                      only, each FIELD_INTEGER or FIELD_LIST, null where it is anything else;
                      staged as jsonb, one object, which is {} where that one was */
    FIELD_LIST,    /* of a FIELD_EXTRACT alone: an array, as the document spells it, unless it has
                      numbers of over a thousand digits or exponents of over two */
    FIELD_NEWEST   /* an array of objects: the greatest time of their member "element"; staged as
                      timestamptz where it has a column */
};

struct field {
    const char *column; /* of staging.<feed>; NULL: checked and used, but not staged */
    const char *path;   /* alternatives separated by "|": the first that is there and not null */
    enum field_type type;
    bool required;         /* absent or null: missing_field; so is an empty string */
    bool is_key;           /* the natural key: required, and known for true deletions */
    bool is_modified;      /* a modification time: the greatest of them is the version time */
    bool is_partition;     /* the time that facts are partitioned by: before 2005 or more than a day
                              ahead of the source's clock is time_out_of_range */
    const char *otherwise; /* taken where absent or null; spelled as text (FIELD_BOOLEAN: "true",
                              "false") */
    const char *when_true,
        *when_false;          /* a boolean is taken for these texts (FIELD_TEXT, FIELD_INTEGER) */
    int64_t minimum, maximum; /* of FIELD_INTEGER; both 0: no further limit */
    size_t longest; /* bytes of a text, or of each text of a list: more is too_long; 0: any, but of
                       a key FIELD_ID_LONGEST. For texts that name rows, which are indexed */
    const struct field
        *elements; /* of FIELD_OBJECTS and FIELD_EXTRACT: column is the member's name in staging */
    const char *element; /* of FIELD_NEWEST */
    bool or_number;      /* of FIELD_BOOLEAN: 0 and 1 are taken, too */
    bool is_deletion; /* of FIELD_BOOLEAN: true where the source deleted the record; where that has
                         no modification time, its version is the read's time */
    bool is_listed; /* one of those that a complete list of keys names (load-staging --reconcile) */
    bool is_agent;  /* of FIELD_TEXT: the program that wrote the record; field_skip_agents */
    const struct grammar *grammar; /* of FIELD_TEXT: the canonical form is staged */
    const char *within;            /* column of the field, of a grammar too, that it lies in */
    const char *reason;            /* of FIELD_EXTRACT: where it is no object; NULL: wrong_type */
    const char *const
        *choices; /* of FIELD_TEXT: nothing else is right (wrong_type); NULL-terminated */
};

/* A record belongs to the feed only if the text at path is one of values; it is skipped otherwise.
 */
struct field_filter {
    const char *path;
    const char *const *values; /* NULL-terminated */
    bool may_lack;             /* a record without it belongs, too */
};

struct feed;

/* The closed list of reasons is DESIGN.md, part 9. Both texts are static. */
struct field_reject {
    const char *reason; /* "missing_field", ... */
    const char *column; /* the column or path that failed, or "" */
    bool is_parsed;     /* the line is a sound document: secrets in it can be found */
    bool is_table;      /* the line is a table's record */
};

/* The first columns of every table of staging, which no source has: batch_id, read_number,
 * version_time, line_no, is_tombstone. */
#define FIELD_FIXED_COLUMNS 5

/* What a batch fixes for all of its records. */
struct field_batch {
    int64_t batch_id;
    int64_t read_number;
    int64_t read_time;    /* the version time of deletions that have none */
    int64_t clock;        /* the source's clock: bound of partitioning times */
    int64_t since, until; /* filter on the version time, where is_window */
    bool is_window;
    bool is_server_read; /* every version is the read_time, whatever the record says */
};

enum field_taken {
    FIELD_STAGED,
    FIELD_SKIPPED,  /* belongs to another feed, or is no record at all */
    FIELD_REJECTED, /* *reject tells */
    FIELD_FAILED    /* the row could not be sent: *err tells */
};

struct field_reader;

/* Compiles the tables of a feed, which outlives the reader. */
struct field_reader *field_reader_new(const struct feed *feed);
void field_reader_free(struct field_reader *reader); /* accepts NULL */

/* From now on records are skipped whose agent begins with an entry of the list: separated by
 * commas, blanks around an entry and empty entries do not count, case does. NULL skips nothing. */
void field_skip_agents(struct field_reader *reader, const char *list);

/* From now on records are entries of a complete list of keys: each must have the listed fields (one
 * that is not required may be null), the others are neither read nor staged. */
void field_take_keys(struct field_reader *reader);

/* Logs how many staged texts deserved the notes of their grammars. */
void field_log_notes(const struct field_reader *reader);

/*
 * Reads one document and adds its row to copy: batch_id, read_number, version_time, line_no,
 * is_tombstone, then the columns of the declared fields in order. Without FIELD_STAGED nothing is
 * added.
 */
enum field_taken field_read(struct field_reader *reader, const struct field_batch *batch,
                            const char *text, size_t length, int64_t line_no, struct copy *copy,
                            struct field_reject *reject, struct error *err);

/* Finds the columns of a table: a field's is one of its paths, or its own column. STATUS_DATA where
 * the header has none for a required field, or a listed one where keys are taken. Binds until the
 * next call. */
bool field_bind_columns(struct field_reader *reader, const struct csv *csv, struct error *err);

/* The same as field_read for a record of the table that was bound. */
enum field_taken field_read_cells(struct field_reader *reader, const struct field_batch *batch,
                                  const struct csv_cell *cells, int64_t line_no, struct copy *copy,
                                  struct field_reject *reject, struct error *err);

#endif

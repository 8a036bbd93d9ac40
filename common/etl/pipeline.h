/* SPDX-License-Identifier: MIT
 *
 * The types of a declaration: what a pipeline says of its source system. A
 * pipeline is const data: these tables, its statements and its schema. The
 * build finds each folder under common/pipelines/ and lists its `struct
 * pipeline <folder>_pipeline`; adding one edits no existing file.
 *
 * Statements are bound by name. The values that the procedures offer:
 *
 *   batch_id       bigint   the batch that is staged or transformed, or the derived batch
 *   pending_older  boolean  a batch with a smaller read number may still be transformed
 *   own_times      boolean  version times are the records' own (a file), not the read's (a server)
 *   batches        bigint[] (derived steps) the source batches that are consumed now
 *   activity_types text     --activity-types of transform-fact; NULL: all
 *   units          text[]   (derived steps) compute these units alone; NULL: all
 *   as_of          timestamptz  (derived steps) --as-of; NULL: today
 *   listed_at      timestamptz (reconcile) the time up to which a list of keys speaks
 *   since, until   timestamptz, clock timestamptz, read_number bigint  (COPY: settings)
 *
 * Integer columns that a statement returns are counts. The result line shows those that DESIGN.md,
 * part 4, names for the step; others are for the reader of the statement.
 */
#ifndef ETL_PIPELINE_H
#define ETL_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "etl/field.h"
#include "io/sql.h"

/* One statement of a procedure. reads and writes are tables, separated by blanks: a test checks the
 * order of the steps by them. */
struct pipeline_step {
    const struct sql *sql;
    const char *reads, *writes;
    const char *meaning;
};

enum feed_kind { FEED_DIM, FEED_FACT };

/* One kind of source record; its workflow and its staging table bear its name. */
struct feed {
    const char *name;
    enum feed_kind kind;
    const char *task;   /* of its transform, where it is not by kind; NULL as a rule */
    const char *target; /* main table: "warehouse.form_fact"; its row in etl.target is the lock of
                           the transform */
    const char *lock;   /* another feed's target, at whose row the transform takes turns instead:
                           where each looks for rows that the other writes. NULL: its own */
    const char *change_log; /* table that its transform appends to, or NULL */

    /* documents */
    const struct field *fields;         /* order of the staging columns; ends with {0} */
    const struct field_filter *filters; /* ends with {0}; NULL: all records belong */
    bool is_couch; /* documents come as CouchDB sends them: _changes lines, _all_docs rows,
                      deletions */

    const struct sql *stage; /* COPY staging.<feed> (...) FROM STDIN (FORMAT binary) */

    /* Takes the listed keys of $batch_id out of staging and puts tombstones there instead, with
     * is_tombstone and the version ($listed_at, $read_number), for what is stored, not deleted, not
     * listed, and of a version time up to $listed_at. Counts them as rows_staged. NULL: what the
     * source deletes cannot be told from a list. See etl/stage_reconcile.h */
    const struct sql *reconcile;
    bool shows_all; /* a server is read whole: where it shows nothing, an empty list was read */

    /* a PostgreSQL source: NULL where the feed has none */
    const struct sql *source; /* COPY (SELECT ...) TO STDOUT (FORMAT binary), columns as in stage */
    const struct sql *source_rejects; /* COPY (SELECT ...) of what source leaves out, columns as
                                         etl.rejected_row_copy. NULL: source is COPY (SELECT ...) TO
                                         STDOUT in the text format, of one column: a JSON document
                                         a row, which is read as a line of a file is */

    const char *divided; /* table that source can read in parts, $first_page up to before $end_page,
                            each row being in one of them; NULL: only whole */

    const struct pipeline_step
        *members; /* inferred members, partitions: each in a transaction of its own */
    const struct pipeline_step *steps; /* in order, in the data transaction; ends with {0} */
};

/* A workflow that starts from facts. It is its own consumer name. */
struct derivation {
    const char *workflow;
    const char *task;           /* "app-status-from-fact" */
    const char *argument;       /* its argument there ("form"); NULL where the task takes none */
    const char *const *sources; /* feeds whose change logs it reads; NULL-terminated */
    const char *target;         /* the lock */
    const struct pipeline_step *changed; /* keys named in the change logs of $batches */
    const struct pipeline_step *all;     /* every key */
    /* where some units (courses) may fail without stopping the others: the column unit, of the
     * units that changed touches for $batches, or of all where $is_all. The steps then read $units.
     * NULL: all or nothing */
    const struct sql *units;
};

/* A derived table beside another system's export of the same. Its rows are read into
 * staging.<records->name> by a transaction that is rolled back. */
struct comparison {
    const struct feed *records; /* name, fields, filters and stage; no workflow */
    /* the columns difference (missing, extra, different, pending, same), what, reason and rows:
     * a row each with the keys of a difference, what NULL, is_explained; then why they differ */
    const struct sql *summary;
    const struct sql *rows; /* COPY (SELECT ...) TO STDOUT: the keys that differ, and why */
};

/* A derived table against its definition, recomputed from the facts. */
struct verification {
    const char *task;                    /* "verify-app-status" */
    const struct derivation *derivation; /* that writes the table; its all is the repair */
    const struct sql
        *compare; /* returns rows_checked rows_missing rows_extra rows_different rows_pending */
    const struct comparison *comparison; /* of --against; NULL where the task has no such option */
};

struct pipeline {
    const char *name;
    const struct feed *const *feeds;                 /* NULL-terminated */
    const struct derivation *const *derivations;     /* NULL-terminated, or NULL */
    const struct verification *const *verifications; /* NULL-terminated, or NULL */
    const char *const *reject_reasons; /* beyond the common list; NULL-terminated, or NULL */
    const struct sql_schema *const *schema;
};

/* All that are built in, NULL-terminated. */
extern const struct pipeline *const pipeline_list[];

/* NULL where there is none of that name. */
const struct feed *pipeline_find_feed(const char *name);
const struct derivation *pipeline_find_derivation(const char *task, const char *argument);
const struct verification *pipeline_find_verification(const char *task);

/* The pipeline that declares a feed or a derived workflow; NULL where there is none. */
const struct pipeline *pipeline_of_workflow(const char *name);

/* STATUS_USAGE where name is no workflow; NULL stands for all of them. */
bool pipeline_check_workflow(const char *name, struct error *err);

#endif

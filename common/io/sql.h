/* SPDX-License-Identifier: MIT
 *
 * A declared statement: one .sql file, embedded at build time by
 * common/pipelines/sqlgen.awk under its stem, as sql_<folder>_<stem>, where folder is
 * "etl" or the pipeline's name.
 *
 *   -- What the statement means to the business (first line).
 *   -- param $1 batch_id bigint
 *   -- on source                      (it runs on a source, not on the warehouse)
 *   SELECT ...;
 *
 * Or, where another statement of the folder says the same with another word:
 *
 *   -- What the statement means to the business (first line).
 *   -- as application_gone.sql, with user for application
 *
 * COPY takes no parameters: a COPY statement declares "-- setting NAME TYPE"
 * and reads current_setting('factline.NAME'); io/db binds the values by
 * set_config for the transaction. NULL arrives there as ''.
 *
 * Schema files (schema/NNNN_what.sql) may hold several statements and have no
 * parameters; "-- works-from: N" says from which schema number on a binary
 * still works with what this file leaves (absent: 1). "-- phase: slow" keeps it for --phase.
 */
#ifndef IO_SQL_H
#define IO_SQL_H

#include <stdbool.h>
#include <stddef.h>

struct sql_param {
    const char *name;
    const char *type; /* bigint, integer, text, boolean, timestamptz, interval, text[], bigint[] */
};

struct sql {
    const char *name; /* the stem */
    const char *text;
    const struct sql_param *params; /* or settings, where is_copy */
    size_t param_count;
    bool is_copy;
    bool on_source;
};

struct sql_schema {
    int number;
    const char *name; /* NNNN_what */
    const char *text;
    int works_from;
    bool is_slow; /* a phase of its own */
};

/* All declared statements and all folders' schemas, generated; NULL-terminated. Names only flow
 * upward through these lists (STYLE.md, part 3). */
extern const struct sql *const sql_all[];

#endif

/* SPDX-License-Identifier: MIT
 *
 * Connections, transactions and declared statements, over libpq. The only
 * place that knows libpq.
 *
 * All waiting goes through base/interrupt: on a stop the running statement is
 * cancelled at the server, and the call fails with STATUS_INTERRUPTED; then
 * only db_rollback and db_close make sense. The server's message text is never
 * shown (it may quote rows): errors carry the SQLSTATE and names of schema,
 * table, column, constraint.
 *
 * SQLSTATE to status: connection never had 69 (password or role refused 77, database
 * unknown 78, too many connections 75, parameters that libpq cannot use 78); connection lost 75;
 * 40001, 40P01, 55P03, 57014, 57P0x, 23505, 08xxx, 53xxx, 25P03, 25P04 75; 58xxx (the server's own
 * files) 74; 28xxx, 42501 77; 3D000, 3F000, 42P01, 42703, 42883, 25006 (a standby) 78; class 22 on
 * a source 65; others 70. Our own functions refuse with SQLSTATE "FLnnn", nnn being the status
 * ("FL065"); their message is the only one of a server that is shown, so it holds no value, and it
 * ends in a remedy.
 */
#ifndef IO_DB_H
#define IO_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/result.h"
#include "io/sql.h"

struct db;
struct db_rows;

/* A value for a parameter, by its declared name; NULL text is SQL NULL. */
struct db_value {
    const char *name;
    const char *text;
};

/* ---- life cycle ---- */

/* Opens the warehouse, which libpq's own environment names. The session is strict:
 * search_path pg_catalog, UTC, UTF8, ISO dates, lock_timeout from --lock-timeout, statement and
 * idle limits, client_connection_check_interval where known, notices dropped,
 * application_name "STEP". NULL after a failure. */
struct db *db_open(struct error *err);

/* Opens a source read-only: a connection string or URI without a password, or NULL for the
 * SOURCE_PG* variables, of which user, password and sslmode also complete a spec. The warehouse's
 * PG* variables do not reach it; shared are PGPASSFILE, PGSERVICEFILE, PGSYSCONFDIR and the TLS
 * files. Its session is strict, too. */
struct db *db_open_source(const char *spec, struct error *err);

void db_close(struct db *db); /* accepts NULL; rolls back what is open */

/* application_name "STEP BATCH/ATTEMPT", for whoever looks at pg_stat_activity. */
bool db_set_label(struct db *db, const char *batch_id, int64_t attempt, struct error *err);

/* ---- names, without a connection ---- */

/* True for a source SPEC that names a database rather than a file: it holds "=" or begins with
 * postgres:// or postgresql://. */
bool db_is_source_spec(const char *spec);

/* Adds a source's identity to *identity: "HOST:PORT/DATABASE", or "service:NAME" and what the spec
 * says beside it ("service:NAME/DATABASE"); never a user or password.
 * spec as for db_open_source. STATUS_USAGE: malformed (the text is never quoted), a
 * password in it, no host or service, no database (a service has its own), or nothing names a
 * source. STATUS_CONFIG: SOURCE_PGPORT is no port. */
bool db_source_identity(const char *spec, struct str *identity, struct error *err);

/* ---- transactions ---- */

bool db_begin(struct db *db, struct error *err);          /* read committed */
bool db_begin_snapshot(struct db *db, struct error *err); /* repeatable read, read only */
/* The same, seeing what the session saw that exported the snapshot of this name. */
bool db_begin_in_snapshot(struct db *db, const char *snapshot, struct error *err);
/* 75 if the connection was lost while the answer was due: whether it committed, the batch row
 * tells. After a stop the answer has two more seconds. */
bool db_commit(struct db *db, struct error *err);
void db_rollback(struct db *db); /* nothing to do outside of a transaction; never fails loudly */

/* A place in the transaction to go back to: what fails after it need not take along what went
 * before. One at a time; setting it again moves it. */
bool db_savepoint(struct db *db, struct error *err);
bool db_go_back(struct db *db, struct error *err); /* also from a failed statement */

/* ---- statements ---- */

/*
 * Sends a declared statement with its values (an array that ends with a NULL
 * name; those the statement does not declare are ignored, a declared one that is missing is a BUG)
 * and waits for the end. Adds the integer columns of the row that it returns, under their names, to
 * *counts, which may be NULL. Logs name, counts and milliseconds; without counts it is
 * bookkeeping, for --verbose alone.
 */
bool db_run(struct db *db, const struct sql *sql, const struct db_value *values,
            struct result *counts, struct error *err);

/* The same, keeping all rows, which are yours to free. NULL after a failure. */
struct db_rows *db_query(struct db *db, const struct sql *sql, const struct db_value *values,
                         struct error *err);

/* Runs a schema file: several statements, in the caller's transaction. */
bool db_run_schema(struct db *db, const struct sql_schema *schema, struct error *err);

/*
 * Logs the nodes of a statement's plan (EXPLAIN), line by line, without their conditions, which
 * show values. *scans, which may be NULL, is set to the number of sequential scans. A COPY of a
 * query is explained by its query, within a transaction; a COPY into a table has no plan.
 */
bool db_explain(struct db *db, const struct sql *sql, const struct db_value *values, int *scans,
                struct error *err);

/*
 * For the statement test: prepares the statement and compares the parameter types that the server
 * finds with those declared. A COPY into a table is begun and given up, outside of a transaction.
 */
bool db_check(struct db *db, const struct sql *sql, struct error *err);

void db_rows_free(struct db_rows *rows); /* accepts NULL */
size_t db_rows_count(const struct db_rows *rows);
/* Borrowed until the rows are freed; NULL for SQL NULL. An unknown column is a BUG in all of
 * these. */
const char *db_rows_text(const struct db_rows *rows, size_t row, const char *column);
int64_t db_rows_int(const struct db_rows *rows, size_t row, const char *column); /* NULL: 0 */
bool db_rows_bool(const struct db_rows *rows, size_t row, const char *column);   /* NULL: false */
/* NULL, -infinity and years before 1: the beginning; infinity and years above 9999: INT64_MAX. */
int64_t db_rows_time(const struct db_rows *rows, size_t row, const char *column);

/* ---- COPY ---- */

/* Starts a declared COPY ... FROM STDIN, in a transaction if it has settings. Then put, any number
 * of times, then end. */
bool db_copy_in(struct db *db, const struct sql *sql, const struct db_value *values,
                struct error *err);
bool db_copy_put(struct db *db, const void *bytes, size_t length, struct error *err);
bool db_copy_in_end(struct db *db, int64_t *rows,
                    struct error *err); /* rows as the server counted */

/* Starts a declared COPY ... TO STDOUT. Then get until *length is 0, then end. *bytes is
 * borrowed until the next call on db. */
bool db_copy_out(struct db *db, const struct sql *sql, const struct db_value *values,
                 struct error *err);
bool db_copy_get(struct db *db, const char **bytes, size_t *length, struct error *err);
bool db_copy_out_end(struct db *db, int64_t *rows, struct error *err);

/* Of several that are read at once: get, without waiting. *is_there false: nothing has come yet. */
bool db_copy_try(struct db *db, const char **bytes, size_t *length, bool *is_there,
                 struct error *err);
/* Waits until a try may find something on one of those that are still read. */
bool db_copy_wait(struct db *const *dbs, size_t count, struct error *err);

/* Has what runs cancelled and does not wait for the end: the session can only be closed. */
void db_give_up(struct db *db);

#endif

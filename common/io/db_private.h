/* SPDX-License-Identifier: MIT
 *
 * What the files of io/db share among themselves. Nobody else includes this.
 */
#ifndef IO_DB_PRIVATE_H
#define IO_DB_PRIVATE_H

#include <libpq-fe.h>

#include "base/log.h"
#include "io/db.h"

enum db_copying { DB_COPY_NONE, DB_COPY_IN, DB_COPY_OUT, DB_COPY_OUT_READ };

struct db {
    PGconn *conn;
    PGcancel *cancel;
    bool is_source;
    bool is_lost;            /* an answer is missing: nothing may be sent any more */
    enum db_copying copying; /* of what */
    const char *copy_name;   /* of the statement that copies */
    int64_t copy_started;
    char *chunk; /* what db_copy_get lent out */
};

/* ---- connection parameters (db_source.c) ---- */

#define DB_PARAMS_MAX 64

/* Keywords and values as PQconnectStartParams takes them: the last entry is NULL. */
struct db_params {
    char *keywords[DB_PARAMS_MAX + 1];
    char *values[DB_PARAMS_MAX + 1];
    size_t count;
};

/* Sets a keyword, in its old place if it was set before. */
void db_params_set(struct db_params *params, const char *keyword, const char *value);
/* NULL where it is not set. */
const char *db_params_get(const struct db_params *params, const char *keyword);
void db_params_release(struct db_params *params);

/* Reads a source's spec (or the SOURCE_PG* variables) into *params, which the caller has zeroed
 * and releases, also after a failure. With an identity, if not NULL, added. */
bool db_source_params(const char *spec, struct db_params *params, struct str *identity,
                      struct error *err);

/* True for a list of ports as libpq takes it, for that many hosts. */
bool db_is_port_list(const char *ports, size_t hosts);
/* How many hosts a comma-separated list names. */
size_t db_count_hosts(const char *hosts);

/* The warehouse's PG* variables, taken out of the environment while a source is opened. */
struct db_hidden;
struct db_hidden *db_hide_environment(void);
void db_restore_environment(struct db_hidden *hidden);

/* ---- connecting (db_connect.c) ---- */

/* Connects, NULL after a failure. is_source chooses the words of the message. */
PGconn *db_connect(const struct db_params *params, bool is_source, struct error *err);

/* ---- sending, waiting, results (db_wire.c) ---- */

/* "warehouse" or "source": what messages call it. */
const char *db_kind(const struct db *db);

/* Waits for events on the connection. False after a stop: the statement was cancelled. */
bool db_wait(struct db *db, short events, int timeout_ms, short *revents, struct error *err);

/* Sends a text with parameters, or as a simple query where count is -1. A BUG while another
 * statement runs. */
bool db_send(struct db *db, const char *text, int count, const Oid *types,
             const char *const *values, struct error *err);

/*
 * Waits for the answer to what was sent: the first error, else the last result, else (a
 * COPY) the result that begins it, after which the connection copies. kind and name say in an error
 * what was refused: "statement" "form_fact". NULL after a failure, else yours to clear.
 */
PGresult *db_answer(struct db *db, const char *kind, const char *name, struct error *err);

/* Both of these for a statement of our own, without rows. */
bool db_tell(struct db *db, const char *name, const char *text, int count,
             const char *const *values, struct error *err);

/* The answer to a COMMIT that was sent, which a stop does not cut short. NULL after a failure, else
 * yours to clear. */
PGresult *db_answer_commit(struct db *db, struct error *err);

/* Takes the answer to a ROLLBACK that was sent, or declares the connection lost. */
void db_await_rollback(struct db *db);

/* Ends whatever runs on the connection, within about two seconds, or declares it lost. */
void db_abandon(struct db *db);

/* ---- refusals (db_error.c) ---- */

/* The status of a server's refusal, as db.h lists them. */
enum status db_status_of(const char *sqlstate, bool is_source);

/* Fills *err from an error result, or from a connection that broke. Returns false. */
bool db_refused(const struct db *db, const PGresult *result, const char *kind, const char *name,
                struct error *err);

/* ---- statements (db_statement.c) ---- */

/* The oid of a declared type; a BUG for one that is not known. */
Oid db_type_oid(const char *type);
/* The value for a declared parameter; a BUG if it is missing. */
const char *db_find_value(const struct sql *sql, const struct sql_param *param,
                          const struct db_value *values);
/* Sends text with the statement's parameters and waits. NULL after a failure, else yours to
 * clear. */
PGresult *db_execute(struct db *db, const struct sql *sql, const char *text,
                     const struct db_value *values, struct error *err);
/* Binds a COPY's settings for the transaction. */
bool db_bind_settings(struct db *db, const struct sql *sql, const struct db_value *values,
                      struct error *err);
/* The log line of a statement. */
void db_log_statement(enum log_level level, const char *name, const char *rows, int64_t started);

#endif

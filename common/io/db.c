/* SPDX-License-Identifier: MIT
 *
 * Sessions and transactions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/task.h"
#include "io/db_private.h"

/* Errors alone are sent: during COPY this makes any word of the server a refusal (db_copy.c). */
#define SESSION                                                                         \
    "SELECT pg_catalog.set_config('search_path', 'pg_catalog', false),"                 \
    " pg_catalog.set_config('jit', 'off', false),"                                      \
    " pg_catalog.set_config('TimeZone', 'UTC', false),"                                 \
    " pg_catalog.set_config('DateStyle', 'ISO', false),"                                \
    " pg_catalog.set_config('IntervalStyle', 'postgres', false),"                       \
    " pg_catalog.set_config('client_min_messages', 'error', false),"                    \
    " pg_catalog.set_config('default_transaction_isolation', 'read committed', false)," \
    " pg_catalog.set_config('application_name', $1::pg_catalog.text, false),"           \
    " pg_catalog.set_config('lock_timeout', $2::pg_catalog.text, false),"

/* The one table that a session analyzes is the staging of a batch; a third of the usual sample
 * tells how many rows the batch has and how many keys they name. */
static const char warehouse_session[] =
    SESSION " pg_catalog.set_config('statement_timeout', '6h', false),"
            " pg_catalog.set_config('default_statistics_target', '30', false),"
            " pg_catalog.set_config('idle_in_transaction_session_timeout', '1h', false)";

/* A large shard may be read all day, and waits in its snapshot while its rows are stored. One
 * process reads it: gathering rows of several workers costs a COPY more than it brings. */
static const char source_session[] =
    SESSION " pg_catalog.set_config('statement_timeout', '24h', false),"
            " pg_catalog.set_config('idle_in_transaction_session_timeout', '24h', false),"
            " pg_catalog.set_config('max_parallel_workers_per_gather', '0', false),"
            " pg_catalog.set_config('default_transaction_read_only', 'on', false)";

/* ---- life cycle ---- */

static bool set_up(struct db *db, struct error *err)
{
    char lock_timeout[24];
    snprintf(lock_timeout, sizeof lock_timeout, "%lld",
             (long long)(task_common()->lock_timeout / 1000));
    const char *const values[] = {task_name(), lock_timeout};
    if (!db_tell(db, "session", db->is_source ? source_session : warehouse_session, 2, values, err))
        return false;

    /* Unknown to some platforms; without it the server only notices later that we are gone. */
    struct error ignored;
    static const char check_interval[] =
        "SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false)";
    if (!db_tell(db, "session", check_interval, 0, NULL, &ignored) &&
        (ignored.status == STATUS_INTERRUPTED || PQstatus(db->conn) == CONNECTION_BAD)) {
        *err = ignored;
        return false;
    }
    return true;
}

static void add_defaults(struct db_params *params)
{
    static const struct {
        const char *keyword, *value;
    } defaults[] = {
        {"client_encoding", "UTF8"},   {"fallback_application_name", "factline"},
        {"keepalives", "1"},           {"keepalives_idle", "60"},
        {"keepalives_interval", "10"}, {"keepalives_count", "6"},
        {"tcp_user_timeout", "60000"},
    };
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        db_params_set(params, defaults[i].keyword, defaults[i].value);
}

/* A session on conn, which it takes over; NULL, and conn closed, after a failure. */
static struct db *start(PGconn *conn, bool is_source, struct error *err)
{
    struct db *db = mem_alloc(sizeof *db);
    db->conn = conn;
    db->is_source = is_source;
    db->cancel = PQgetCancel(conn);
    PQsetnonblocking(conn, 1);
    if (!set_up(db, err)) {
        db_close(db);
        return NULL;
    }
    return db;
}

struct db *db_open(struct error *err)
{
    struct db_params params = {0};
    add_defaults(&params);
    PGconn *conn = db_connect(&params, false, err);
    db_params_release(&params);
    return conn ? start(conn, false, err) : NULL;
}

struct db *db_open_source(const char *spec, struct error *err)
{
    struct db_params given = {0}, params = {0};
    PGconn *conn = NULL;
    if (db_source_params(spec, &given, NULL, err)) {
        add_defaults(&params);
        for (size_t i = 0; i < given.count; i++)
            db_params_set(&params, given.keywords[i], given.values[i]);
        db_params_set(&params, "client_encoding", "UTF8");
        struct db_hidden *hidden = db_hide_environment();
        conn = db_connect(&params, true, err);
        db_restore_environment(hidden);
    }
    db_params_release(&given);
    db_params_release(&params);
    return conn ? start(conn, true, err) : NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_rollback(db);
    PQfreemem(db->chunk);
    PQfreeCancel(db->cancel);
    PQfinish(db->conn);
    free(db);
}

bool db_set_label(struct db *db, const char *batch_id, int64_t attempt, struct error *err)
{
    static const char text[] =
        "SELECT pg_catalog.set_config('application_name', $1::text || ' ' || $2::text || '/' ||"
        " $3::text, false)";
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)attempt);
    const char *const values[] = {task_name(), batch_id, number};
    return db_tell(db, "label", text, 3, values, err);
}

/* ---- transactions ---- */

static bool begin(struct db *db, const char *text, struct error *err)
{
    if (!db->is_lost && (PQtransactionStatus(db->conn) == PQTRANS_INTRANS ||
                         PQtransactionStatus(db->conn) == PQTRANS_INERROR))
        BUG("a transaction was begun inside of another");
    return db_tell(db, "begin", text, 0, NULL, err);
}

bool db_begin(struct db *db, struct error *err)
{
    return begin(db, "BEGIN ISOLATION LEVEL READ COMMITTED", err);
}

bool db_begin_snapshot(struct db *db, struct error *err)
{
    return begin(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

bool db_begin_in_snapshot(struct db *db, const char *snapshot, struct error *err)
{
    char text[128];
    /* SET TRANSACTION takes no parameter; what it gets here can be nothing but a name. */
    if (snapshot[strspn(snapshot, "0123456789ABCDEF-")] != '\0' || strlen(snapshot) > 64)
        BUG("a snapshot has an unknown kind of name");
    snprintf(text, sizeof text, "SET TRANSACTION SNAPSHOT '%s'", snapshot);
    if (db_begin_snapshot(db, err) && db_tell(db, "snapshot", text, 0, NULL, err))
        return true;
    bool is_gone = strcmp(err->sqlstate, "22023") == 0;
    return is_gone ? error_set(err, STATUS_TEMPORARY,
                               "the session that shared its snapshot is gone; run the step again")
                   : false;
}

bool db_savepoint(struct db *db, struct error *err)
{
    return db_tell(db, "savepoint", "SAVEPOINT factline", 0, NULL, err);
}

bool db_go_back(struct db *db, struct error *err)
{
    return db_tell(db, "savepoint", "ROLLBACK TO SAVEPOINT factline", 0, NULL, err);
}

bool db_commit(struct db *db, struct error *err)
{
    if (!db_send(db, "COMMIT", 0, NULL, NULL, err))
        return false;
    PGresult *result = db_answer_commit(db, err);
    if (!result)
        return false;
    /* The server answers ROLLBACK where an earlier statement had failed. */
    bool is_committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    return is_committed ||
           error_set(err, STATUS_BUG, "a failed transaction was to be committed; report it");
}

void db_rollback(struct db *db)
{
    if (!db)
        return;
    db_abandon(db);
    if (db->is_lost || (PQtransactionStatus(db->conn) != PQTRANS_INTRANS &&
                        PQtransactionStatus(db->conn) != PQTRANS_INERROR))
        return;
    if (PQsendQuery(db->conn, "ROLLBACK"))
        db_await_rollback(db);
}

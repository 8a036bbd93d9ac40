/* SPDX-License-Identifier: MIT
 *
 * Sending, waiting, answers and cancelling, with libpq's non-blocking calls.
 * Every wait for an answer goes through base/interrupt. Only cleaning up polls
 * by itself: a stop must not cut it short, and must still be seen by the next wait.
 */
#include <poll.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "io/db_private.h"

/* Together below the three seconds in which a stopped task should be gone. */
#define COPY_END_TIME (CLOCK_SECOND / 2)
#define CANCEL_TIME (2 * CLOCK_SECOND)

const char *db_kind(const struct db *db)
{
    return db->is_source ? "source" : "warehouse";
}

bool db_wait(struct db *db, short events, int timeout_ms, short *revents, struct error *err)
{
    if (revents)
        *revents = 0;
    if (PQsocket(db->conn) < 0)
        return true; /* uncovered: broken since libpq's last call, whose successor tells */
    if (interrupt_wait(PQsocket(db->conn), events, timeout_ms, revents) != INTERRUPT_STOP)
        return true;
    interrupt_settle();
    db_abandon(db);
    return error_set(err, STATUS_INTERRUPTED,
                     "stopped while waiting for the %s; run the step again", db_kind(db));
}

bool db_send(struct db *db, const char *text, int count, const Oid *types,
             const char *const *values, struct error *err)
{
    if (db->is_lost)
        return error_set(err, STATUS_TEMPORARY,
                         "connection to the %s was given up; run the step again", db_kind(db));
    if (db->copying != DB_COPY_NONE || PQtransactionStatus(db->conn) == PQTRANS_ACTIVE)
        BUG("a statement was sent while another one runs");
    int sent = count < 0 ? PQsendQuery(db->conn, text)
                         : PQsendQueryParams(db->conn, text, count, types, values, NULL, NULL, 0);
    if (sent)
        return true;
    db->is_lost = true; /* or libpq has no memory, and no state that could be gone on from */
    return error_set(err, STATUS_TEMPORARY, "connection to the %s was lost; run the step again",
                     db_kind(db));
}

/* Hands what was sent to the system. What fails here, the next answer tells. */
static bool flush(struct db *db, struct error *err)
{
    short revents;
    while (PQflush(db->conn) > 0) {
        if (!db_wait(db, POLLIN | POLLOUT, -1, &revents, err))
            return false;
        if (revents & POLLIN)
            PQconsumeInput(db->conn);
    }
    return true;
}

static bool receive(struct db *db, const char *name, PGresult **result, struct error *err)
{
    struct progress progress = progress_begin("waiting", name);
    short revents;
    if (!flush(db, err))
        return false;
    while (PQisBusy(db->conn)) {
        if (!db_wait(db, POLLIN, progress_interval_ms(), &revents, err))
            return false;
        if (!revents)
            progress_show(&progress);
        if (!PQconsumeInput(db->conn))
            break; /* PQgetResult now says why */
    }
    *result = PQgetResult(db->conn);
    return true;
}

static bool is_error(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN &&
           status != PGRES_COPY_OUT;
}

static bool is_copy(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_COPY_IN || PQresultStatus(result) == PGRES_COPY_OUT;
}

/* What has none is libpq's own trouble: lacking memory, it leaves answers unread. */
static bool has_code(const PGresult *result)
{
    return PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL;
}

PGresult *db_answer(struct db *db, const char *kind, const char *name, struct error *err)
{
    PGresult *kept = NULL, *next;
    for (;;) {
        if (!receive(db, name, &next, err)) {
            PQclear(kept);
            return NULL;
        }
        if (!next)
            break;
        if (kept && is_error(kept)) {
            PQclear(next); /* the first error is the cause, what follows its consequence */
            continue;
        }
        PQclear(kept);
        kept = next;
        if (is_copy(kept)) {
            db->copying = PQresultStatus(kept) == PGRES_COPY_IN ? DB_COPY_IN : DB_COPY_OUT;
            return kept;
        }
    }
    if (kept && !is_error(kept))
        return kept;
    db_refused(db, kept, kind, name, err);
    db->is_lost = !has_code(kept);
    PQclear(kept);
    return NULL;
}

bool db_tell(struct db *db, const char *name, const char *text, int count,
             const char *const *values, struct error *err)
{
    PGresult *result = NULL;
    if (db_send(db, text, count, NULL, values, err))
        result = db_answer(db, "statement", name, err);
    PQclear(result);
    return result != NULL;
}

/* Takes what has arrived. True once the statement has ended. */
static bool drain_ready(PGconn *conn)
{
    while (!PQisBusy(conn)) {
        PGresult *result = PQgetResult(conn);
        if (!result)
            return true;
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status == PGRES_COPY_IN && PQputCopyEnd(conn, "given up") <= 0)
            return false; /* uncovered: no memory; the deadline ends this */
        if (status == PGRES_COPY_OUT) {
            char *bytes;
            int length;
            while ((length = PQgetCopyData(conn, &bytes, 1)) > 0)
                PQfreemem(bytes);
            if (length == 0)
                return false;
        }
    }
    return false;
}

static short events_of(PGconn *conn)
{
    return PQflush(conn) > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* Waits for the server, whatever signals come. False once the deadline has passed. */
static bool poll_until(PGconn *conn, int64_t deadline)
{
    struct pollfd waiting = {.events = events_of(conn)};
    int64_t left = deadline - clock_monotonic();
    waiting.fd = PQsocket(conn);
    if (left <= 0 || waiting.fd < 0)
        return false;
    poll(&waiting, 1, (int)(left / 1000) + 1);
    return true;
}

static bool drain(PGconn *conn, int64_t time)
{
    int64_t deadline = clock_monotonic() + time;
    while (!drain_ready(conn)) {
        if (!poll_until(conn, deadline) || !PQconsumeInput(conn))
            return false;
    }
    /* Without memory libpq has no result to give, whether or not the statement has ended. */
    return PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) != PQTRANS_ACTIVE;
}

void db_await_rollback(struct db *db)
{
    db->is_lost = !drain(db->conn, CANCEL_TIME);
}

/* A stop comes too late for a COMMIT; it is given the time that a rollback would take. */
static bool wait_for_commit(struct db *db, int64_t *deadline)
{
    if (*deadline == 0) {
        int fd = PQsocket(db->conn);
        if (interrupt_wait(fd, events_of(db->conn), -1, NULL) != INTERRUPT_STOP)
            return true;
        *deadline = clock_monotonic() + CANCEL_TIME;
    }
    return poll_until(db->conn, *deadline);
}

PGresult *db_answer_commit(struct db *db, struct error *err)
{
    int64_t deadline = 0;
    PGresult *result = NULL, *next;
    do {
        while (PQisBusy(db->conn)) {
            if (!wait_for_commit(db, &deadline)) {
                db->is_lost = true;
                PQclear(result);
                error_set(err, STATUS_INTERRUPTED,
                          "stopped while committing; run the step again, it finds out what "
                          "happened");
                return NULL;
            }
            if (!PQconsumeInput(db->conn))
                break;
        }
        next = PQgetResult(db->conn);
        if (next && !result)
            result = next;
        else
            PQclear(next);
    } while (next);
    if (result && PQresultStatus(result) == PGRES_COMMAND_OK)
        return result;
    db->is_lost = !has_code(result);
    if (PQstatus(db->conn) == CONNECTION_BAD)
        error_set(err, STATUS_TEMPORARY,
                  "connection lost while committing; run the step again, it finds out what "
                  "happened");
    else
        db_refused(db, result, "statement", "commit", err);
    PQclear(result);
    return NULL;
}

void db_give_up(struct db *db)
{
    char reason[256]; /* as below */
    db->copying = DB_COPY_NONE;
    if (!db->is_lost && PQtransactionStatus(db->conn) == PQTRANS_ACTIVE)
        PQcancel(db->cancel, reason, sizeof reason);
    db->is_lost = true;
}

void db_abandon(struct db *db)
{
    bool is_copying_in = db->copying == DB_COPY_IN;
    db->copying = DB_COPY_NONE;
    if (db->is_lost || PQtransactionStatus(db->conn) != PQTRANS_ACTIVE)
        return;
    /* A server that waits for our rows ends by being told so; all else must be cancelled. */
    bool is_ended = is_copying_in && drain(db->conn, COPY_END_TIME);
    if (!is_ended) {
        char reason[256]; /* holds libpq's text, which nobody may see */
        PQcancel(db->cancel, reason, sizeof reason);
        is_ended = drain(db->conn, CANCEL_TIME);
    }
    db->is_lost = !is_ended;
}

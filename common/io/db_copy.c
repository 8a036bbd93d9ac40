/* SPDX-License-Identifier: MIT
 *
 * Bytes into and out of a COPY. What goes in is handed to the system before
 * the next piece is taken, so libpq holds one piece at most.
 *
 * libpq looks at a refusal in the middle of a COPY only when the COPY is ended.
 * But sessions are sent errors alone (db.c): any word of the server while it
 * takes our rows is a refusal, and the COPY is ended at once instead of sending
 * the rest in vain. libpq reads that word itself, out of our sight, when it
 * meets a full socket; so a piece is small enough for any socket that poll calls writable.
 */
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "io/db_private.h"

/* With the 5 bytes of its head two blocks of libpq's, which are sent at once. */
#define PIECE (2 * 8192 - 5)

static bool start(struct db *db, const struct sql *sql, const struct db_value *values,
                  enum db_copying wanted, struct error *err)
{
    if (!sql->is_copy)
        BUG("statement \"%s\" is not declared as a COPY", sql->name);
    if (!db_bind_settings(db, sql, values, err))
        return false;
    db->copy_name = sql->name;
    db->copy_started = clock_monotonic();
    PGresult *result = NULL;
    if (db_send(db, sql->text, -1, NULL, NULL, err))
        result = db_answer(db, "statement", sql->name, err);
    PQclear(result);
    if (result && db->copying != wanted)
        BUG("statement \"%s\" copies the other way, or not at all", sql->name);
    return result != NULL;
}

/* Fetches the answer at the end of a COPY, and how many rows the server counted. */
static bool finish(struct db *db, int64_t *rows, struct error *err)
{
    db->copying = DB_COPY_NONE;
    PGresult *result = db_answer(db, "statement", db->copy_name, err);
    if (!result)
        return false;
    if (rows)
        *rows = strtoll(PQcmdTuples(result), NULL, 10);
    db_log_statement(LOG_INFO, db->copy_name, PQcmdTuples(result), db->copy_started);
    PQclear(result);
    return true;
}

/* ---- in ---- */

bool db_copy_in(struct db *db, const struct sql *sql, const struct db_value *values,
                struct error *err)
{
    return start(db, sql, values, DB_COPY_IN, err);
}

/* The server spoke before the end: ends the COPY and reports why it was refused. */
static bool refuse(struct db *db, struct error *err)
{
    PQputCopyEnd(db->conn, "given up");
    if (finish(db, NULL, err))
        BUG("a COPY that was given up succeeded"); /* uncovered: the server never does that */
    return false;
}

static bool put_piece(struct db *db, const char *bytes, size_t length, struct error *err)
{
    bool is_put = false;
    do {
        short revents;
        if (!db_wait(db, POLLIN | POLLOUT, -1, &revents, err))
            return false;
        /* libpq takes and drops what is put on a broken connection, so that is asked for. */
        if (revents & (POLLIN | POLLERR | POLLHUP) || PQsocket(db->conn) < 0)
            return refuse(db, err);
        if (!is_put && PQputCopyData(db->conn, bytes, (int)length) <= 0)
            return refuse(db, err); /* uncovered: no memory, or lost since the line above */
        is_put = true;
    } while (PQflush(db->conn) > 0);
    return true;
}

bool db_copy_put(struct db *db, const void *bytes, size_t length, struct error *err)
{
    const char *at = bytes;
    if (db->copying != DB_COPY_IN)
        BUG("rows were given without a COPY");
    while (length > 0) {
        size_t piece = length < PIECE ? length : PIECE;
        if (!put_piece(db, at, piece, err))
            return false;
        at += piece;
        length -= piece;
    }
    return true;
}

bool db_copy_in_end(struct db *db, int64_t *rows, struct error *err)
{
    if (db->copying != DB_COPY_IN)
        BUG("a COPY was ended that did not run");
    PQputCopyEnd(db->conn, NULL); /* what fails here, the answer tells */
    return finish(db, rows, err);
}

/* ---- out ---- */

bool db_copy_out(struct db *db, const struct sql *sql, const struct db_value *values,
                 struct error *err)
{
    return start(db, sql, values, DB_COPY_OUT, err);
}

/* What has come already: as PQgetCopyData says it. */
static int take(struct db *db, const char **bytes, size_t *length)
{
    if (db->copying != DB_COPY_OUT)
        BUG("rows were asked for without a COPY");
    PQfreemem(db->chunk);
    db->chunk = NULL;
    int got = PQgetCopyData(db->conn, &db->chunk, 1);
    if (got < 0)
        db->copying = DB_COPY_OUT_READ; /* the end, or a refusal: db_copy_out_end tells */
    *bytes = db->chunk;
    *length = got < 0 ? 0 : (size_t)got;
    return got;
}

bool db_copy_get(struct db *db, const char **bytes, size_t *length, struct error *err)
{
    while (take(db, bytes, length) == 0) {
        if (!db_wait(db, POLLIN, -1, NULL, err))
            return false;
        if (!PQconsumeInput(db->conn))
            return finish(db, NULL, err);
    }
    return true;
}

bool db_copy_try(struct db *db, const char **bytes, size_t *length, bool *is_there,
                 struct error *err)
{
    *is_there = take(db, bytes, length) != 0;
    if (*is_there)
        return true;
    if (!PQconsumeInput(db->conn))
        return finish(db, NULL, err);
    *is_there = take(db, bytes, length) != 0;
    return true;
}

bool db_copy_wait(struct db *const *dbs, size_t count, struct error *err)
{
    struct pollfd *fds = mem_alloc((count + 2) * sizeof *fds);
    for (size_t i = 0; i < count; i++) {
        bool is_read = dbs[i]->copying == DB_COPY_OUT;
        fds[i] = (struct pollfd){.fd = is_read ? PQsocket(dbs[i]->conn) : -1, .events = POLLIN};
    }
    bool ok = interrupt_wait_any(fds, count, -1) != INTERRUPT_STOP;
    free(fds);
    if (ok)
        return true;
    interrupt_settle();
    return error_set(err, STATUS_INTERRUPTED,
                     "stopped while waiting for the source; run the step again");
}

bool db_copy_out_end(struct db *db, int64_t *rows, struct error *err)
{
    if (db->copying != DB_COPY_OUT_READ)
        BUG("a COPY was ended before all of it was read");
    return finish(db, rows, err);
}

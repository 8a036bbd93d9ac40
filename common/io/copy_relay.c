/* SPDX-License-Identifier: MIT
 *
 * Several COPYs out of servers as one COPY into another, in one thread: whichever has rows is
 * served, in turns, and all wait together.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "io/copy.h"
#include "io/copy_private.h"

#define HEADER (sizeof COPY_HEADER)

static const char trailer[2] = {'\377', '\377'};

struct lane {
    struct copy_stream *stream;
    bool is_begun, is_ended;
};

struct relay {
    struct lane *lanes;
    struct db **dbs;
    size_t count, ended;
    struct db *to;
    const char *name;
    struct str buffer;
    struct progress progress;
};

static bool pass_on(struct relay *relay, const char *bytes, size_t length, struct error *err)
{
    relay->progress.bytes += (int64_t)length;
    if (!db_copy_put(relay->to, bytes, length, err))
        return false;
    progress_tell(&relay->progress);
    return true;
}

static bool empty_buffer(struct relay *relay, struct error *err)
{
    bool ok = pass_on(relay, relay->buffer.text, relay->buffer.length, err);
    str_clear(&relay->buffer);
    return ok;
}

static bool add(struct relay *relay, const char *bytes, size_t length, struct error *err)
{
    if (relay->buffer.length + length > COPY_CHUNK && !empty_buffer(relay, err))
        return false;
    if (length > COPY_CHUNK) /* a long row goes past the buffer, which stays small */
        return pass_on(relay, bytes, length, err);
    str_add(&relay->buffer, bytes, length);
    return true;
}

/* The columns of the lead are the row's first. */
static bool add_row(struct relay *relay, struct copy_stream *stream, const char *bytes,
                    size_t length, struct error *err)
{
    struct copy *lead = stream->lead;
    stream->rows++;
    relay->progress.rows++;
    if (!lead)
        return add(relay, bytes, length, err);
    unsigned own = (unsigned)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1];
    copy_put_number(lead->buffer.text, (unsigned)lead->columns + own, 2);
    return add(relay, lead->buffer.text, lead->buffer.length, err) &&
           add(relay, bytes + 2, length - 2, err);
}

static bool end_lane(struct relay *relay, struct lane *lane, struct error *err)
{
    int64_t counted = 0;
    lane->is_ended = true;
    relay->ended++;
    if (!db_copy_out_end(lane->stream->db, &counted, err))
        return false;
    return counted == lane->stream->rows ||
           error_set(err, STATUS_TEMPORARY,
                     "the source sent %lld rows for \"%s\", %lld came; run the step again",
                     (long long)counted, relay->name, (long long)lane->stream->rows);
}

/* One message is a row; the first has the header before it, and the end is one of its own. */
static bool take(struct relay *relay, struct lane *lane, const char *bytes, size_t length,
                 struct error *err)
{
    size_t before = lane->is_begun ? 0 : HEADER;
    bool is_binary = length >= before && memcmp(bytes, COPY_HEADER, before) == 0;
    bytes += before;
    length -= before;
    lane->is_begun = true;
    if (!is_binary || length == 1)
        return error_set(err, STATUS_BUG,
                         "the source's COPY for \"%s\" is not of the binary format; report it",
                         relay->name);
    if (length == 0 || (length == sizeof trailer && memcmp(bytes, trailer, length) == 0))
        return true;
    return add_row(relay, lane->stream, bytes, length, err);
}

/* A lane's turn; *is_idle is cleared where it had something. */
static bool serve(struct relay *relay, struct lane *lane, bool *is_idle, struct error *err)
{
    const char *bytes;
    size_t length, taken = 0;
    bool is_there = true;
    while (!lane->is_ended && taken < COPY_CHUNK) {
        if (!db_copy_try(lane->stream->db, &bytes, &length, &is_there, err))
            return false;
        if (!is_there)
            return true;
        *is_idle = false;
        taken += length;
        if (length == 0 ? !end_lane(relay, lane, err) : !take(relay, lane, bytes, length, err))
            return false;
    }
    return true;
}

static bool serve_all(struct relay *relay, struct error *err)
{
    while (relay->ended < relay->count) {
        bool is_idle = true;
        for (size_t i = 0; i < relay->count; i++)
            if (!serve(relay, &relay->lanes[i], &is_idle, err))
                return false;
        if (is_idle && !db_copy_wait(relay->dbs, relay->count, err))
            return false;
    }
    return true;
}

static bool begin_all(struct relay *relay, const struct sql *from_sql, struct error *err)
{
    for (size_t i = 0; i < relay->count; i++) {
        struct copy_stream *stream = relay->lanes[i].stream;
        if (!db_copy_out(stream->db, from_sql, stream->values, err))
            return false;
    }
    return true;
}

static bool end_all(struct relay *relay, struct error *err)
{
    int64_t sent = 0, taken;
    for (size_t i = 0; i < relay->count; i++)
        sent += relay->lanes[i].stream->rows;
    if (!add(relay, trailer, sizeof trailer, err) || !empty_buffer(relay, err) ||
        !db_copy_in_end(relay->to, &taken, err))
        return false;
    return sent == taken ||
           error_set(err, STATUS_TEMPORARY,
                     "the source sent %lld rows for \"%s\", the warehouse took %lld; run the "
                     "step again",
                     (long long)sent, relay->name, (long long)taken);
}

bool copy_relay(struct copy_stream *streams, size_t count, const struct sql *from_sql,
                struct db *to, const struct sql *to_sql, int64_t *bytes, struct error *err)
{
    struct relay relay = {.to = to, .count = count, .name = to_sql->name};
    relay.lanes = mem_alloc(count * sizeof *relay.lanes);
    relay.dbs = mem_alloc(count * sizeof *relay.dbs);
    for (size_t i = 0; i < count; i++) {
        streams[i].rows = 0;
        relay.lanes[i] = (struct lane){.stream = &streams[i]};
        relay.dbs[i] = streams[i].db;
    }
    relay.progress = progress_begin("copy", to_sql->name);
    str_init(&relay.buffer);
    bool ok = begin_all(&relay, from_sql, err) && db_copy_in(to, to_sql, NULL, err) &&
              add(&relay, COPY_HEADER, HEADER, err) && serve_all(&relay, err) &&
              end_all(&relay, err);
    for (size_t i = 0; i < count && !ok; i++)
        db_give_up(streams[i].db);
    *bytes += relay.progress.bytes;
    str_release(&relay.buffer);
    free(relay.lanes);
    free(relay.dbs);
    return ok;
}

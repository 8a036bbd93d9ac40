/* SPDX-License-Identifier: MIT
 *
 * Several COPYs out of servers as one COPY into another, in one thread: whichever has rows is
 * served, in turns, and all wait together.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/copy.h"
#include "io/copy_private.h"

#define HEARTBEAT (30 * CLOCK_SECOND)
#define HEADER (sizeof COPY_HEADER)

static const char trailer[2] = {'\377', '\377'};

struct lane {
    struct copy_stream *stream;
    bool is_begun, is_ended;
};

struct merge {
    struct lane *lanes;
    struct db **dbs;
    size_t count, ended;
    struct db *to;
    const char *name;
    struct str buffer;
    int64_t bytes;
    int64_t next_heartbeat;
};

static bool pass_on(struct merge *merge, const char *bytes, size_t length, struct error *err)
{
    merge->bytes += (int64_t)length;
    if (!db_copy_put(merge->to, bytes, length, err))
        return false;
    int64_t now = clock_monotonic();
    if (now >= merge->next_heartbeat) {
        log_event(LOG_INFO, "copy", "sql=%s bytes=%lld", merge->name, (long long)merge->bytes);
        merge->next_heartbeat = now + HEARTBEAT;
    }
    return true;
}

static bool empty_buffer(struct merge *merge, struct error *err)
{
    bool ok = pass_on(merge, merge->buffer.text, merge->buffer.length, err);
    str_clear(&merge->buffer);
    return ok;
}

static bool add(struct merge *merge, const char *bytes, size_t length, struct error *err)
{
    if (merge->buffer.length + length > COPY_CHUNK && !empty_buffer(merge, err))
        return false;
    if (length > COPY_CHUNK) /* a long row goes past the buffer, which stays small */
        return pass_on(merge, bytes, length, err);
    str_add(&merge->buffer, bytes, length);
    return true;
}

static bool end_lane(struct merge *merge, struct lane *lane, struct error *err)
{
    int64_t counted = 0;
    lane->is_ended = true;
    merge->ended++;
    if (!db_copy_out_end(lane->stream->db, &counted, err))
        return false;
    return counted == lane->stream->rows ||
           error_set(err, STATUS_TEMPORARY,
                     "the source sent %lld rows for \"%s\", %lld came; run the step again",
                     (long long)counted, merge->name, (long long)lane->stream->rows);
}

/* One message is a row; the first has the header before it, and the end is one of its own. */
static bool take(struct merge *merge, struct lane *lane, const char *bytes, size_t length,
                 struct error *err)
{
    if (!lane->is_begun) {
        if (length < HEADER || memcmp(bytes, COPY_HEADER, HEADER) != 0)
            return error_set(err, STATUS_BUG,
                             "the source's COPY for \"%s\" does not begin as one; report it",
                             merge->name);
        lane->is_begun = true;
        bytes += HEADER;
        length -= HEADER;
    }
    if (length == 0 || (length == sizeof trailer && memcmp(bytes, trailer, length) == 0))
        return true;
    lane->stream->rows++;
    return add(merge, bytes, length, err);
}

/* A lane's turn; *is_idle is cleared where it had something. */
static bool serve(struct merge *merge, struct lane *lane, bool *is_idle, struct error *err)
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
        if (length == 0 ? !end_lane(merge, lane, err) : !take(merge, lane, bytes, length, err))
            return false;
    }
    return true;
}

static bool serve_all(struct merge *merge, struct error *err)
{
    while (merge->ended < merge->count) {
        bool is_idle = true;
        for (size_t i = 0; i < merge->count; i++)
            if (!serve(merge, &merge->lanes[i], &is_idle, err))
                return false;
        if (is_idle && !db_copy_wait(merge->dbs, merge->count, err))
            return false;
    }
    return true;
}

static bool begin_all(struct merge *merge, const struct sql *from_sql, struct error *err)
{
    for (size_t i = 0; i < merge->count; i++) {
        struct copy_stream *stream = merge->lanes[i].stream;
        if (!db_copy_out(stream->db, from_sql, stream->values, err))
            return false;
    }
    return true;
}

static bool end_all(struct merge *merge, struct error *err)
{
    int64_t sent = 0, taken;
    for (size_t i = 0; i < merge->count; i++)
        sent += merge->lanes[i].stream->rows;
    if (!add(merge, trailer, sizeof trailer, err) || !empty_buffer(merge, err) ||
        !db_copy_in_end(merge->to, &taken, err))
        return false;
    return sent == taken ||
           error_set(err, STATUS_TEMPORARY,
                     "the source sent %lld rows for \"%s\", the warehouse took %lld; run the "
                     "step again",
                     (long long)sent, merge->name, (long long)taken);
}

bool copy_merge(struct copy_stream *streams, size_t count, const struct sql *from_sql,
                struct db *to, const struct sql *to_sql, const struct db_value *to_values,
                int64_t *bytes, struct error *err)
{
    struct merge merge = {.to = to, .count = count, .name = to_sql->name};
    merge.lanes = mem_alloc(count * sizeof *merge.lanes);
    merge.dbs = mem_alloc(count * sizeof *merge.dbs);
    for (size_t i = 0; i < count; i++) {
        streams[i].rows = 0;
        merge.lanes[i] = (struct lane){.stream = &streams[i]};
        merge.dbs[i] = streams[i].db;
    }
    merge.next_heartbeat = clock_monotonic() + HEARTBEAT;
    str_init(&merge.buffer);
    bool ok = begin_all(&merge, from_sql, err) && db_copy_in(to, to_sql, to_values, err) &&
              add(&merge, COPY_HEADER, HEADER, err) && serve_all(&merge, err) &&
              end_all(&merge, err);
    for (size_t i = 0; i < count && !ok; i++)
        db_give_up(streams[i].db);
    *bytes += merge.bytes;
    str_release(&merge.buffer);
    free(merge.lanes);
    free(merge.dbs);
    return ok;
}

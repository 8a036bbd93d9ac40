/* SPDX-License-Identifier: MIT */
#include "etl/stage_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "etl/step.h"
#include "etl_sql.h"
#include "io/copy.h"

#define LOOK_EVERY 1024 /* lines between two looks at signals and the output */
#define HEARTBEAT (30 * CLOCK_SECOND)

/* Files ---------------------------------------------------------------- */

struct reading {
    struct stage *stage;
    struct field_reader *reader;
    struct field_batch fixed;
    struct copy *copy;
    int64_t lines; /* over all files: the later line wins */
    int64_t last_sign;
    bool has_told_wrapped;
};

static void give_sign(struct reading *reading)
{
    int64_t now = clock_monotonic();
    if (now - reading->last_sign < HEARTBEAT)
        return;
    reading->last_sign = now;
    log_event(LOG_INFO, "reading", "lines=%" PRId64 " staged=%" PRId64 " rejected=%" PRId64,
              reading->lines, reading->stage->counts.staged, reading->stage->counts.rejected);
}

static bool read_line(struct reading *reading, const struct source *source,
                      const struct file_line *line, struct error *err)
{
    struct stage *stage = reading->stage;
    struct field_reject reject = {.reason = "too_long", .column = ""};
    enum field_taken taken = FIELD_REJECTED;
    reading->lines++;
    if (reading->lines % LOOK_EVERY == 0) {
        give_sign(reading);
        if (interrupt_is_asked())
            return error_set(err, STATUS_INTERRUPTED, "interrupted; run the step again");
    }
    if (!line->is_too_long)
        taken = field_read(reading->reader, &reading->fixed, line->text, line->length,
                           reading->lines, reading->copy, &reject, err);
    switch (taken) {
    case FIELD_SKIPPED: stage->counts.skipped++; return true;
    case FIELD_FAILED: return false;
    case FIELD_STAGED:
        stage->counts.read++;
        stage->counts.staged++;
        return true;
    case FIELD_REJECTED: break;
    }
    stage->counts.read++;
    stage->counts.rejected++;
    if (strcmp(reject.reason, "wrapped_document") == 0 && !reading->has_told_wrapped) {
        reading->has_told_wrapped = true;
        log_event(LOG_WARNING, "wrapped_document",
                  "line=%" PRId64
                  " remedy=give each entry of \"results\", \"rows\" or \"objects\" a "
                  "line of its own",
                  line->number);
    }
    return reject_add(stage->rejects, source->identity, line, &reject, err) &&
           reject_is_within(&stage->budget, stage->counts.rejected, stage->counts.read, false, err);
}

static bool read_file(struct reading *reading, struct source *source, struct error *err)
{
    struct file *file = file_open(source->spec, reading->stage->max_record, err);
    if (!file)
        return false;
    int64_t before = reading->stage->counts.staged;
    struct file_line line;
    enum file_got got;
    bool ok = true;
    while (ok && (got = file_next(file, &line, err)) != FILE_END)
        ok = got == FILE_LINE && read_line(reading, source, &line, err);
    reading->stage->counts.bytes += file_bytes(file);
    source->rows = reading->stage->counts.staged - before;
    file_close(file);
    return ok;
}

bool stage_read_files(struct stage *stage, struct error *err)
{
    bool ok = false;
    int64_t rows;
    struct reading reading = {
        .stage = stage,
        .reader = field_reader_new(stage->feed),
        .fixed = {.batch_id = stage->batch->id,
                  .read_number = stage->batch->read_number,
                  .since = stage->batch->since,
                  .until = stage->batch->until,
                  .is_window = stage->is_filtered},
        .last_sign = clock_monotonic(),
    };
    stage->rejects = reject_open(err);
    if (!stage->rejects)
        goto done;
    reading.copy = copy_open(stage->db, stage->feed->stage, NULL, err);
    if (!reading.copy)
        goto done;
    for (size_t i = 0; i < stage->sources.count; i++) {
        reading.fixed.clock = stage->sources.items[i].clock;
        reading.fixed.read_time = stage->sources.items[i].clock;
        if (!read_file(&reading, &stage->sources.items[i], err))
            goto done;
    }
    if (!copy_end(reading.copy, &rows, err))
        goto done;
    if (rows != stage->counts.staged) {
        error_set(err, STATUS_BUG,
                  "%" PRId64 " rows were sent to staging, %" PRId64 " arrived; report it",
                  stage->counts.staged, rows);
        goto done;
    }
    ok = reject_is_within(&stage->budget, stage->counts.rejected, stage->counts.read, true, err) &&
         reject_write(stage->rejects, stage->db, stage->batch, -1, err);
done:
    copy_close(reading.copy);
    field_reader_free(reading.reader);
    return ok;
}

/* Servers -------------------------------------------------------------- */

/* What the feed's source statements are bound to. */
struct server_values {
    char read_number[24], since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE], clock[CLOCK_TEXT_SIZE];
    struct db_value values[9];
};

static void bind(const struct stage *stage, const struct source *source, struct server_values *to)
{
    snprintf(to->read_number, sizeof to->read_number, "%" PRId64, stage->batch->read_number);
    clock_format(source->since, to->since);
    clock_format(source->until, to->until);
    clock_format(source->clock, to->clock);
    const struct db_value values[] = {
        {"batch_id", stage->batch->id_text},
        {"read_number", to->read_number},
        {"read_time", to->clock},
        {"clock", to->clock},
        {"since", to->since},
        {"until", to->until},
        {"is_incremental", stage->batch->is_backfill ? "false" : "true"},
        {"source", source->identity},
        {0},
    };
    memcpy(to->values, values, sizeof values);
}

/* Relays what one of the feed's source statements selects in the snapshot. */
static bool relay(struct stage *stage, struct source *source, const struct sql *from,
                  const struct sql *to, int64_t *rows, struct error *err)
{
    int64_t bytes = 0;
    struct server_values bound;
    bind(stage, source, &bound);
    *rows = 0;
    if (source->since >= source->until)
        return true;
    bool ok =
        copy_relay(source->db, from, bound.values, stage->db, to, bound.values, rows, &bytes, err);
    stage->counts.bytes += bytes;
    return ok;
}

static bool read_server(struct stage *stage, struct source *source, struct error *err)
{
    int64_t rejected;
    if (!relay(stage, source, stage->feed->source, stage->feed->stage, &source->rows, err) ||
        !relay(stage, source, stage->feed->source_rejects, &sql_etl_rejected_row_relay, &rejected,
               err))
        return false;
    stage->counts.read += source->rows + rejected;
    stage->counts.staged += source->rows;
    stage->counts.rejected += rejected;
    return true;
}

bool stage_read_servers(struct stage *stage, struct error *err)
{
    for (size_t i = 0; i < stage->sources.count; i++)
        if (!read_server(stage, &stage->sources.items[i], err))
            return false;
    return reject_is_within(&stage->budget, stage->counts.rejected, stage->counts.read, true, err);
}

bool stage_keep_sample(struct stage *stage, struct error *err)
{
    const struct db_value values[] = {{"batch_id", stage->batch->id_text}, {0}};
    if (stage->rejects)
        return reject_write(stage->rejects, stage->db, stage->batch, REJECT_SAMPLE, err);
    for (size_t i = 0; i < stage->sources.count; i++) {
        int64_t rows;
        if (!relay(stage, &stage->sources.items[i], stage->feed->source_rejects,
                   &sql_etl_rejected_row_relay, &rows, err))
            return false;
    }
    return db_run(stage->db, &sql_etl_reject_trim, values, NULL, err);
}

/* --dry-run ------------------------------------------------------------ */

bool stage_show_plan(struct stage *stage, struct error *err)
{
    for (size_t i = 0; i < stage->sources.count; i++) {
        struct source *source = &stage->sources.items[i];
        struct server_values bound;
        int scans;
        bind(stage, source, &bound);
        bound.values[0].text = "0"; /* there may be no batch yet */
        log_event(LOG_INFO, "window", "source=%s since=%s until=%s", source->identity, bound.since,
                  bound.until);
        if (!source->is_server)
            continue;
        if (!db_begin_snapshot(source->db, err) ||
            !step_show(source->db, stage->feed->source, bound.values, &scans, err))
            return false;
        db_rollback(source->db);
        if (scans > 0)
            log_event(LOG_WARNING, "sequential_scan", "source=%s note=no-index-serves-the-window",
                      source->identity);
    }
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "etl/stage_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/progress.h"
#include "etl/stage_jobs.h"
#include "etl/step.h"
#include "etl_sql.h"
#include "io/copy.h"

/* Servers -------------------------------------------------------------- */

void stage_bind(const struct stage *stage, const struct source *source, struct stage_bound *to)
{
    clock_format(source->since, to->since);
    clock_format(source->until, to->until);
    clock_format(source->clock, to->clock);
    stage_bind_pages(to, 0, STAGE_PAGES_END);
    const struct db_value values[] = {
        {"batch_id", stage->batch->id_text},
        {"clock", to->clock},
        {"since", to->since},
        {"until", to->until},
        {"source", source->identity},
        {"first_page", to->first_page},
        {"end_page", to->end_page},
        {0},
    };
    memcpy(to->values, values, sizeof values);
}

void stage_bind_pages(struct stage_bound *bound, int64_t first, int64_t end)
{
    snprintf(bound->first_page, sizeof bound->first_page, "%" PRId64, first);
    snprintf(bound->end_page, sizeof bound->end_page, "%" PRId64, end);
}

/* Relays what the checks leave out of the rows. */
static bool relay_rejects(struct stage *stage, struct source *source, int64_t *rows,
                          struct error *err)
{
    struct stage_bound bound;
    *rows = 0;
    if (source->since >= source->until)
        return true;
    stage_bind(stage, source, &bound);
    struct copy_stream stream = {.db = source->db, .values = bound.values};
    bool ok = copy_relay(&stream, 1, stage->feed->source_rejects, stage->db,
                         &sql_etl_rejected_row_relay, &stage->counts.bytes, err);
    *rows = stream.rows;
    return ok;
}

bool stage_read_servers(struct stage *stage, struct error *err)
{
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
    progress_set_window(clock_format(stage->batch->since, since),
                        clock_format(stage->batch->until, until));
    if (!stage->feed->source_rejects)
        return stage_read_files(stage, err);
    size_t at_once = stage->options->jobs > 1 ? stage->sources.count : 1;
    for (size_t i = 0; i < stage->sources.count; i += at_once)
        if (!stage_read_at_once(stage, &stage->sources.items[i], at_once, err))
            return false;
    for (size_t i = 0; i < stage->sources.count; i++) {
        int64_t rows = stage->sources.items[i].rows, rejected;
        if (!relay_rejects(stage, &stage->sources.items[i], &rejected, err))
            return false;
        stage->counts.read += rows + rejected;
        stage->counts.staged += rows;
        stage->counts.rejected += rejected;
    }
    return reject_is_within(&stage->budget, stage->counts.rejected, stage->counts.read, true, err);
}

bool stage_keep_sample(struct stage *stage, struct error *err)
{
    const struct db_value values[] = {{"batch_id", stage->batch->id_text}, {0}};
    if (stage->rejects)
        return reject_write(stage->rejects, stage->db, stage->batch, REJECT_SAMPLE, err);
    for (size_t i = 0; i < stage->sources.count; i++) {
        int64_t rows;
        if (!relay_rejects(stage, &stage->sources.items[i], &rows, err))
            return false;
    }
    return db_run(stage->db, &sql_etl_reject_trim, values, NULL, err);
}

/* --dry-run ------------------------------------------------------------ */

bool stage_show_plan(struct stage *stage, struct error *err)
{
    for (size_t i = 0; i < stage->sources.count; i++) {
        struct source *source = &stage->sources.items[i];
        struct stage_bound bound;
        int scans;
        stage_bind(stage, source, &bound);
        bound.values[0].text = "0"; /* there may be no batch yet */
        log_event(LOG_INFO, "window", "source=%s since=%s until=%s", source_name(source),
                  bound.since, bound.until);
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

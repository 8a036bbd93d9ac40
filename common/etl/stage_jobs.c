/* SPDX-License-Identifier: MIT */
#include "etl/stage_jobs.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "etl/field.h"
#include "etl_sql.h"
#include "io/copy.h"

/* The sessions of all sources, and what each of them reads. */
struct crew {
    struct copy_stream *streams;
    struct stage_bound *bounds;
    struct source **sources; /* whose session it is */
    size_t count;
};

/* The columns of staging that no source has. */
static struct copy *new_lead(const struct stage *stage, const struct source *source)
{
    struct copy *lead = copy_new_lead(FIELD_FIXED_COLUMNS);
    copy_int(lead, stage->batch->id);
    copy_int(lead, stage->batch->read_number);
    copy_time(lead, source->clock);
    copy_null(lead); /* no line */
    copy_bool(lead, false);
    return lead;
}

static void add(struct crew *crew, const struct stage *stage, struct source *source, struct db *db,
                int64_t first, int64_t end)
{
    struct stage_bound *bound = &crew->bounds[crew->count];
    stage_bind(stage, source, bound);
    stage_bind_pages(bound, first, end);
    crew->streams[crew->count] =
        (struct copy_stream){.db = db, .values = bound->values, .lead = new_lead(stage, source)};
    crew->sources[crew->count++] = source;
}

static bool count_pages(struct source *source, const char *table, int64_t *pages, struct error *err)
{
    const struct db_value values[] = {{"table", table}, {0}};
    struct db_rows *rows = db_query(source->db, &sql_etl_source_pages, values, err);
    if (!rows)
        return false;
    *pages = db_rows_int(rows, 0, "pages");
    db_rows_free(rows);
    return true;
}

/* A session more in the source's snapshot; NULL after a failure. */
static struct db *open_beside(const struct source *source, struct error *err)
{
    struct db_rows *rows = db_query(source->db, &sql_etl_source_snapshot, NULL, err);
    struct db *db = rows ? db_open_source(source->spec, err) : NULL;
    if (db && !db_begin_in_snapshot(db, db_rows_text(rows, 0, "snapshot"), err)) {
        db_close(db);
        db = NULL;
    }
    db_rows_free(rows);
    return db;
}

/* The session that is there reads the first pages, each other one the next. */
static bool enlist(struct crew *crew, struct stage *stage, struct source *source, struct error *err)
{
    int64_t pages = 0, jobs = 1;
    if (source->since >= source->until)
        return true;
    if (stage->options->jobs > 1 && source->since == CLOCK_BEGINNING && stage->feed->divided) {
        if (!count_pages(source, stage->feed->divided, &pages, err))
            return false;
        jobs = pages < stage->options->jobs ? pages : stage->options->jobs;
        jobs = jobs < 1 ? 1 : jobs;
    }
    for (int64_t i = 0; i < jobs; i++) {
        struct db *db = i == 0 ? source->db : open_beside(source, err);
        if (!db)
            return false;
        bool is_last = i == jobs - 1; /* beyond the pages that were counted, too */
        add(crew, stage, source, db, pages * i / jobs,
            is_last ? STAGE_PAGES_END : pages * (i + 1) / jobs);
    }
    if (stage->options->jobs > 1)
        log_event(LOG_INFO, "jobs", "source=%s sessions=%d pages=%lld", source->identity, (int)jobs,
                  (long long)pages);
    return true;
}

bool stage_read_at_once(struct stage *stage, struct source *sources, size_t count,
                        struct error *err)
{
    size_t most = count * (size_t)stage->options->jobs;
    struct crew crew = {
        .streams = mem_alloc(most * sizeof *crew.streams),
        .bounds = mem_alloc(most * sizeof *crew.bounds),
        .sources = mem_alloc(most * sizeof *crew.sources),
    };
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        sources[i].rows = 0;
        ok = enlist(&crew, stage, &sources[i], err);
    }
    if (ok && crew.count > 0)
        ok = copy_relay(crew.streams, crew.count, stage->feed->source, stage->db,
                        stage->feed->stage, &stage->counts.bytes, err);
    for (size_t i = 0; i < crew.count; i++) {
        crew.sources[i]->rows += crew.streams[i].rows;
        if (crew.streams[i].db != crew.sources[i]->db)
            db_close(crew.streams[i].db);
        copy_close(crew.streams[i].lead);
    }
    free(crew.streams);
    free(crew.bounds);
    free(crew.sources);
    return ok;
}

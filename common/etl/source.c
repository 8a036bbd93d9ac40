/* SPDX-License-Identifier: MIT */
#include "etl/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "etl_sql.h"
#include "io/file.h"

/* A window held back for longer than this is a fault, not a pause. */
#define HELD_TOO_LONG (6 * 3600)

/* Names ---------------------------------------------------------------- */

const char *source_name(const struct source *source)
{
    return source->is_server ? source->identity : file_name(source->identity);
}

static bool add(struct source_list *list, const char *spec, struct error *err)
{
    list->items = mem_resize(list->items, (list->count + 1) * sizeof *list->items);
    struct source *source = &list->items[list->count++];
    *source = (struct source){.spec = spec, .is_server = !spec || db_is_source_spec(spec)};
    struct str identity;
    str_init(&identity);
    bool ok = true;
    if (source->is_server)
        ok = db_source_identity(spec, &identity, err);
    else
        str_add_text(&identity, spec);
    source->identity = mem_strdup(identity.text);
    str_release(&identity);
    if (ok && list->count > 1 && source->is_server != list->are_servers)
        ok = error_set(err, STATUS_USAGE,
                       "--source names both files and databases; load them in two batches");
    list->are_servers = list->has_marks = source->is_server;
    for (size_t i = 0; ok && i + 1 < list->count; i++)
        if (strcmp(list->items[i].identity, source->identity) == 0)
            ok = error_set(err, STATUS_USAGE, "source \"%s\" is given twice; name each once",
                           source_name(source));
    return ok;
}

bool source_list_init(struct source_list *list, const struct task_list *specs, struct error *err)
{
    *list = (struct source_list){0};
    if (specs->count == 0)
        return add(list, NULL, err);
    for (size_t i = 0; i < specs->count; i++)
        if (!add(list, specs->items[i], err))
            return false;
    return true;
}

void source_list_release(struct source_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].identity);
        free(list->items[i].table_header);
        db_close(list->items[i].db);
    }
    free(list->items);
    *list = (struct source_list){0};
}

bool source_list_open(struct source_list *list, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct source *source = &list->items[i];
        if (!source->is_server || source->db)
            continue;
        source->db = db_open_source(source->spec, err);
        if (!source->db)
            return false;
    }
    return true;
}

/* The safe end --------------------------------------------------------- */

/* The end of what this shard has settled: *bound is never after its clock. */
static bool find_bound(struct source *source, struct db *db, const struct window_options *options,
                       struct window *window, int64_t *bound, struct error *err)
{
    if (!source->is_server) { /* an extract: by the warehouse's clock, and nobody can be asked */
        if (!batch_clock(db, &source->clock, err))
            return false;
        *bound = source->clock - (options->settle > 0 ? options->settle : 0);
        return true;
    }
    struct db_rows *rows = db_query(source->db, &sql_etl_source_clock, NULL, err);
    if (!rows)
        return false;
    source->clock = db_rows_time(rows, 0, "clock");
    bool is_standby = db_rows_bool(rows, 0, "is_standby");
    bool has_replayed = db_rows_text(rows, 0, "replayed") != NULL;
    int64_t replayed = db_rows_time(rows, 0, "replayed");
    bool may_see = db_rows_bool(rows, 0, "may_see_writers");
    db_rows_free(rows);

    *bound = source->clock;
    if (options->settle >= 0) {
        *bound -= options->settle;
        return true;
    }
    if (is_standby) {
        if (!has_replayed)
            return error_set(err, STATUS_TEMPORARY,
                             "standby \"%s\" has replayed nothing yet; try again later",
                             source->identity);
        *bound = replayed - options->overlap;
        return true;
    }
    if (!may_see)
        return error_set(err, STATUS_PERMISSION,
                         "the role may not see open transactions of source \"%s\"; GRANT "
                         "pg_read_all_stats to it there, or pass --settle",
                         source->identity);

    rows = db_query(source->db, &sql_etl_source_writers, NULL, err);
    if (!rows)
        return false;
    if (db_rows_count(rows) > 0 && db_rows_time(rows, 0, "until") < *bound) {
        *bound = db_rows_time(rows, 0, "until");
        if (db_rows_int(rows, 0, "age_seconds") >= window->holder_age) {
            window->holder_age = db_rows_int(rows, 0, "age_seconds");
            window->holder_pid = db_rows_int(rows, 0, "pid");
        }
    }
    db_rows_free(rows);
    return true;
}

/* Told only where it is more than the overlap absorbs, as clocks always drift apart a little. */
static void warn_of_clock(const struct source *source, int64_t end, int64_t reach, int64_t overlap,
                          bool is_measured)
{
    char last[CLOCK_TEXT_SIZE], since[CLOCK_TEXT_SIZE];
    if (end - reach > overlap + CLOCK_SECOND)
        log_event(LOG_WARNING, "clock_went_back",
                  "source=%s last_end=%s behind_seconds=%" PRId64 " window_begins=%s%s",
                  source->identity, clock_format(end, last), (end - reach) / CLOCK_SECOND,
                  clock_format(reach - overlap, since),
                  is_measured ? ""
                              : " remedy=\"the warehouse's clock went back; load what was stamped "
                                "before window_begins by --since and --until\"");
}

/* The mark of a source, whose clock is read already. False in *is_known where it has none. */
static bool find_mark(const struct source *source, struct db *db, const char *workflow,
                      int64_t overlap, int64_t *mark, bool *is_known, struct error *err)
{
    const struct db_value values[] = {{"workflow", workflow}, {"source", source->identity}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_watermark, values, err);
    if (!rows)
        return false;
    *is_known = db_rows_count(rows) > 0;
    *mark = CLOCK_BEGINNING;
    if (*is_known) {
        int64_t end = db_rows_time(rows, 0, "until");
        int64_t passed = db_rows_time(rows, 0, "clock") - db_rows_time(rows, 0, "opened_at");
        bool is_measured = passed >= 0;
        int64_t reach = source->clock - (is_measured ? passed : CLOCK_SECOND);
        *mark = end - reach > CLOCK_SECOND ? reach : end;
        warn_of_clock(source, end, reach, overlap, is_measured);
    }
    db_rows_free(rows);
    return true;
}

/* The window of one source: from its mark, less the overlap, to the bound. */
static bool choose_one(struct source *source, struct db *db, const char *workflow,
                       const struct window_options *options, int64_t bound, struct window *window,
                       struct error *err)
{
    int64_t mark;
    bool is_known;
    if (!find_mark(source, db, workflow, options->overlap, &mark, &is_known, err))
        return false;
    int64_t base = is_known ? mark : options->start;
    source->until = bound;
    if (options->max_window > 0 && base != CLOCK_BEGINNING && base + options->max_window < bound)
        source->until = base + options->max_window;
    source->since = is_known ? mark - options->overlap : options->start;
    if (!is_known)
        log_event(LOG_INFO, "new_source", "source=%s begins_at=%s", source->identity,
                  base == CLOCK_BEGINNING ? "the-beginning" : "start");
    if (source->since >= source->until)
        source->since = source->until; /* nothing to read here this time */
    else if (!is_known || source->until > mark)
        window->has_progress = true;
    return true;
}

static void add_window(struct window *window, const struct source *source, size_t index)
{
    if (index == 0 || source->since < window->since)
        window->since = source->since;
    if (index == 0 || source->until < window->until)
        window->until = source->until;
    if (source->clock - source->until > window->behind)
        window->behind = source->clock - source->until;
}

static bool choose_from_marks(struct source_list *list, struct db *db, const char *workflow,
                              const struct window_options *options, struct window *window,
                              struct error *err)
{
    int64_t bound = 0;
    for (size_t i = 0; i < list->count; i++) {
        int64_t own;
        if (!find_bound(&list->items[i], db, options, window, &own, err))
            return false;
        if (i == 0 || own < bound)
            bound = own;
    }
    if (window->holder_age > HELD_TOO_LONG)
        return error_set(err, STATUS_TEMPORARY,
                         "an open transaction at the source (pid %" PRId64
                         ") holds the window back "
                         "for %" PRId64 " s; end it there",
                         window->holder_pid, window->holder_age);
    for (size_t i = 0; i < list->count; i++) {
        if (!choose_one(&list->items[i], db, workflow, options, bound, window, err))
            return false;
        add_window(window, &list->items[i], i);
    }
    return true;
}

bool source_list_choose(struct source_list *list, struct db *db, const char *workflow,
                        const struct window_options *options, struct window *window,
                        struct error *err)
{
    *window = (struct window){0};
    if (!options->has_window && list->has_marks)
        return choose_from_marks(list, db, workflow, options, window, err);

    /* An explicit window is taken as it is; a file's ends now, by the warehouse's clock. */
    int64_t clock;
    if (!batch_clock(db, &clock, err))
        return false;
    window->has_progress = true;
    for (size_t i = 0; i < list->count; i++) {
        struct source *source = &list->items[i];
        source->clock = clock;
        source->since = options->has_window ? options->since : CLOCK_BEGINNING;
        source->until = options->has_window ? options->until : clock;
        add_window(window, source, i);
    }
    window->behind = 0;
    return true;
}

/* The ledger ----------------------------------------------------------- */

bool source_list_record(const struct source_list *list, struct db *db, const struct batch *batch,
                        struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct source *source = &list->items[i];
        char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
        const struct db_value values[] = {
            {"batch_id", batch->id_text},
            {"source", source->identity},
            {"has_watermark", list->has_marks && !batch->is_backfill ? "true" : "false"},
            {"since", clock_format(source->since, since)},
            {"until", clock_format(source->until, until)},
            {0},
        };
        if (!db_run(db, &sql_etl_batch_source_open, values, NULL, err))
            return false;
    }
    return true;
}

bool source_list_restore(struct source_list *list, struct db *db, const struct batch *batch,
                         struct error *err)
{
    const struct db_value values[] = {{"batch_id", batch->id_text}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_batch_sources, values, err);
    if (!rows)
        return false;
    bool ok = true;
    for (size_t i = 0; i < list->count && ok; i++) {
        struct source *source = &list->items[i];
        size_t row = 0;
        while (row < db_rows_count(rows) &&
               strcmp(db_rows_text(rows, row, "source"), source->identity) != 0)
            row++;
        if (row == db_rows_count(rows)) {
            ok = error_set(err, STATUS_USAGE,
                           "source \"%s\" is none of batch \"%s\"; name the sources that it was "
                           "opened with",
                           source->identity, batch->id_text);
        } else {
            source->since = db_rows_time(rows, row, "since");
            source->until = db_rows_time(rows, row, "until");
        }
    }
    db_rows_free(rows);
    return ok;
}

/* The snapshot is taken by the first statement in it, so the clock is read after it: a later
 * snapshot has a later time, unless the source's clock was set back, which the ledger knows. */
static bool snapshot(struct source *source, struct db *db, const struct batch *batch,
                     struct error *err)
{
    const struct db_value names[] = {
        {"workflow", batch->workflow}, {"source", source->identity}, {0}};
    if (source->is_server) {
        if (!db_begin_snapshot(source->db, err))
            return false;
        struct db_rows *rows = db_query(source->db, &sql_etl_source_clock, NULL, err);
        if (!rows)
            return false;
        source->clock = db_rows_time(rows, 0, "clock");
        db_rows_free(rows);
    }
    struct db_rows *latest = db_query(db, &sql_etl_source_clock_before, names, err);
    if (!latest)
        return false;
    if (db_rows_time(latest, 0, "clock") > source->clock)
        source->clock = db_rows_time(latest, 0, "clock");
    db_rows_free(latest);
    char clock[CLOCK_TEXT_SIZE];
    const struct db_value values[] = {{"batch_id", batch->id_text},
                                      {"source", source->identity},
                                      {"clock", clock_format(source->clock, clock)},
                                      {0}};
    return db_run(db, &sql_etl_batch_source_read, values, NULL, err);
}

bool source_list_snapshot(struct source_list *list, struct db *db, const struct batch *batch,
                          struct error *err)
{
    int64_t clock;
    if (!batch_clock(db, &clock, err))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        if (!list->items[i].is_server)
            list->items[i].clock = clock;
        if (!snapshot(&list->items[i], db, batch, err))
            return false;
    }
    return true;
}

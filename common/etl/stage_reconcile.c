/* SPDX-License-Identifier: MIT */
#include "etl/stage_reconcile.h"

#include <inttypes.h>
#include <stdio.h>

#include "etl/step.h"
#include "etl_sql.h"

bool stage_check_keys(const struct stage *stage, struct error *err)
{
    const struct stage_options *options = stage->options;
    if (!stage->feed->reconcile)
        return error_set(err, STATUS_USAGE,
                         "feed \"%s\" cannot be reconciled with a list of keys; leave out "
                         "--reconcile",
                         stage->feed->name);
    if (options->window.has_window || options->replay_rejects || options->crawler_agents ||
        options->max_rejects)
        return error_set(err, STATUS_USAGE,
                         "--reconcile reads a complete list of keys; leave out --since, --until, "
                         "--replay-rejects, --crawler-agents and --max-rejects");
    return true;
}

/* What the statements are bound to. */
struct bound {
    char read_number[24], listed_at[CLOCK_TEXT_SIZE];
    struct db_value values[5];
};

static void bind_list(const struct stage *stage, int64_t listed_at, struct bound *to)
{
    snprintf(to->read_number, sizeof to->read_number, "%" PRId64, stage->batch->read_number);
    clock_format(listed_at, to->listed_at);
    const struct db_value values[] = {
        {"workflow", stage->feed->name},
        {"batch_id", stage->batch->id_text},
        {"read_number", to->read_number},
        {"listed_at", to->listed_at},
        {0},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        to->values[i] = values[i];
}

/* The time up to which the list speaks. */
static int64_t listed_at(const struct stage *stage)
{
    if (!stage->sources.are_servers)
        return stage->batch->until - stage->options->window.overlap;
    int64_t earliest = stage->sources.items[0].clock;
    for (size_t i = 1; i < stage->sources.count; i++)
        if (stage->sources.items[i].clock < earliest)
            earliest = stage->sources.items[i].clock;
    return earliest;
}

bool stage_begin_keys(struct stage *stage, struct error *err)
{
    struct bound bound;
    bind_list(stage, listed_at(stage), &bound);
    struct db_rows *rows = db_query(stage->db, &sql_etl_untransformed_read, bound.values, err);
    if (!rows)
        return false;
    bool ok = db_rows_count(rows) == 0 ||
              error_set(err, STATUS_TEMPORARY,
                        "batch \"%s\" of this feed was read earlier and is not transformed; "
                        "transform it first, or load its run key with --force",
                        db_rows_text(rows, 0, "id"));
    db_rows_free(rows);
    return ok;
}

static bool check_list(const struct stage *stage, struct error *err)
{
    const struct stage_counts *counts = &stage->counts;
    if (counts->rejected > 0)
        return error_set(err, STATUS_DATA,
                         "%" PRId64 " of %" PRId64 " keys were rejected, and what they name would "
                         "be deleted; look at etl.rejected_row and mend the list",
                         counts->rejected, counts->read);
    return counts->read > 0 || stage->options->expect_rows == 0 ||
           error_set(err, STATUS_DATA,
                     "the list of keys is empty; pass --expect-rows 0 where nothing is left");
}

bool stage_reconcile(struct stage *stage, struct error *err)
{
    struct bound bound;
    struct result deleted;
    struct stage_counts *counts = &stage->counts;
    if (stage->sources.are_servers && counts->read > 0)
        return true;
    if (stage->sources.are_servers ? !stage_begin_keys(stage, err) : !check_list(stage, err))
        return false;
    bind_list(stage, listed_at(stage), &bound);
    const struct db_value own[] = {
        {"feed", stage->feed->name}, {"batch_id", stage->batch->id_text}, {0}};
    result_init(&deleted);
    bool ok = db_run(stage->db, &sql_etl_analyze_staging, own, NULL, err) &&
              db_run(stage->db, stage->feed->reconcile, bound.values, &deleted, err);
    counts->skipped += counts->read;
    counts->read = counts->staged = result_get_int(&deleted, "rows_staged");
    result_release(&deleted);
    return ok;
}

bool stage_show_reconcile(struct stage *stage, struct error *err)
{
    int scans;
    struct bound bound;
    bind_list(stage, listed_at(stage), &bound);
    bound.values[1].text = "0"; /* there may be no batch yet */
    return step_show(stage->db, stage->feed->reconcile, bound.values, &scans, err);
}

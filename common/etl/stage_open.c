/* SPDX-License-Identifier: MIT */
#include "etl/stage_open.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "etl/schema.h"
#include "etl_sql.h"

/* The work ------------------------------------------------------------- */

char *stage_fingerprint(const struct stage *stage)
{
    const struct window_options *window = &stage->options->window;
    char hex[65], time[CLOCK_TEXT_SIZE];
    if (stage->options->open_window)
        return mem_strdup(stage->options->reconcile ? STAGE_KEYS : STAGE_EXTRACT);
    struct str text;
    str_init(&text);
    str_add_format(&text, "%s\n%s\n", stage->feed->name,
                   stage->options->format ? stage->options->format : "");
    if (window->has_window) {
        str_add_format(&text, "%s\n", clock_format(window->since, time));
        str_add_format(&text, "%s\n", clock_format(window->until, time));
    }
    for (size_t i = 0; i < stage->sources.count; i++)
        str_add_format(&text, "%s\n", stage->sources.items[i].identity);
    file_sha256(text.text, text.length, hex);
    str_clear(&text);
    str_add_format(&text, "%s%s", stage->options->reconcile ? STAGE_KEYS " " : "", hex);
    return text.text;
}

bool stage_is_extract(const struct batch *batch)
{
    return strcmp(batch->fingerprint, STAGE_EXTRACT) == 0 ||
           strcmp(batch->fingerprint, STAGE_KEYS) == 0;
}

static bool is_of_keys(const char *fingerprint)
{
    return strncmp(fingerprint, STAGE_KEYS, strlen(STAGE_KEYS)) == 0;
}

/* Files alone: the window of an extract's batch is chosen already. */
static bool is_extracted(const struct stage *stage)
{
    const struct stage_options *options = stage->options;
    return !stage->sources.are_servers && !options->replay_rejects && !options->window.has_window;
}

bool stage_check_fingerprint(const struct stage *stage, const char *fingerprint, struct error *err)
{
    const struct batch *batch = stage->batch;
    if (is_of_keys(batch->fingerprint) != is_of_keys(fingerprint))
        return error_set(err, STATUS_USAGE,
                         "batch \"%s\" was opened for %s; pass --run-key, or %s --reconcile",
                         batch->id_text, is_of_keys(fingerprint) ? "records" : "a list of keys",
                         is_of_keys(fingerprint) ? "leave out" : "add");
    if (strcmp(batch->fingerprint, fingerprint) == 0)
        return true;
    if (stage_is_extract(batch))
        return is_extracted(stage) ||
               error_set(err, STATUS_USAGE,
                         "batch \"%s\" was opened for an extract; give its file by --source, "
                         "without --since and --until, or pass --run-key",
                         batch->id_text);
    return error_set(
        err, STATUS_USAGE,
        "batch \"%s\" of this run key was opened with other sources, format or window; "
        "pass --run-key",
        batch->id_text);
}

/* The window ----------------------------------------------------------- */

void stage_name_source(struct source_list *list, const char *identity)
{
    list->items = mem_alloc(sizeof *list->items);
    list->items[0].identity = mem_strdup(identity);
    list->count = 1;
}

bool stage_restore(struct stage *stage, struct error *err)
{
    if (!stage_is_extract(stage->batch))
        return source_list_restore(&stage->sources, stage->db, stage->batch, err);
    for (size_t i = 0; i < stage->sources.count; i++) {
        stage->sources.items[i].since = stage->batch->since;
        stage->sources.items[i].until = stage->batch->until;
    }
    return true;
}

bool stage_record_files(struct stage *stage, struct error *err)
{
    const struct db_value values[] = {
        {"batch_id", stage->batch->id_text}, {"source", STAGE_EXTRACT}, {0}};
    return !stage_is_extract(stage->batch) ||
           (db_run(stage->db, &sql_etl_batch_source_forget, values, NULL, err) &&
            source_list_record(&stage->sources, stage->db, stage->batch, err));
}

int64_t stage_behind(const struct stage *stage, int64_t clock)
{
    const struct batch *batch = stage->batch;
    bool has_mark = stage->sources.has_marks || stage_is_extract(batch);
    return has_mark && !batch->is_backfill && clock > batch->until ? clock - batch->until : 0;
}

/* A list in a file was taken before the file was written, however late it is loaded; another
 * program takes one once its batch is open. */
static void end_list(struct stage *stage, struct window *window)
{
    int64_t settle = stage->options->window.settle;
    for (size_t i = 0; i < stage->sources.count; i++) {
        struct source *source = &stage->sources.items[i];
        int64_t end =
            source->spec ? file_modified(source->spec) : source->until - (settle > 0 ? settle : 0);
        if (end < source->until)
            source->until = end;
        if (source->until < window->until)
            window->until = source->until;
    }
}

static bool record_open(struct stage *stage, bool *is_new, struct error *err)
{
    bool ok = db_begin(stage->db, err) &&
              schema_check(stage->db, pipeline_of_workflow(stage->feed->name), err) &&
              batch_open(stage->db, stage->batch, is_new, err) &&
              (!*is_new || source_list_record(&stage->sources, stage->db, stage->batch, err)) &&
              db_commit(stage->db, err);
    if (!ok)
        db_rollback(stage->db);
    return ok;
}

bool stage_open(struct stage *stage, const char *run_key, int64_t generation,
                const char *fingerprint, struct window *window, bool *is_opened, struct error *err)
{
    struct batch *batch = stage->batch;
    const struct window_options *options = &stage->options->window;
    bool is_new;
    *is_opened = false;
    if (!source_list_open(&stage->sources, err) ||
        !source_list_choose(&stage->sources, stage->db, stage->feed->name, options, window, err))
        return false;
    if (stage->options->reconcile)
        end_list(stage, window);
    batch_release(batch);
    if (!window->has_progress) {
        log_event(LOG_INFO, "held_back", "pid=%" PRId64 " age_seconds=%" PRId64, window->holder_pid,
                  window->holder_age);
        return true;
    }
    batch->workflow = mem_strdup(stage->feed->name);
    batch->run_key = mem_strdup(run_key);
    batch->fingerprint = mem_strdup(fingerprint);
    batch->generation = generation;
    batch->is_backfill =
        options->has_window || stage->options->replay_rejects || stage->options->reconcile;
    batch->since = window->since;
    batch->until = window->until;
    batch->own_times = !stage->sources.are_servers;
    *is_opened = true;
    return record_open(stage, &is_new, err) && stage_check_fingerprint(stage, fingerprint, err);
}

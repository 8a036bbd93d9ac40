/* SPDX-License-Identifier: MIT
 *
 * Open a batch and fill staging with its window of changed records, in one
 * transaction. A second run of the same run key answers what the first one
 * did, or stages the same window again where staging was lost.
 */
#include "base/clock.h"
#include "base/task.h"
#include "etl/reject_export.h"
#include "etl/stage.h"
#include "io/db.h"

#define NOT_GIVEN INT64_MAX

static const char *feed_name, *export_path;
static struct stage_options options = {
    .window = {.since = NOT_GIVEN,
               .until = NOT_GIVEN,
               .overlap = 15 * 60 * CLOCK_SECOND,
               .start = CLOCK_BEGINNING,
               .settle = -1},
    .expect_rows = -1,
    .jobs = 1,
};

/* An export reads nothing. */
static bool check_export(struct error *err)
{
    if (options.sources.count > 0 || options.window.has_window || options.open_window ||
        options.replay_rejects || options.reconcile)
        return error_set(err, STATUS_USAGE,
                         "--export-rejects only writes rejects; leave out --source, --since, "
                         "--until, --open-window, --replay-rejects and --reconcile");
    return stage_check_format(options.format, err);
}

static bool run(struct result *result, struct error *err)
{
    struct window_options *window = &options.window;
    const struct feed *feed = pipeline_find_feed(feed_name);
    if (!feed)
        return error_set(err, STATUS_USAGE, "unrecognized feed \"%s\"; see --help", feed_name);
    window->has_window = window->since != NOT_GIVEN || window->until != NOT_GIVEN;
    if (window->has_window && (window->since == NOT_GIVEN || window->until == NOT_GIVEN))
        return error_set(err, STATUS_USAGE, "--since and --until belong together; give both");

    if (!(export_path ? check_export(err) : stage_check(feed, &options, err)))
        return false;
    struct db *db = db_open(err);
    bool ok = db && (export_path ? reject_export(db, feed, export_path, options.format, result, err)
                                 : stage_run(db, feed, &options, result, err));
    db_close(db);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.arg = "FEED", .help = "kind of record to load", .to = &feed_name},
        {.name = "source",
         .arg = "SPEC",
         .help = "connection string without password, file, or -",
         .list = &options.sources,
         .may_be_stdin = true},
        {.name = "format",
         .arg = "FORMAT",
         .help = "of files: ndjson, csv or tsv (default: by suffix, else ndjson)",
         .to = &options.format},
        {.name = "since",
         .arg = "TIME",
         .help = "start of an explicit window, itself not in it",
         .time = &options.window.since},
        {.name = "until",
         .arg = "TIME",
         .help = "end of an explicit window, itself in it",
         .time = &options.window.until},
        {.name = "overlap",
         .arg = "DURATION",
         .help = "begin that long before the last end (default 15min)",
         .duration = &options.window.overlap},
        {.name = "max-window",
         .arg = "DURATION",
         .help = "read at most that much at once",
         .duration = &options.window.max_window},
        {.name = "start",
         .arg = "TIME",
         .help = "no history before, for a source not seen yet",
         .time = &options.window.start},
        {.name = "settle",
         .arg = "DURATION",
         .help = "end that long before the source's clock; no safe end",
         .duration = &options.window.settle},
        {.name = "open-window",
         .help = "only open the batch; the extract follows by --batch-id",
         .flag = &options.open_window},
        {.name = "expect-rows",
         .arg = "N",
         .help = "refuse any other number of records",
         .number = &options.expect_rows},
        {.name = "max-rejects",
         .arg = "N|P%",
         .help = "refuse more rejects (default: the greater of 10 and 1%)",
         .to = &options.max_rejects},
        {.name = "export-rejects",
         .arg = "FILE",
         .help = "only write the feed's open rejects to a file, for repair",
         .to = &export_path},
        {.name = "replay-rejects",
         .help = "read the feed's open rejects once more",
         .flag = &options.replay_rejects},
        {.name = "reconcile",
         .help = "read the complete list of keys; what is absent is deleted",
         .flag = &options.reconcile},
        {.name = "crawler-agents",
         .arg = "LIST",
         .help = "skip records whose agent begins with one of these (a,b)",
         .to = &options.crawler_agents},
        {.name = "jobs",
         .arg = "N",
         .help = "read servers at once, a first window by N sessions each (files: one)",
         .number = &options.jobs},
        {.name = "max-record",
         .arg = "SIZE",
         .help = "reject longer records (default 16MiB)",
         .to = &options.max_record},
        {0},
    };
    static const struct task task = {
        .name = "load-staging",
        .summary = "Read a window of changed records from a source into staging.",
        .options = option_table,
        .is_step = true,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

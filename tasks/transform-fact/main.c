/* SPDX-License-Identifier: MIT
 *
 * Move one batch from staging to its fact, in one transaction. Only what
 * changed is written, so a second run changes nothing.
 */
#include <stdlib.h>

#include "base/task.h"
#include "etl/handover.h"
#include "etl/transform.h"
#include "io/db.h"

static const char *feed_name;
static struct transform_options options;

static bool run(struct result *result, struct error *err)
{
    const struct feed *feed = pipeline_find_feed(feed_name);
    if (!feed || feed->kind != FEED_FACT)
        return error_set(err, STATUS_USAGE, "unrecognized fact feed \"%s\"; see --help", feed_name);

    char *batch_id;
    if (!handover_find(feed->name, &batch_id, err))
        return false;
    struct db *db = db_open(err);
    bool ok = db && transform_run_with(db, feed, batch_id, &options, result, err);
    db_close(db);
    free(batch_id);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.arg = "FEED", .help = "feed to transform", .to = &feed_name},
        {.name = "activity-types",
         .arg = "LIST",
         .help = "student_module: kinds of blocks whose use is activity (a,b)",
         .to = &options.activity_types},
        {0},
    };
    static const struct task task = {
        .name = "transform-fact",
        .summary = "Move one batch from staging to its fact.",
        .options = option_table,
        .is_step = true,
        .takes_batch = true,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

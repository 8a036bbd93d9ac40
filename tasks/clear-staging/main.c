/* SPDX-License-Identifier: MIT
 *
 * Drop staging of finished or old batches, consumed change log rows and old
 * rejects, in one transaction. A second run finds nothing.
 */
#include "base/clock.h"
#include "base/task.h"
#include "etl/clear.h"
#include "etl/pipeline.h"
#include "io/db.h"

static struct {
    const char *workflow;
    int64_t keep_staging, keep_rejects;
} options = {.keep_staging = 7 * CLOCK_DAY, .keep_rejects = 30 * CLOCK_DAY};

static bool run(struct result *result, struct error *err)
{
    if (!pipeline_check_workflow(options.workflow, err))
        return false;
    struct db *db = db_open(err);
    bool ok = db && clear_run(db, options.workflow, options.keep_staging, options.keep_rejects,
                              result, err);
    db_close(db);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.arg = "WORKFLOW",
         .help = "only this one",
         .to = &options.workflow,
         .is_id = true,
         .is_optional = true},
        {.name = "keep-staging",
         .arg = "DURATION",
         .help = "of batches that did not complete (default 7d)",
         .duration = &options.keep_staging},
        {.name = "keep-rejects",
         .arg = "DURATION",
         .help = "how long rejects are kept (default 30d)",
         .duration = &options.keep_rejects},
        {0},
    };
    static const struct task task = {
        .name = "clear-staging",
        .summary = "Drop staging, change log rows and rejects that nobody needs any more.",
        .options = option_table,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

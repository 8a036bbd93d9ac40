/* SPDX-License-Identifier: MIT
 *
 * Show how the workflows stand, and fail where one is too old. Reads only.
 */
#include "base/task.h"
#include "etl/pipeline.h"
#include "etl/status.h"
#include "io/db.h"

static struct {
    const char *workflow;
    bool is_json;
    int64_t max_lag;
} options = {.max_lag = -1};

static bool run(struct result *result, struct error *err)
{
    if (!pipeline_check_workflow(options.workflow, err))
        return false;
    struct db *db = db_open(err);
    bool ok = db && status_run(db, options.workflow, options.is_json, options.max_lag, result, err);
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
        {.name = "json", .help = "print a JSON document", .flag = &options.is_json},
        {.name = "max-lag",
         .arg = "DURATION",
         .help = "exit 79 where a workflow is older, or never completed",
         .duration = &options.max_lag},
        {0},
    };
    static const struct task task = {
        .name = "batch-status",
        .summary = "Show batches: lag, gaps, rejects, what is unconsumed.",
        .options = option_table,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

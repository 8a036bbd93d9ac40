/* SPDX-License-Identifier: MIT
 *
 * Bring the Application Status table up to date with the fact batches that
 * were not consumed yet, for the workers that they touched only. Consumption and
 * rows are one transaction, so a second run finds nothing to do.
 */
#include "base/clock.h"
#include "base/task.h"
#include "etl/derive.h"
#include "io/db.h"

#define NOT_GIVEN INT64_MAX

static const char *side;
static struct derive_options options = {.from = CLOCK_BEGINNING, .to = NOT_GIVEN};

static bool run(struct result *result, struct error *err)
{
    const struct derivation *derivation = pipeline_find_derivation(task_name(), side);
    if (!derivation)
        return error_set(err, STATUS_USAGE, "unrecognized facts \"%s\"; see --help", side);
    options.is_range = options.from != CLOCK_BEGINNING || options.to != NOT_GIVEN;
    if (options.is_range && options.from >= options.to)
        return error_set(err, STATUS_USAGE,
                         "--from-date must be earlier than --to-date; swap them");

    struct db *db = db_open(err);
    bool ok = db && derive_run(db, derivation, &options, result, err);
    db_close(db);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.arg = "form|synclog", .help = "facts to derive from", .to = &side},
        {.name = "from-date",
         .arg = "TIME",
         .help = "batches whose window ends later, consumed or not",
         .time = &options.from},
        {.name = "to-date",
         .arg = "TIME",
         .help = "batches whose window ends by then, consumed or not",
         .time = &options.to},
        {0},
    };
    static const struct task task = {
        .name = "app-status-from-fact",
        .summary = "Derive the Application Status table from facts not consumed yet.",
        .options = option_table,
        .is_step = true,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

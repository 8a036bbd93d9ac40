/* SPDX-License-Identifier: MIT
 *
 * Bring enrollment data and daily metrics up to date with the fact batches
 * that were not consumed yet, for the enrollments that they touched only.
 * Consumption and rows are one transaction, so a second run finds nothing to do.
 */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/task.h"
#include "etl/derive.h"
#include "etl/opaque_key.h"
#include "io/db.h"

#define NOT_GIVEN INT64_MAX

static const char *context;
static struct derive_options options = {
    .from = CLOCK_BEGINNING, .to = NOT_GIVEN, .as_of = NOT_GIVEN};

static bool check(struct str *unit, struct error *err)
{
    unsigned notes = 0;
    options.is_range = options.from != CLOCK_BEGINNING || options.to != NOT_GIVEN;
    options.has_as_of = options.as_of != NOT_GIVEN;
    if (options.is_range && options.from >= options.to)
        return error_set(err, STATUS_USAGE,
                         "--from-date must be earlier than --to-date; swap them");
    if (!context)
        return true;
    if (options.is_range)
        return error_set(err, STATUS_USAGE,
                         "--context recomputes a course whole; leave out --from-date and "
                         "--to-date");
    if (opaque_context_key.read(context, strlen(context), "", 0, unit, &notes))
        return error_set(err, STATUS_USAGE,
                         "--context wants the key of a course; for example "
                         "course-v1:ORG+COURSE+RUN");
    options.unit = unit->text;
    return true;
}

static bool run(struct result *result, struct error *err)
{
    struct str unit;
    struct db *db = NULL;
    str_init(&unit);
    bool ok = check(&unit, err) && (db = db_open(err)) != NULL &&
              derive_run(db, pipeline_find_derivation(task_name(), NULL), &options, result, err);
    db_close(db);
    str_release(&unit);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.name = "context",
         .arg = "KEY",
         .help = "recompute this course alone, and consume nothing",
         .to = &context},
        {.name = "as-of",
         .arg = "DATE",
         .help = "the day that is computed (default: today)",
         .time = &options.as_of},
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
        .name = "enrollment-data-from-fact",
        .summary = "Derive enrollment data and daily metrics from facts not consumed yet.",
        .options = option_table,
        .is_step = true,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

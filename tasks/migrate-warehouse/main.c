/* SPDX-License-Identifier: MIT
 *
 * Create or upgrade the warehouse's schema. What is applied is recorded in the
 * same transaction, so a second run finds nothing to do.
 */
#include "base/task.h"
#include "etl/migrate.h"
#include "io/db.h"

static const char *phase;

static bool run(struct result *result, struct error *err)
{
    struct db *db = db_open(err);
    bool ok = db && migrate_run(db, phase, result, err);
    db_close(db);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.name = "phase",
         .arg = "PHASE",
         .help = "\"slow\": also what rewrites or indexes large tables",
         .to = &phase},
        {0},
    };
    static const struct task task = {
        .name = "migrate-warehouse",
        .summary = "Create or upgrade the warehouse's schema.",
        .options = option_table,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

/* SPDX-License-Identifier: MIT
 *
 * Compare the enrollment data with its definition, recomputed from
 * all facts; --repair writes what differs. Changes nothing otherwise.
 * With --against compare it with what Figures has, and tell why they differ.
 */
#include "base/task.h"
#include "etl/verify.h"
#include "io/db.h"

static bool is_repair;
static const char *against, *differences;

static bool run(struct result *result, struct error *err)
{
    if (against ? is_repair : differences != NULL)
        return error_set(err, STATUS_USAGE,
                         "--against goes without --repair, --differences with --against alone; "
                         "see --help");
    const struct verification *verification = pipeline_find_verification(task_name());
    struct db *db = db_open(err);
    bool ok = db && (against ? verify_against(db, verification, against, differences, result, err)
                             : verify_run(db, verification, is_repair, result, err));
    db_close(db);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.name = "repair", .help = "write what differs", .flag = &is_repair},
        {.name = "against",
         .arg = "FILE",
         .help = "compare with an export of figures_enrollmentdata (.csv, .tsv, .ndjson) instead",
         .to = &against},
        {.name = "differences",
         .arg = "FILE",
         .help = "with --against: write the keys that differ, and why, as CSV",
         .to = &differences},
        {0},
    };
    static const struct task task = {
        .name = "verify-enrollment-data",
        .summary = "Compare enrollment data with a full recompute, or with that of Figures.",
        .options = option_table,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

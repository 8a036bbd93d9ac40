/* SPDX-License-Identifier: MIT
 *
 * Compare the enrollment data with its definition, recomputed from
 * all facts; --repair writes what differs. Changes nothing otherwise.
 */
#include "base/task.h"
#include "etl/verify.h"
#include "io/db.h"

static bool is_repair;

static bool run(struct result *result, struct error *err)
{
    struct db *db = db_open(err);
    bool ok = db && verify_run(db, pipeline_find_verification(task_name()), is_repair, result, err);
    db_close(db);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct task_option option_table[] = {
        {.name = "repair", .help = "write what differs", .flag = &is_repair},
        {0},
    };
    static const struct task task = {
        .name = "verify-enrollment-data",
        .summary = "Compare enrollment data with a full recompute.",
        .options = option_table,
        .run = run,
    };
    return task_main(&task, argc, argv);
}

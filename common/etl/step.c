/* SPDX-License-Identifier: MIT */
#include "etl/step.h"

#include <stdio.h>

#include "base/log.h"
#include "etl_sql.h"

bool step_run_all(struct db *db, const struct pipeline_step *steps, const struct db_value *values,
                  struct result *counts, struct error *err)
{
    for (const struct pipeline_step *step = steps; step && step->sql; step++)
        if (!db_run(db, step->sql, values, counts, err))
            return false;
    return true;
}

bool step_run_apart(struct db *db, const struct pipeline_step *steps, const struct db_value *values,
                    struct result *counts, struct error *err)
{
    for (const struct pipeline_step *step = steps; step && step->sql; step++)
        if (!db_begin(db, err) || !db_run(db, step->sql, values, counts, err) ||
            !db_commit(db, err))
            return false;
    return true;
}

bool step_lock_target(struct db *db, const char *target, struct error *err)
{
    const struct db_value values[] = {{"target", target}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_target_lock, values, err);
    if (!rows)
        return false;
    if (db_rows_count(rows) == 0)
        BUG("a target is not registered");
    db_rows_free(rows);
    return true;
}

bool step_show(struct db *db, const struct sql *sql, const struct db_value *values, int *scans,
               struct error *err)
{
    log_begin_group(sql->name);
    fprintf(stderr, "%s\n", sql->text);
    bool ok = db_explain(db, sql, values, scans, err);
    log_end_group();
    return ok;
}

bool step_show_all(struct db *db, const struct pipeline_step *steps, const struct db_value *values,
                   struct error *err)
{
    int scans;
    for (const struct pipeline_step *step = steps; step && step->sql; step++)
        if (!step_show(db, step->sql, values, &scans, err))
            return false;
    return true;
}

void step_report(struct result *result, const struct result *counts, const char *const *names)
{
    for (; *names; names++)
        result_set_int(result, *names, result_get_int(counts, *names));
}

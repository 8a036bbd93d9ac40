/* SPDX-License-Identifier: MIT */
#include "etl/schema.h"

#include <stdio.h>

#include "etl_sql.h"

int schema_number(const struct sql_schema *const *files)
{
    int number = 0;
    for (; *files; files++)
        if ((*files)->number > number)
            number = (*files)->number;
    return number;
}

static bool check(struct db *db, const char *component, int own, struct error *err)
{
    const struct db_value values[] = {{"component", component}, {0}};
    struct db_rows *rows = db_query(db, &sql_etl_schema_numbers, values, err);
    if (!rows)
        return false;
    int64_t number = db_rows_int(rows, 0, "number");
    int64_t works_from = db_rows_int(rows, 0, "works_from");
    db_rows_free(rows);
    if (number < own)
        return error_set(err, STATUS_CONFIG,
                         "schema \"%s\" is at %d, this program needs %d; run migrate-warehouse",
                         component, (int)number, own);
    if (works_from > own)
        return error_set(err, STATUS_CONFIG,
                         "schema \"%s\" works from %d on, this program knows %d; install the newer "
                         "programs",
                         component, (int)works_from, own);
    return true;
}

bool schema_check(struct db *db, const struct pipeline *pipeline, struct error *err)
{
    struct db_rows *rows = db_query(db, &sql_etl_schema_exists, NULL, err);
    if (!rows)
        return false;
    bool is_there = db_rows_bool(rows, 0, "is_there");
    db_rows_free(rows);
    if (!is_there)
        return error_set(
            err, STATUS_CONFIG,
            "the database holds no warehouse of ours; run migrate-warehouse, or look at "
            "PGDATABASE");
    return check(db, "etl", schema_number(etl_schema), err) &&
           (!pipeline || check(db, pipeline->name, schema_number(pipeline->schema), err));
}

/* SPDX-License-Identifier: MIT */
#include "etl/unit.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "etl/step.h"
#include "etl_sql.h"

static const char *const count_names[] = {"keys_touched", "rows_inserted", "rows_updated",
                                          "rows_deleted", "rows_unchanged"};

static struct db_rows *query_pending(struct db *db, const char *workflow, struct error *err)
{
    const struct db_value values[] = {{"workflow", workflow}, {0}};
    return db_query(db, &sql_etl_pending_units, values, err);
}

bool unit_has_pending(struct db *db, const char *workflow, bool *has, struct error *err)
{
    struct db_rows *rows = query_pending(db, workflow, err);
    if (!rows)
        return false;
    *has = db_rows_count(rows) > 0;
    db_rows_free(rows);
    return true;
}

/* What the data brought about: class 22, a value that an operation cannot take; class 21, a row too
 * many; class 23, a constraint, but for unique ones, which are races. */
static bool is_of_data(const struct error *err)
{
    const char *state = err->sqlstate;
    return strncmp(state, "22", 2) == 0 || strncmp(state, "21", 2) == 0 ||
           (strncmp(state, "23", 2) == 0 && strcmp(state, "23505") != 0);
}

static void set_units(struct db_value *values, const char *units)
{
    while (strcmp(values->name, "units") != 0)
        values++;
    values->text = units;
}

/* Adds to an array as the server reads it. */
static void add_unit(struct str *array, const char *unit)
{
    str_add_text(array, array->length > 1 ? ",\"" : "\"");
    for (; *unit; unit++) {
        if (*unit == '"' || *unit == '\\')
            str_add_char(array, '\\');
        str_add_char(array, *unit);
    }
    str_add_char(array, '"');
}

/* Runs the steps for a set of units. *is_broken: the data is to blame, and nothing was written. */
static bool attempt(struct db *db, const struct pipeline_step *steps, const char *units,
                    struct db_value *values, struct result *counts, bool *is_broken,
                    struct error *err)
{
    struct error failure = {0};
    struct result own;
    result_init(&own);
    set_units(values, units);
    *is_broken = false;
    bool ok = db_savepoint(db, err);
    if (ok && !step_run_all(db, steps, values, &own, &failure)) {
        *is_broken = is_of_data(&failure);
        ok = *is_broken && db_go_back(db, err);
        if (!*is_broken || ok)
            *err = failure;
    } else if (ok) {
        for (size_t i = 0; i < sizeof count_names / sizeof *count_names; i++)
            result_add(counts, count_names[i], result_get_int(&own, count_names[i]));
    }
    result_release(&own);
    return ok;
}

static const char *value_of(const struct db_value *values, const char *name)
{
    while (strcmp(values->name, name) != 0)
        values++;
    return values->text;
}

/* One unit alone; where it is broken it is left for the next run. */
static bool run_alone(struct db *db, const struct derivation *derivation,
                      const struct pipeline_step *steps, const char *unit, struct db_value *values,
                      struct result *counts, struct error *err)
{
    bool is_broken;
    struct str array;
    struct error why = {0};
    str_init(&array);
    str_add_char(&array, '{');
    add_unit(&array, unit);
    str_add_char(&array, '}');
    bool ok = attempt(db, steps, array.text, values, counts, &is_broken, &why);
    str_release(&array);
    set_units(values, NULL);
    if (!ok) {
        *err = why;
        return false;
    }
    const struct db_value note[] = {{"workflow", derivation->workflow},
                                    {"unit", unit},
                                    {"batch_id", value_of(values, "batch_id")},
                                    {"reason", why.message},
                                    {0}};
    if (is_broken)
        log_event(LOG_WARNING, "unit_is_broken", "unit=%s sqlstate=%s", unit, why.sqlstate);
    if (is_broken && strcmp(value_of(values, "batch_id"), "0") == 0)
        return true; /* of a repair: the run that consumes its batch notes it */
    return db_run(db, is_broken ? &sql_etl_pending_unit_add : &sql_etl_pending_unit_remove, note,
                  NULL, err);
}

static bool is_listed(const struct db_rows *rows, const char *unit)
{
    for (size_t i = 0; i < db_rows_count(rows); i++)
        if (strcmp(db_rows_text(rows, i, "unit"), unit) == 0)
            return true;
    return false;
}

/* All units but the pending ones, in one go; each alone where that fails. */
static bool run_others(struct db *db, const struct derivation *derivation,
                       const struct pipeline_step *steps, const struct db_rows *pending,
                       struct db_value *values, struct result *counts, struct error *err)
{
    bool ok = false, is_broken = false;
    struct error why = {0};
    struct str array;
    struct db_rows *units = NULL;
    str_init(&array);
    str_add_char(&array, '{');
    if (db_rows_count(pending) > 0) {
        units = db_query(db, derivation->units, values, err);
        if (!units)
            goto done;
        for (size_t i = 0; i < db_rows_count(units); i++)
            if (!is_listed(pending, db_rows_text(units, i, "unit")))
                add_unit(&array, db_rows_text(units, i, "unit"));
    }
    str_add_char(&array, '}');
    ok = attempt(db, steps, db_rows_count(pending) > 0 ? array.text : NULL, values, counts,
                 &is_broken, &why);
    set_units(values, NULL);
    if (!ok)
        *err = why;
    if (!is_broken)
        goto done;
    if (!units)
        units = db_query(db, derivation->units, values, err);
    ok = units != NULL;
    for (size_t i = 0; ok && i < db_rows_count(units); i++)
        if (!is_listed(pending, db_rows_text(units, i, "unit")))
            ok = run_alone(db, derivation, steps, db_rows_text(units, i, "unit"), values, counts,
                           err);
done:
    str_release(&array);
    db_rows_free(units);
    return ok;
}

bool unit_run(struct db *db, const struct derivation *derivation, bool is_all,
              struct db_value *values, struct result *counts, struct error *err)
{
    const struct pipeline_step *steps = is_all ? derivation->all : derivation->changed;
    if (!derivation->units)
        return step_run_all(db, steps, values, counts, err);
    struct db_rows *pending = query_pending(db, derivation->workflow, err);
    bool ok = pending && run_others(db, derivation, steps, pending, values, counts, err);
    for (size_t i = 0; ok && i < db_rows_count(pending); i++)
        ok = run_alone(db, derivation, derivation->all, db_rows_text(pending, i, "unit"), values,
                       counts, err);
    db_rows_free(pending);
    return ok;
}

bool unit_run_one(struct db *db, const struct derivation *derivation, const char *unit,
                  struct db_value *values, struct result *counts, struct error *err)
{
    return run_alone(db, derivation, derivation->all, unit, values, counts, err);
}

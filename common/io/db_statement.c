/* SPDX-License-Identifier: MIT
 *
 * Declared statements: their values bound by name, their counts collected.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/db_private.h"

#define TYPE_INT8 20
#define TYPE_INT2 21
#define TYPE_INT4 23
#define TYPE_TEXT 25

Oid db_type_oid(const char *type)
{
    static const struct {
        const char *name;
        Oid oid;
    } types[] = {
        {"bigint", TYPE_INT8}, {"integer", TYPE_INT4}, {"text", TYPE_TEXT}, {"boolean", 16},
        {"timestamptz", 1184}, {"interval", 1186},     {"text[]", 1009},    {"bigint[]", 1016},
        {"bytea", 17},         {"jsonb", 3802},        {"date", 1082},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, type) == 0)
            return types[i].oid;
    }
    BUG("a statement declares the unknown type \"%s\"", type);
}

const char *db_find_value(const struct sql *sql, const struct sql_param *param,
                          const struct db_value *values)
{
    for (; values && values->name; values++) {
        if (strcmp(values->name, param->name) == 0)
            return values->text;
    }
    BUG("statement \"%s\" was given no \"%s\"", sql->name, param->name);
}

PGresult *db_execute(struct db *db, const struct sql *sql, const char *text,
                     const struct db_value *values, struct error *err)
{
    size_t count = sql->is_copy ? 0 : sql->param_count;
    const char **texts = mem_alloc(count * sizeof *texts);
    Oid *types = mem_alloc(count * sizeof *types);
    for (size_t i = 0; i < count; i++) {
        texts[i] = db_find_value(sql, &sql->params[i], values);
        types[i] = db_type_oid(sql->params[i].type);
    }
    PGresult *result = NULL;
    if (db_send(db, text, (int)count, types, texts, err))
        result = db_answer(db, "statement", sql->name, err);
    free(texts);
    free(types);
    if (result && db->copying != DB_COPY_NONE)
        BUG("statement \"%s\" copies; see db_copy_in and db_copy_out", sql->name);
    return result;
}

void db_log_statement(enum log_level level, const char *name, const char *rows, int64_t started)
{
    log_event(level, "statement", "sql=%s rows=%s ms=%lld", name, rows[0] ? rows : "0",
              (long long)(clock_monotonic() - started) / 1000);
}

/* Adds the counts, and "name=number" of each to *said. */
static void add_counts(const PGresult *result, struct result *counts, struct str *said)
{
    for (int column = 0; column < PQnfields(result); column++) {
        Oid type = PQftype(result, column);
        if (type != TYPE_INT8 && type != TYPE_INT4 && type != TYPE_INT2)
            continue;
        for (int row = 0; row < PQntuples(result); row++) {
            const char *number = PQgetvalue(result, row, column);
            if (PQgetisnull(result, row, column))
                continue;
            result_add(counts, PQfname(result, column), strtoll(number, NULL, 10));
            str_add_format(said, " %s=%s", PQfname(result, column), number);
        }
    }
}

bool db_run(struct db *db, const struct sql *sql, const struct db_value *values,
            struct result *counts, struct error *err)
{
    int64_t started = clock_monotonic();
    PGresult *result = db_execute(db, sql, sql->text, values, err);
    if (!result)
        return false;
    if (counts) {
        struct str said;
        str_init(&said);
        add_counts(result, counts, &said);
        log_event(LOG_INFO, "statement", "sql=%s ms=%lld%s", sql->name,
                  (long long)(clock_monotonic() - started) / 1000, said.text);
        str_release(&said);
    } else {
        db_log_statement(LOG_DEBUG, sql->name, PQcmdTuples(result), started);
    }
    PQclear(result);
    return true;
}

bool db_run_schema(struct db *db, const struct sql_schema *schema, struct error *err)
{
    int64_t started = clock_monotonic();
    PGresult *result = NULL;
    if (db_send(db, schema->text, -1, NULL, NULL, err))
        result = db_answer(db, "schema file", schema->name, err);
    if (!result)
        return false;
    PQclear(result);
    db_log_statement(LOG_DEBUG, schema->name, "", started);
    return true;
}

bool db_bind_settings(struct db *db, const struct sql *sql, const struct db_value *values,
                      struct error *err)
{
    static const char text[] =
        "SELECT pg_catalog.set_config('factline.' || $1::text, $2::text, true)";
    if (sql->param_count > 0 && PQtransactionStatus(db->conn) == PQTRANS_IDLE)
        BUG("statement \"%s\" has settings, which last for a transaction: begin one", sql->name);
    for (size_t i = 0; i < sql->param_count; i++) {
        const char *value = db_find_value(sql, &sql->params[i], values);
        const char *const pair[] = {sql->params[i].name, value ? value : ""};
        if (!db_tell(db, sql->name, text, 2, pair, err))
            return false;
    }
    return true;
}

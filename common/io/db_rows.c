/* SPDX-License-Identifier: MIT
 *
 * The rows of a query, by column name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/db_private.h"

struct db_rows {
    PGresult *result;
};

struct db_rows *db_query(struct db *db, const struct sql *sql, const struct db_value *values,
                         struct error *err)
{
    int64_t started = clock_monotonic();
    PGresult *result = db_execute(db, sql, sql->text, values, err);
    if (!result)
        return NULL;
    db_log_statement(LOG_DEBUG, sql->name, PQcmdTuples(result), started);
    struct db_rows *rows = mem_alloc(sizeof *rows);
    rows->result = result;
    return rows;
}

void db_rows_free(struct db_rows *rows)
{
    if (rows)
        PQclear(rows->result);
    free(rows);
}

size_t db_rows_count(const struct db_rows *rows)
{
    return (size_t)PQntuples(rows->result);
}

const char *db_rows_text(const struct db_rows *rows, size_t row, const char *column)
{
    int number = 0;
    while (number < PQnfields(rows->result) && strcmp(PQfname(rows->result, number), column) != 0)
        number++;
    if (number == PQnfields(rows->result))
        BUG("a query has no column \"%s\"", column);
    if (row >= db_rows_count(rows))
        BUG("a query has no row %zu", row);
    if (PQgetisnull(rows->result, (int)row, number))
        return NULL;
    return PQgetvalue(rows->result, (int)row, number);
}

int64_t db_rows_int(const struct db_rows *rows, size_t row, const char *column)
{
    const char *text = db_rows_text(rows, row, column);
    return text ? strtoll(text, NULL, 10) : 0;
}

bool db_rows_bool(const struct db_rows *rows, size_t row, const char *column)
{
    const char *text = db_rows_text(rows, row, column);
    return text && text[0] == 't';
}

int64_t db_rows_time(const struct db_rows *rows, size_t row, const char *column)
{
    const char *text = db_rows_text(rows, row, column);
    size_t length = text ? strlen(text) : 0;
    int64_t time = CLOCK_BEGINNING;
    if (!text || text[0] == '-')
        return CLOCK_BEGINNING;
    if (clock_parse(text, length, &time) == CLOCK_OK)
        return time;
    /* Beyond the years that we know: before them, or after. */
    return length > 3 && strcmp(text + length - 3, " BC") == 0 ? CLOCK_BEGINNING : INT64_MAX;
}

/* SPDX-License-Identifier: MIT
 *
 * Statements looked at without running them: plans for --dry-run, and the
 * check that a statement fits its declaration.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/db_private.h"

/* ---- finding the query within COPY (...) TO STDOUT ---- */

/* Behind a comment, a literal, a quoted name, or the one character at text. */
static const char *skip_token(const char *text)
{
    if (strncmp(text, "--", 2) == 0)
        return text + strcspn(text, "\n");
    if (strncmp(text, "/*", 2) == 0) {
        const char *end = strstr(text + 2, "*/");
        return end ? end + 2 : text + strlen(text);
    }
    if (*text == '\'' || *text == '"') {
        const char *end = strchr(text + 1, *text); /* a doubled quote is two literals to us */
        return end ? end + 1 : text + strlen(text);
    }
    return text + 1;
}

static const char *skip_blank(const char *text)
{
    while (isspace((unsigned char)*text) || strncmp(text, "--", 2) == 0 ||
           strncmp(text, "/*", 2) == 0)
        text = skip_token(text);
    return text;
}

/* The query that a COPY sends, yours; NULL for a COPY of a table. */
static char *find_query(const char *text)
{
    const char *start = skip_blank(skip_blank(text) + strlen("COPY"));
    if (*start != '(')
        return NULL;
    int depth = 0;
    for (const char *at = start; *at; at = skip_token(at)) {
        depth += *at == '(';
        depth -= *at == ')';
        if (depth == 0)
            return mem_copy(start + 1, (size_t)(at - start - 1));
    }
    return NULL;
}

/* The text to prepare or explain, without its final semicolon or COPY around it; yours. */
static char *find_plannable(const struct sql *sql)
{
    return sql->is_copy ? find_query(sql->text) : mem_strdup(sql->text);
}

/* ---- plans ---- */

/* Conditions show values, so the lines of the plan's nodes are printed alone. */
static void print_plan(const struct sql *sql, const PGresult *plan, int *scans)
{
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0);
        if (!strstr(line, "(cost="))
            continue;
        if (scans && strstr(line, "Seq Scan on"))
            (*scans)++;
        log_event(LOG_INFO, "plan", "sql=%s %s", sql->name, line);
    }
}

bool db_explain(struct db *db, const struct sql *sql, const struct db_value *values, int *scans,
                struct error *err)
{
    if (scans)
        *scans = 0;
    char *query = find_plannable(sql);
    if (!query)
        return true;
    struct str text;
    str_init(&text);
    str_add_format(&text, "EXPLAIN %s", query);
    free(query);

    PGresult *plan = NULL;
    if (!sql->is_copy || db_bind_settings(db, sql, values, err))
        plan = db_execute(db, sql, text.text, values, err);
    str_release(&text);
    if (!plan)
        return false;
    print_plan(sql, plan, scans);
    PQclear(plan);
    return true;
}

/* ---- the statement test ---- */

static bool compare_types(const struct sql *sql, const PGresult *description, struct error *err)
{
    size_t count = sql->is_copy ? 0 : sql->param_count;
    if ((size_t)PQnparams(description) != count)
        return error_set(err, STATUS_BUG, "statement \"%s\" takes %d parameters, %zu are declared",
                         sql->name, PQnparams(description), count);
    for (size_t i = 0; i < count; i++) {
        if (PQparamtype(description, (int)i) != db_type_oid(sql->params[i].type))
            return error_set(err, STATUS_BUG,
                             "statement \"%s\" takes \"%s\" as another type (oid %u) than the "
                             "declared %s; declare or cast it",
                             sql->name, sql->params[i].name,
                             (unsigned)PQparamtype(description, (int)i), sql->params[i].type);
    }
    return true;
}

static bool check_query(struct db *db, const struct sql *sql, const char *query, struct error *err)
{
    PGresult *prepared = NULL, *description = NULL;
    bool ok = false;
    if (PQsendPrepare(db->conn, "", query, 0, NULL))
        prepared = db_answer(db, "statement", sql->name, err);
    if (!prepared)
        goto done;
    if (PQsendDescribePrepared(db->conn, ""))
        description = db_answer(db, "statement", sql->name, err);
    ok = description && compare_types(sql, description, err);
done:
    PQclear(prepared);
    PQclear(description);
    return ok;
}

/* A COPY into a table cannot be prepared; so it is begun, and given up without a row. */
static bool check_copy_in(struct db *db, const struct sql *sql, struct error *err)
{
    struct db_value *values = mem_alloc((sql->param_count + 1) * sizeof *values);
    for (size_t i = 0; i < sql->param_count; i++)
        values[i].name = sql->params[i].name;
    bool ok = db_begin(db, err) && db_copy_in(db, sql, values, err);
    db_rollback(db);
    free(values);
    return ok;
}

/* Each declared setting is read, or the declaration is stale. */
static bool check_settings(const struct sql *sql, struct error *err)
{
    for (size_t i = 0; sql->is_copy && i < sql->param_count; i++) {
        struct str quoted;
        str_init(&quoted);
        str_add_format(&quoted, "'factline.%s'", sql->params[i].name);
        bool is_read = strstr(sql->text, quoted.text) != NULL;
        str_release(&quoted);
        if (!is_read)
            return error_set(err, STATUS_BUG, "statement \"%s\" does not read its setting \"%s\"",
                             sql->name, sql->params[i].name);
        db_type_oid(sql->params[i].type);
    }
    return true;
}

bool db_check(struct db *db, const struct sql *sql, struct error *err)
{
    if (!check_settings(sql, err))
        return false;
    char *query = find_plannable(sql);
    bool ok = query ? check_query(db, sql, query, err) : check_copy_in(db, sql, err);
    free(query);
    return ok;
}

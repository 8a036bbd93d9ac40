/* SPDX-License-Identifier: MIT
 *
 * A connection to the server that PG* names, with a schema of its own that each
 * test finds empty; and statements made where they are used.
 */
#ifndef TESTS_INTEGRATION_DB_FIXTURE_H
#define TESTS_INTEGRATION_DB_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "io/db.h"

static struct error err;
static struct db *db; /* the warehouse, opened for each test */

/* A declared statement without parameters, as a compound literal. */
#define SQL(text_) (&(const struct sql){.name = "test", .text = (text_)})
#define COPY(text_) (&(const struct sql){.name = "test_copy", .text = (text_), .is_copy = true})
#define PARAMS(...) ((const struct sql_param[]){__VA_ARGS__})
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#define assert_done(call)                           \
    do {                                            \
        if (!(call))                                \
            fail_msg("%s: %s", #call, err.message); \
    } while (0)

#define assert_fails(call, status_)                                  \
    do {                                                             \
        memset(&err, 0, sizeof err);                                 \
        assert_false(call);                                          \
        if (err.status != (status_))                                 \
            fail_msg("status %d: %s", (int)err.status, err.message); \
        assert_null(strstr(err.message, "s3cret"));                  \
    } while (0)

static inline void run(struct db *on, const char *text)
{
    if (!db_run(on, SQL(text), NULL, NULL, &err))
        fail_msg("%s: %s", text, err.message);
}

/* The one value of a query, in a buffer that the next call overwrites. */
static inline const char *ask(struct db *on, const char *text)
{
    static char value[64];
    struct db_rows *rows = db_query(on, SQL(text), NULL, &err);
    if (!rows)
        fail_msg("%s: %s", text, err.message);
    const char *got = db_rows_text(rows, 0, "value");
    snprintf(value, sizeof value, "%s", got ? got : "(null)");
    db_rows_free(rows);
    return value;
}

/* Asks until the query gives what is expected: a condition, not a time. */
static inline void wait_for(struct db *on, const char *text, const char *expected)
{
    for (int i = 0; i < 2000; i++) {
        if (strcmp(ask(on, text), expected) == 0)
            return;
        interrupt_wait(-1, 0, 5, NULL);
    }
    fail_msg("never \"%s\": %s", expected, text);
}

static inline struct db *open_db(void)
{
    struct db *opened = db_open(&err);
    if (!opened)
        fail_msg("%s; these tests want a scratch server, named by PGHOST, PGUSER ...", err.message);
    return opened;
}

/* The same server as a source. */
static inline const char *variable(const char *name, const char *missing)
{
    const char *value = getenv(name);
    return value ? value : missing;
}

static inline const char *source_spec(void)
{
    static char spec[512];
    snprintf(spec, sizeof spec, "host='%s' port='%s' dbname='%s' user='%s'",
             variable("PGHOST", "/var/run/postgresql"), variable("PGPORT", "5432"),
             variable("PGDATABASE", "postgres"), variable("PGUSER", "postgres"));
    return spec;
}

static inline struct db *open_source(void)
{
    struct db *opened = db_open_source(source_spec(), &err);
    if (!opened)
        fail_msg("%s", err.message);
    return opened;
}

static inline int set_up(void **state)
{
    (void)state;
    interrupt_install();
    memset(&err, 0, sizeof err);
    db = open_db();
    run(db, "DROP SCHEMA IF EXISTS io_test CASCADE");
    run(db, "CREATE SCHEMA io_test");
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    db_close(db);
    db = open_db();
    run(db, "DROP SCHEMA IF EXISTS io_test CASCADE");
    db_close(db);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

/* SPDX-License-Identifier: MIT */
#include "etl_world.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "base/clock.h"
#include "base/str.h"
#include "etl/handover.h"
#include "etl/migrate.h"
#include "etl/transform.h"

#define KEPT 10 /* texts of world_value */
#define SESSIONS 4
#define FILES 512

struct world world;

static struct {
    char warehouse[64], source[80], spec[512];
    PGconn *admin, *in_source, *sessions[SESSIONS];
    char values[KEPT][8192];
    int next_value;
    char files[FILES][64];
    int file_count;
    char batch_id[32];
} outside;

/* ---- the program ---- */

const struct task_common *__wrap_task_common(void);
const char *__wrap_task_name(void);

const struct task_common *__wrap_task_common(void)
{
    return &world.common;
}

const char *__wrap_task_name(void)
{
    return world.task ? world.task : "factline";
}

static PGconn *connect_to(const char *database)
{
    const char *const names[] = {"dbname", "client_encoding", NULL};
    const char *const values[] = {database, "UTF8", NULL};
    PGconn *conn = PQconnectdbParams(names, values, 0);
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PQclear(PQexec(conn, "SET client_min_messages = error; SET TimeZone = 'UTC'"));
    return conn;
}

static void run_sql(PGconn *conn, const char *text)
{
    PGresult *result = PQexec(conn, text);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        fail_msg("%s\n%s", PQerrorMessage(conn), text);
    PQclear(result);
}

static void run_in_postgres(const char *format, const char *name)
{
    char text[256];
    PGconn *conn = connect_to("postgres");
    snprintf(text, sizeof text, "%s %s%s", format, name, format[0] == 'D' ? " WITH (FORCE)" : "");
    run_sql(conn, text);
    PQfinish(conn);
}

int world_begin_empty(void **state)
{
    (void)state;
    snprintf(outside.warehouse, sizeof outside.warehouse, "etl_%d", (int)getpid());
    snprintf(outside.source, sizeof outside.source, "%s_source", outside.warehouse);
    run_in_postgres("CREATE DATABASE", outside.warehouse);
    setenv("PGDATABASE", outside.warehouse, 1);
    outside.admin = connect_to(outside.warehouse);
    world.common.lock_timeout = 10 * CLOCK_SECOND;
    return 0;
}

int world_begin(void **state)
{
    struct error err = {0};
    struct result result;
    world_begin_empty(state);
    result_init(&result);
    struct db *db = world_open();
    if (!migrate_run(db, NULL, &result, &err))
        fail_msg("%s", err.message);
    db_close(db);
    result_release(&result);
    return 0;
}

int world_end(void **state)
{
    (void)state;
    PQfinish(outside.admin);
    PQfinish(outside.in_source);
    run_in_postgres("DROP DATABASE IF EXISTS", outside.warehouse);
    run_in_postgres("DROP DATABASE IF EXISTS", outside.source);
    for (int i = 0; i < outside.file_count; i++)
        unlink(outside.files[i]);
    return 0;
}

struct db *world_open(void)
{
    struct error err = {0};
    struct db *db = db_open(&err);
    if (!db)
        fail_msg("%s", err.message);
    return db;
}

void world_forget(void)
{
    result_release(&world.result);
    world.err = (struct error){0};
}

void world_reconnect(void)
{
    db_close(world.db);
    world.db = world_open();
    world_forget();
}

void world_empty_ledger(void)
{
    run_sql(outside.admin, "DELETE FROM etl.pending_unit; DELETE FROM etl.rejected_row;"
                           "DELETE FROM etl.batch_consumption; DELETE FROM etl.batch_step;"
                           "DELETE FROM etl.batch_source; DELETE FROM etl.batch;"
                           "UPDATE etl.workflow SET read_number = 0 WHERE read_number <> 0;"
                           "SELECT setval(pg_get_serial_sequence('etl.batch', 'id'), 1, false)");
}

/* DELETE, since TRUNCATE takes its time for tables as small as these. */
static void empty_all(void)
{
    run_sql(outside.admin,
            "DO $$ DECLARE t record; BEGIN"
            " FOR t IN SELECT c.oid::regclass AS name, EXISTS (SELECT FROM pg_attribute a"
            "   WHERE a.attrelid = c.oid AND a.attname = 'is_inferred') AS has_members"
            "   FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            "   AND c.relnamespace IN ('staging'::regnamespace, 'warehouse'::regnamespace) LOOP"
            "  EXECUTE format('DELETE FROM %s %s', t.name,"
            "                 CASE WHEN t.has_members THEN 'WHERE id > 0' ELSE '' END);"
            " END LOOP; END $$");
    world_empty_ledger();
}

int world_set_up(void **state)
{
    (void)state;
    empty_all();
    world.common = (struct task_common){.lock_timeout = 10 * CLOCK_SECOND};
    world.task = NULL;
    world.db = world_open();
    world_forget();
    return 0;
}

int world_tear_down(void **state)
{
    (void)state;
    world_fail_at(0, false);
    world_replace(NULL, NULL);
    db_close(world.db);
    world.db = NULL;
    for (int i = 0; i < SESSIONS; i++)
        world_session_close(i);
    world_forget();
    return 0;
}

/* ---- the databases ---- */

void world_sql(const char *text)
{
    run_sql(outside.admin, text);
}

void world_source_sql(const char *text)
{
    run_sql(outside.in_source, text);
}

void world_source_file(const char *path)
{
    const char *root = getenv("FACTLINE_ROOT");
    struct str text, whole;
    char bytes[4096];
    size_t got;
    str_init(&text);
    str_init(&whole);
    str_add_format(&whole, "%s/%s", root ? root : ".", path);
    FILE *file = fopen(whole.text, "r");
    if (!file)
        fail_msg("cannot open %s", whole.text);
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        str_add(&text, bytes, got);
    fclose(file);
    run_sql(outside.in_source, text.text);
    str_release(&text);
    str_release(&whole);
}

static const char *find_value(PGconn *conn, const char *text)
{
    char *value = outside.values[outside.next_value++ % KEPT];
    PGresult *result = PQexec(conn, text);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s\n%s", PQerrorMessage(conn), text);
    snprintf(value, sizeof outside.values[0], "%s",
             PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return value;
}

const char *world_value(const char *text)
{
    return find_value(outside.admin, text);
}

void assert_value(const char *text, const char *expected)
{
    const char *seen = world_value(text);
    if (strcmp(seen, expected) != 0)
        fail_msg("expected \"%s\", seen \"%s\": %s", expected, seen, text);
}

const char *world_make_source(void)
{
    const char *host = getenv("PGHOST"), *port = getenv("PGPORT"), *user = getenv("PGUSER");
    PQfinish(outside.in_source);
    outside.in_source = NULL;
    run_in_postgres("DROP DATABASE IF EXISTS", outside.source);
    run_in_postgres("CREATE DATABASE", outside.source);
    outside.in_source = connect_to(outside.source);
    snprintf(outside.spec, sizeof outside.spec, "host=%s port=%s user=%s dbname=%s",
             host ? host : "/tmp", port ? port : "5432", user ? user : "postgres", outside.source);
    return outside.spec;
}

int world_session(bool is_source)
{
    int session = 0;
    while (outside.sessions[session])
        session++;
    outside.sessions[session] = connect_to(is_source ? outside.source : outside.warehouse);
    return session;
}

void world_session_sql(int session, const char *text)
{
    run_sql(outside.sessions[session], text);
}

const char *world_session_value(int session, const char *text)
{
    return find_value(outside.sessions[session], text);
}

const char *world_session_types(int session, const char *query)
{
    PGconn *conn = outside.sessions[session];
    struct str question;
    PQclear(PQprepare(conn, "", query, 0, NULL));
    PGresult *description = PQdescribePrepared(conn, "");
    if (PQresultStatus(description) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(conn));
    str_init(&question);
    str_add_text(&question, "SELECT string_agg(format_type(type, NULL), ', ' ORDER BY number)"
                            " FROM unnest('{");
    for (int i = 0; i < PQnfields(description); i++)
        str_add_format(&question, "%s%u", i ? "," : "", (unsigned)PQftype(description, i));
    str_add_text(&question, "}'::oid[]) WITH ORDINALITY AS types (type, number)");
    PQclear(description);
    const char *types = find_value(conn, question.text);
    str_release(&question);
    return types;
}

void world_session_send(int session, const char *text)
{
    assert_int_equal(PQsendQuery(outside.sessions[session], text), 1);
}

void world_session_close(int session)
{
    PQfinish(outside.sessions[session]);
    outside.sessions[session] = NULL;
}

void world_wait(const char *condition)
{
    char text[1024];
    int64_t end = clock_monotonic() + 20 * CLOCK_SECOND;
    snprintf(text, sizeof text, "SELECT (%s)", condition);
    while (strcmp(world_value(text), "t") != 0) {
        if (clock_monotonic() > end)
            fail_msg("waited in vain until %s", condition);
        poll(NULL, 0, 10);
    }
}

/* ---- the steps ---- */

const char *world_file(const char *text)
{
    assert_true(outside.file_count < FILES);
    char *path = outside.files[outside.file_count++];
    snprintf(path, sizeof outside.files[0], "/tmp/factline-etl.XXXXXX");
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

struct stage_options world_options(const char *source)
{
    static const char *items[1];
    items[0] = source;
    return (struct stage_options){
        .sources = {.items = items, .count = source ? 1 : 0},
        .window = {.overlap = 15 * 60 * CLOCK_SECOND, .start = CLOCK_BEGINNING, .settle = -1},
        .expect_rows = -1,
        .jobs = 1,
    };
}

static const struct feed *feed_of(const char *name)
{
    const struct feed *feed = pipeline_find_feed(name);
    assert_non_null(feed);
    return feed;
}

bool world_stage(const char *feed, struct stage_options options)
{
    world_forget();
    world.task = "load-staging";
    return stage_run(world.db, feed_of(feed), &options, &world.result, &world.err);
}

bool world_transform(const char *name)
{
    const struct feed *feed = feed_of(name);
    world_forget();
    world.task = feed->kind == FEED_FACT ? "transform-fact" : "transform-dim";
    char *id;
    if (!handover_find(feed->name, &id, &world.err))
        return false;
    bool ok = transform_run(world.db, feed, id, &world.result, &world.err);
    free(id);
    return ok;
}

/* A line that is printed again has its status in the line only. */
const char *world_status(void)
{
    static char status[32];
    struct str line;
    if (!world.result.line) {
        const char *text = result_get_text(&world.result, "status");
        return text ? text : "";
    }
    str_init(&line);
    result_format(&world.result, &line);
    const char *at = strstr(line.text, "\"status\":\"");
    snprintf(status, sizeof status, "%.*s", at ? (int)strcspn(at + 10, "\"") : 0,
             at ? at + 10 : "");
    str_release(&line);
    return status;
}

const char *world_batch_id(void)
{
    snprintf(outside.batch_id, sizeof outside.batch_id, "%s",
             result_get_text(&world.result, "batch_id"));
    return outside.batch_id;
}

int64_t world_count(const char *name)
{
    return result_get_int(&world.result, name);
}

static void assert_done(bool ok, const char *status)
{
    if (!ok)
        fail_msg("%d: %s", (int)world.err.status, world.err.message);
    assert_int_equal(world.err.status, STATUS_OK);
    assert_string_equal(world_status(), status);
}

void world_load(const char *feed, const char *source, const char *status)
{
    assert_done(world_stage(feed, world_options(source)), status);
}

void world_move(const char *feed, const char *batch_id, const char *status)
{
    world.common.batch_id = batch_id;
    assert_done(world_transform(feed), status);
    world.common.batch_id = NULL;
}

void assert_failed(enum status status, const char *part)
{
    if (world.err.status != status || !strstr(world.err.message, part))
        fail_msg("expected %d with \"%s\", seen %d: %s", (int)status, part, (int)world.err.status,
                 world.err.message);
}

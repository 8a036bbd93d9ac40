/* SPDX-License-Identifier: MIT
 *
 * Sessions, transactions and refusals, against a real server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <signal.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "db_fixture.h"

/* ---- sessions ---- */

#define SHOW(name) "SELECT pg_catalog.current_setting('" name "') AS value"

static void the_warehouse_session_is_strict(void **state)
{
    (void)state;
    assert_string_equal(ask(db, SHOW("search_path")), "pg_catalog");
    assert_string_equal(ask(db, SHOW("TimeZone")), "UTC");
    assert_string_equal(ask(db, SHOW("DateStyle")), "ISO, MDY");
    assert_string_equal(ask(db, SHOW("client_encoding")), "UTF8");
    assert_string_equal(ask(db, SHOW("application_name")), "factline");
    assert_string_equal(ask(db, SHOW("lock_timeout")), "1min");
    assert_string_equal(ask(db, SHOW("statement_timeout")), "6h");
    assert_string_equal(ask(db, SHOW("idle_in_transaction_session_timeout")), "1h");
    assert_string_equal(ask(db, SHOW("default_transaction_isolation")), "read committed");
    assert_string_equal(ask(db, SHOW("default_transaction_read_only")), "off");
    assert_string_equal(ask(db, SHOW("client_connection_check_interval")), "1s");
}

static void the_source_session_reads_only(void **state)
{
    (void)state;
    struct db *source = open_source();
    assert_string_equal(ask(source, SHOW("search_path")), "pg_catalog");
    assert_string_equal(ask(source, SHOW("statement_timeout")), "1d");
    assert_string_equal(ask(source, SHOW("idle_in_transaction_session_timeout")), "1d");
    assert_fails(db_run(source, SQL("CREATE TABLE io_test.t ()"), NULL, NULL, &err), STATUS_CONFIG);
    assert_string_equal(err.sqlstate, "25006");
    db_close(source);
}

static void a_label_names_batch_and_attempt(void **state)
{
    (void)state;
    assert_done(db_set_label(db, "42", 3, &err));
    assert_string_equal(ask(db, SHOW("application_name")), "factline 42/3");
}

static void the_warehouses_variables_do_not_reach_the_source(void **state)
{
    (void)state;
    static const char *const names[] = {"PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGTZ"};
    char spec[600];
    snprintf(spec, sizeof spec, "%s", source_spec());
    char *saved[COUNT_OF(names)];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        saved[i] = getenv(names[i]) ? strdup(getenv(names[i])) : NULL;
        setenv(names[i], i == 3 ? "-c factline.leaked=yes" : "elsewhere", 1);
    }
    struct db *source = db_open_source(spec, &err);
    assert_string_equal(getenv("PGHOST"), "elsewhere");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (saved[i])
            setenv(names[i], saved[i], 1);
        else
            unsetenv(names[i]);
        free(saved[i]);
    }
    assert_non_null(source);
    assert_string_equal(
        ask(source, "SELECT pg_catalog.current_setting('factline.leaked', true) AS value"),
        "(null)");
    db_close(source);
}

static void unknown_roles_and_databases_have_their_statuses(void **state)
{
    (void)state;
    char spec[600];
    snprintf(spec, sizeof spec, "%s user=nobody_s3cret", source_spec());
    assert_fails(db_open_source(spec, &err), STATUS_PERMISSION);
    assert_memory_equal(err.sqlstate, "28", 2);
    snprintf(spec, sizeof spec, "%s dbname=nothing_s3cret", source_spec());
    assert_fails(db_open_source(spec, &err), STATUS_CONFIG);
    assert_string_equal(err.sqlstate, "3D000");
    run(db, "DROP ROLE IF EXISTS io_test_barred");
    run(db, "CREATE ROLE io_test_barred LOGIN CONNECTION LIMIT 0");
    snprintf(spec, sizeof spec, "%s user=io_test_barred", source_spec());
    assert_fails(db_open_source(spec, &err), STATUS_TEMPORARY);
    assert_string_equal(err.sqlstate, "53300");
    run(db, "DROP ROLE io_test_barred");
}

/* ---- statements ---- */

static void values_of_every_type_are_bound(void **state)
{
    (void)state;
    static const struct sql_param params[] = {
        {"a", "bigint"},      {"b", "integer"},  {"c", "text"},   {"d", "boolean"},
        {"e", "timestamptz"}, {"f", "interval"}, {"g", "text[]"}, {"h", "bigint[]"},
        {"i", "bytea"},       {"j", "jsonb"}};
    static const struct sql sql = {
        .name = "types",
        .text =
            "SELECT pg_catalog.concat_ws('|', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS value",
        .params = params,
        .param_count = COUNT_OF(params)};
    const struct db_value values[] = {
        {"j", "{\"k\": 1}"},       {"i", "\\x00ff"},    {"h", "{1,2}"},
        {"g", "{a,\"b c\"}"},      {"f", "15 minutes"}, {"c", "';--"},
        {"e", "-infinity"},        {"d", "true"},       {"b", "-1"},
        {"a", "9007199254740993"}, {"unused", "x"},     {NULL, NULL}};
    struct db_rows *rows = db_query(db, &sql, values, &err);
    assert_non_null(rows);
    assert_string_equal(db_rows_text(rows, 0, "value"),
                        "9007199254740993|-1|';--|t|-infinity|00:15:00|{a,\"b c\"}|{1,2}|\\x00ff|"
                        "{\"k\": 1}");
    db_rows_free(rows);
}

static void run_adds_the_integer_columns_of_all_rows(void **state)
{
    (void)state;
    struct result counts;
    result_init(&counts);
    result_set_int(&counts, "big", 1);
    assert_done(db_run(db,
                       SQL("SELECT n AS big, n::integer AS small, n::smallint AS tiny,"
                           " n::numeric AS other, 'x' AS word, NULL::bigint AS none"
                           " FROM pg_catalog.generate_series(1::bigint, 3) AS n"),
                       NULL, &counts, &err));
    assert_int_equal(result_get_int(&counts, "big"), 7);
    assert_int_equal(result_get_int(&counts, "small"), 6);
    assert_int_equal(result_get_int(&counts, "tiny"), 6);
    assert_int_equal(counts.count, 3);
    result_release(&counts);
}

static void a_schema_file_runs_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct sql_schema good = {
        .name = "0001_good",
        .text = "CREATE TABLE io_test.a (id bigint); CREATE TABLE io_test.b (id bigint);"};
    static const struct sql_schema bad = {
        .name = "0002_bad", .text = "CREATE TABLE io_test.c (id bigint); SELECT s3cret;"};
    assert_done(db_begin(db, &err) && db_run_schema(db, &good, &err) && db_commit(db, &err));
    assert_done(db_begin(db, &err));
    assert_fails(db_run_schema(db, &bad, &err), STATUS_CONFIG);
    assert_string_equal(
        err.message,
        "warehouse refused schema file \"0002_bad\" (SQLSTATE 42703); run migrate-warehouse");
    db_rollback(db);
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM pg_catalog.pg_tables"
                                " WHERE schemaname = 'io_test'"),
                        "2");
}

/* ---- refusals ---- */

static void a_refused_row_is_named_by_its_table_and_never_shown(void **state)
{
    (void)state;
    run(db, "CREATE TABLE io_test.t (id bigint PRIMARY KEY, word text NOT NULL)");
    assert_fails(
        db_run(db, SQL("INSERT INTO io_test.t (id, word) VALUES (1, NULL)"), NULL, NULL, &err),
        STATUS_BUG);
    assert_string_equal(err.message, "warehouse refused statement \"test\" (SQLSTATE 23502, table "
                                     "\"io_test.t\", column \"word\"); report it");
    assert_fails(db_run(db, SQL("INSERT INTO io_test.t (id, word) VALUES (1, 's3cret'), (1, '')"),
                        NULL, NULL, &err),
                 STATUS_TEMPORARY);
    assert_string_equal(err.sqlstate, "23505");
}

static void our_functions_speak_by_their_sqlstate(void **state)
{
    (void)state;
    assert_fails(db_run(db,
                        SQL("DO $$BEGIN RAISE EXCEPTION 'batch is stale; load it again'"
                            " USING ERRCODE = 'FL065'; END$$"),
                        NULL, NULL, &err),
                 STATUS_DATA);
    assert_string_equal(err.message, "batch is stale; load it again");
}

static void a_lock_that_is_held_is_temporary(void **state)
{
    (void)state;
    struct db *other = open_db();
    run(db, "CREATE TABLE io_test.t (id bigint)");
    assert_done(db_begin(other, &err));
    run(other, "LOCK TABLE io_test.t");
    run(db, "SET lock_timeout = '10ms'");
    assert_fails(db_run(db, SQL("SELECT id FROM io_test.t"), NULL, NULL, &err), STATUS_TEMPORARY);
    assert_string_equal(err.sqlstate, "55P03");
    db_close(other);
}

#define UPDATE_ROW(id) "UPDATE io_test.t SET n = n + 1 WHERE id = " id

/* The other side of a deadlock, in a process of its own: 0 if it came through, 1 if it was the
 * victim. */
static int take_rows_the_other_way(void)
{
    struct db *other = db_open(&err);
    bool ok = other && db_begin(other, &err) &&
              db_run(other, SQL(UPDATE_ROW("2")), NULL, NULL, &err) &&
              db_set_label(other, "waiting", 1, &err) &&
              db_run(other, SQL(UPDATE_ROW("1")), NULL, NULL, &err);
    db_close(other);
    return ok ? 0 : err.status == STATUS_TEMPORARY ? 1 : 2;
}

static void a_deadlock_is_temporary_for_its_victim(void **state)
{
    (void)state;
    run(db, "CREATE TABLE io_test.t (id bigint, n bigint)");
    run(db, "INSERT INTO io_test.t (id, n) VALUES (1, 0), (2, 0)");
    struct db *watch = open_db();
    assert_done(db_begin(db, &err));
    run(db, UPDATE_ROW("1"));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(take_rows_the_other_way());
    wait_for(watch,
             "SELECT pg_catalog.count(*) AS value FROM pg_catalog.pg_stat_activity"
             " WHERE application_name = 'factline waiting/1' AND wait_event_type = 'Lock'",
             "1");
    memset(&err, 0, sizeof err);
    bool is_victim = !db_run(db, SQL(UPDATE_ROW("2")), NULL, NULL, &err);
    if (is_victim) {
        assert_int_equal(err.status, STATUS_TEMPORARY);
        assert_string_equal(err.sqlstate, "40P01");
    }
    db_rollback(db);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), is_victim ? 0 : 1);
    db_close(watch);
}

/* ---- transactions ---- */

static void a_rollback_undoes_and_a_close_rolls_back(void **state)
{
    (void)state;
    run(db, "CREATE TABLE io_test.t (id bigint)");
    assert_done(db_begin(db, &err));
    run(db, "INSERT INTO io_test.t (id) VALUES (1)");
    db_rollback(db);
    db_rollback(db);
    assert_done(db_begin(db, &err));
    run(db, "INSERT INTO io_test.t (id) VALUES (2)");
    db_close(db);
    db = open_db();
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.t"), "0");
}

static void a_snapshot_sees_one_moment(void **state)
{
    (void)state;
    struct db *other = open_db();
    run(db, "CREATE TABLE io_test.t (id bigint)");
    assert_done(db_begin_snapshot(db, &err));
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.t"), "0");
    run(other, "INSERT INTO io_test.t (id) VALUES (1)");
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.t"), "0");
    assert_fails(db_run(db, SQL("DELETE FROM io_test.t"), NULL, NULL, &err), STATUS_CONFIG);
    db_close(other);
}

static void a_snapshot_is_shared_by_its_name(void **state)
{
    (void)state;
    struct db *first = open_db(), *second = open_db();
    run(db, "CREATE TABLE io_test.t (id bigint)");
    assert_done(db_begin_snapshot(first, &err));
    const char *name = ask(first, "SELECT pg_catalog.pg_export_snapshot() AS value");
    run(db, "INSERT INTO io_test.t (id) VALUES (1)");
    assert_done(db_begin_in_snapshot(second, name, &err));
    assert_string_equal(ask(second, "SELECT pg_catalog.count(*) AS value FROM io_test.t"), "0");
    db_rollback(second);
    assert_fails(db_begin_in_snapshot(second, "00000003-00000BAD-1", &err), STATUS_TEMPORARY);
    db_close(first);
    db_close(second);
}

static void a_failed_transaction_cannot_be_committed(void **state)
{
    (void)state;
    assert_done(db_begin(db, &err));
    assert_fails(db_run(db, SQL("SELECT 1 / 0"), NULL, NULL, &err), STATUS_BUG);
    assert_fails(db_commit(db, &err), STATUS_BUG);
}

static void a_constraint_that_waits_for_the_end_refuses_the_commit(void **state)
{
    (void)state;
    run(db, "CREATE TABLE io_test.t (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    assert_done(db_begin(db, &err));
    run(db, "INSERT INTO io_test.t (id) VALUES (1), (1)");
    assert_fails(db_commit(db, &err), STATUS_TEMPORARY);
    assert_string_equal(err.sqlstate, "23505");
}

static void terminate(struct db *other, struct db *victim)
{
    char pid[64], text[192];
    snprintf(pid, sizeof pid, "%s", ask(victim, "SELECT pg_catalog.pg_backend_pid() AS value"));
    snprintf(text, sizeof text, "SELECT pg_catalog.pg_terminate_backend(%s, 10000) AS value", pid);
    assert_string_equal(ask(other, text), "t");
}

static void a_session_ended_by_the_server_is_temporary(void **state)
{
    (void)state;
    struct db *other = open_db();
    terminate(other, db);
    assert_fails(db_run(db, SQL("SELECT 1"), NULL, NULL, &err), STATUS_TEMPORARY);
    assert_fails(db_begin(db, &err), STATUS_TEMPORARY);
    db_close(other);
}

static void a_session_ended_before_the_commit_says_that_nobody_knows(void **state)
{
    (void)state;
    struct db *other = open_db();
    assert_done(db_begin(db, &err));
    terminate(other, db);
    assert_fails(db_commit(db, &err), STATUS_TEMPORARY);
    assert_string_equal(err.message, "connection lost while committing; run the step again, it "
                                     "finds out what happened");
    db_close(other);
}

/* ---- stops ---- */

static int sleep_until_stopped(void)
{
    interrupt_install();
    struct db *sleeper = db_open(&err);
    const char *forever = "SELECT pg_catalog.pg_sleep(600)"; /* sleeps: a signal cancels it */
    bool ok = sleeper && db_set_label(sleeper, "sleeping", 1, &err) &&
              db_run(sleeper, SQL(forever), NULL, NULL, &err);
    db_close(sleeper);
    return !ok && err.status == STATUS_INTERRUPTED ? 0 : 1;
}

#define SLEEPERS                                                           \
    "SELECT pg_catalog.count(*) AS value FROM pg_catalog.pg_stat_activity" \
    " WHERE application_name = 'factline sleeping/1'"

static void a_signal_cancels_at_the_server(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(sleep_until_stopped());
    wait_for(db, SLEEPERS " AND wait_event = 'PgSleep'", "1");
    int64_t started = clock_monotonic();
    kill(child, SIGTERM);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_in_range(clock_monotonic() - started, 0, 3 * CLOCK_SECOND);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    wait_for(db, SLEEPERS, "0");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(the_warehouse_session_is_strict),
        TEST(the_source_session_reads_only),
        TEST(a_label_names_batch_and_attempt),
        TEST(the_warehouses_variables_do_not_reach_the_source),
        TEST(unknown_roles_and_databases_have_their_statuses),
        TEST(values_of_every_type_are_bound),
        TEST(run_adds_the_integer_columns_of_all_rows),
        TEST(a_schema_file_runs_whole_or_not_at_all),
        TEST(a_refused_row_is_named_by_its_table_and_never_shown),
        TEST(our_functions_speak_by_their_sqlstate),
        TEST(a_lock_that_is_held_is_temporary),
        TEST(a_deadlock_is_temporary_for_its_victim),
        TEST(a_rollback_undoes_and_a_close_rolls_back),
        TEST(a_snapshot_sees_one_moment),
        TEST(a_snapshot_is_shared_by_its_name),
        TEST(a_failed_transaction_cannot_be_committed),
        TEST(a_constraint_that_waits_for_the_end_refuses_the_commit),
        TEST(a_session_ended_by_the_server_is_temporary),
        TEST(a_session_ended_before_the_commit_says_that_nobody_knows),
        TEST(a_signal_cancels_at_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

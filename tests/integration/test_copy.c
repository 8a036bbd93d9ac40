/* SPDX-License-Identifier: MIT
 *
 * COPY keeps bytes, and ends as it should when it is cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <signal.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../unit/io/expect_bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "db_fixture.h"
#include "io/copy.h"

#define ALL_TYPES                                                                           \
    "io_test.t (id bigint, is_it boolean, at timestamptz, word text, raw bytea, doc jsonb," \
    " list text[])"
#define INTO_ALL_TYPES \
    "COPY io_test.t (id, is_it, at, word, raw, doc, list) FROM STDIN (FORMAT binary)"
#define FROM_ALL_TYPES \
    "COPY (SELECT id, is_it, at, word, raw, doc, list FROM io_test.t) TO STDOUT (FORMAT binary)"

static void put_row(struct copy *copy, int64_t id, const char *word, size_t length)
{
    assert_done(copy_row(copy, 7, &err));
    copy_int(copy, id);
    copy_bool(copy, true);
    copy_time(copy, INT64_C(1767323045678901)); /* 2026-01-02T03:04:05.678901Z */
    copy_text(copy, word, length);
    copy_bytes(copy, "\0\377\\", 3);
    static const char doc[] = "{\"k\": [1, \"\xc3\xa4\"]}";
    copy_jsonb(copy, doc, sizeof doc - 1);
    copy_text_list(copy, 2);
    copy_text(copy, "a,b", 3);
    copy_text(copy, "", 0);
}

static void every_type_keeps_its_bytes(void **state)
{
    (void)state;
    int64_t rows = 0;
    run(db, "CREATE TABLE " ALL_TYPES);
    struct copy *copy = copy_open(db, COPY(INTO_ALL_TYPES), NULL, &err);
    assert_non_null(copy);
    put_row(copy, INT64_C(-9007199254740993), "tab\tline\nback\\slash", 19);
    assert_done(copy_row(copy, 7, &err));
    for (int i = 0; i < 7; i++)
        copy_null(copy);
    assert_done(copy_row(copy, 7, &err)); /* taken back */
    copy_int(copy, 77);
    copy_take_back(copy);
    assert_done(copy_row(copy, 7, &err));
    copy_int(copy, INT64_MAX);
    copy_bool(copy, false);
    copy_time(copy, CLOCK_BEGINNING);
    copy_text(copy, "", 0);
    copy_bytes(copy, "", 0);
    copy_jsonb(copy, "null", 4);
    copy_text_list(copy, 0);
    assert_done(copy_end(copy, &rows, &err));
    copy_close(copy);
    assert_int_equal(rows, 3);
    assert_string_equal(
        ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.t"
                " WHERE id = -9007199254740993 AND is_it"
                "   AND at = '2026-01-02 03:04:05.678901+00'"
                "   AND word = E'tab\\tline\\nback\\\\slash' AND raw = '\\x00ff5c'"
                "   AND doc = '{\"k\": [1, \"\\u00e4\"]}' AND list = ARRAY['a,b', '']"
                "    OR id = 9223372036854775807 AND NOT is_it AND at = '-infinity' AND word = ''"
                "   AND raw = '' AND doc = 'null' AND list = '{}'"
                "    OR id IS NULL AND is_it IS NULL AND at IS NULL AND word IS NULL"
                "   AND raw IS NULL AND doc IS NULL AND list IS NULL"),
        "3");
}

static void many_rows_and_long_ones_arrive(void **state)
{
    (void)state;
    int64_t rows = 0;
    size_t length = 2 << 20;
    char *word = mem_alloc(length + 1);
    memset(word, 'w', length);
    run(db, "CREATE TABLE " ALL_TYPES);
    struct copy *copy = copy_open(db, COPY(INTO_ALL_TYPES), NULL, &err);
    for (int i = 0; i < 5000; i++)
        put_row(copy, i, word, i % 1000 == 500 ? length : 20);
    assert_done(copy_end(copy, &rows, &err));
    copy_close(copy);
    free(word);
    assert_int_equal(rows, 5000);
    assert_string_equal(ask(db, "SELECT pg_catalog.sum(pg_catalog.length(word)) AS value"
                                " FROM io_test.t"),
                        "10585660");
}

/* ---- refusals ---- */

static void a_refusal_in_the_middle_is_noticed_before_the_end(void **state)
{
    (void)state;
    size_t sent = 0;
    static char rows[65536];
    memset(rows, '\n', sizeof rows);
    run(db, "CREATE TABLE io_test.t (id bigint)");
    assert_done(db_copy_in(db, COPY("COPY io_test.t (id) FROM STDIN"), NULL, &err));
    memset(&err, 0, sizeof err);
    while (sent < ((size_t)1 << 30) && db_copy_put(db, rows, sizeof rows, &err))
        sent += sizeof rows;
    assert_string_equal(err.sqlstate, "22P02");
    assert_int_equal(err.status, STATUS_BUG);
    assert_in_range(sent, 0, 64 << 20);
    assert_done(db_begin(db, &err)); /* the session goes on */
}

static void a_refusal_at_the_end_is_told_there(void **state)
{
    (void)state;
    int64_t rows;
    run(db, "CREATE TABLE io_test.t (id bigint UNIQUE)");
    assert_done(db_copy_in(db, COPY("COPY io_test.t (id) FROM STDIN"), NULL, &err));
    assert_done(db_copy_put(db, "1\n1\n", 4, &err));
    assert_fails(db_copy_in_end(db, &rows, &err), STATUS_TEMPORARY);
    assert_string_equal(err.sqlstate, "23505");
}

static void a_session_ended_in_the_middle_is_temporary(void **state)
{
    (void)state;
    struct db *other = open_db();
    static char row[1000000];
    memset(row, 'x', sizeof row);
    row[sizeof row - 1] = '\n';
    run(db, "CREATE TABLE io_test.t (word text)");
    assert_done(db_set_label(db, "victim", 1, &err));
    assert_done(db_copy_in(db, COPY("COPY io_test.t (word) FROM STDIN"), NULL, &err));
    assert_string_equal(ask(other, "SELECT pg_catalog.pg_terminate_backend(pid, 10000) AS value"
                                   " FROM pg_catalog.pg_stat_activity"
                                   " WHERE application_name = 'factline victim/1'"),
                        "t");
    bool is_put = db_copy_put(db, row, sizeof row, &err);
    assert_false(is_put && db_copy_put(db, row, sizeof row, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    db_close(other);
}

static void a_copy_that_is_left_open_is_rolled_back(void **state)
{
    (void)state;
    run(db, "CREATE TABLE io_test.t (id bigint)");
    assert_done(db_begin(db, &err));
    assert_done(db_copy_in(db, COPY("COPY io_test.t (id) FROM STDIN"), NULL, &err));
    assert_done(db_copy_put(db, "1\n", 2, &err));
    db_rollback(db);
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.t"), "0");

    const char *bytes;
    size_t length;
    assert_done(db_begin(db, &err));
    assert_done(db_copy_out(
        db, COPY("COPY (SELECT pg_catalog.generate_series(1, 100000000)) TO STDOUT"), NULL, &err));
    assert_done(db_copy_get(db, &bytes, &length, &err));
    db_rollback(db);
    assert_string_equal(ask(db, "SELECT 1 AS value"), "1");
}

/* ---- settings ---- */

static const struct sql_param settings[] = {{"word", "text"}, {"missing", "text"}};
static const struct sql with_settings = {.name = "with_settings",
                                         .text =
                                             "COPY (SELECT current_setting('factline.word'),"
                                             " current_setting('factline.missing') = '') TO STDOUT",
                                         .params = settings,
                                         .param_count = 2,
                                         .is_copy = true};
static const struct db_value setting_values[] = {
    {"word", "it's; DROP \\x"}, {"missing", NULL}, {NULL, NULL}};

static void settings_reach_the_copy_and_null_is_empty(void **state)
{
    (void)state;
    const char *bytes;
    size_t length;
    int64_t rows;
    assert_done(db_begin(db, &err));
    assert_done(db_copy_out(db, &with_settings, setting_values, &err));
    assert_done(db_copy_get(db, &bytes, &length, &err));
    assert_int_equal(length, 17);
    assert_memory_equal(bytes, "it's; DROP \\\\x\tt\n", 17);
    assert_done(db_copy_get(db, &bytes, &length, &err));
    assert_int_equal(length, 0);
    assert_done(db_copy_out_end(db, &rows, &err));
    assert_int_equal(rows, 1);
    assert_done(db_commit(db, &err));
    assert_string_equal(
        ask(db, "SELECT pg_catalog.current_setting('factline.word', true) AS value"), "");
}

static void copy_without_transaction(void *data)
{
    (void)data;
    db_copy_out(db, &with_settings, setting_values, &err);
}

static void settings_without_a_transaction_are_a_bug(void **state)
{
    (void)state;
    expect_bug(copy_without_transaction, NULL, "begin one");
}

static void settings_on_a_lost_session_are_temporary(void **state)
{
    (void)state;
    struct db *other = open_db();
    assert_done(db_begin(db, &err));
    assert_done(db_set_label(db, "victim", 1, &err));
    assert_string_equal(ask(other, "SELECT pg_catalog.pg_terminate_backend(pid, 10000) AS value"
                                   " FROM pg_catalog.pg_stat_activity"
                                   " WHERE application_name = 'factline victim/1'"),
                        "t");
    assert_fails(db_copy_out(db, &with_settings, setting_values, &err), STATUS_TEMPORARY);
    assert_fails(db_explain(db, &with_settings, setting_values, NULL, &err), STATUS_TEMPORARY);
    assert_fails(
        db_run_schema(db, &(const struct sql_schema){.name = "s", .text = "SELECT 1"}, &err),
        STATUS_TEMPORARY);
    db_close(other);
}

/* ---- the relay ---- */

static void a_relay_moves_every_byte(void **state)
{
    (void)state;
    int64_t bytes = 0;
    run(db, "CREATE TABLE " ALL_TYPES);
    run(db, "INSERT INTO io_test.t (id, is_it, at, word, raw, doc, list)"
            " SELECT g, g % 2 = 0, pg_catalog.to_timestamp(g), pg_catalog.repeat('w', g % 300),"
            "        pg_catalog.decode(pg_catalog.md5(g::text), 'hex'), pg_catalog.to_jsonb(g),"
            "        ARRAY['a', NULL, g::text]"
            "   FROM pg_catalog.generate_series(1, 20000) AS g");
    run(db, "INSERT INTO io_test.t (id, word)"
            " VALUES (0, pg_catalog.repeat('w', 1000000)), (NULL, NULL)");
    run(db, "CREATE TABLE io_test.copied (LIKE io_test.t)");
    struct db *source = open_source();
    assert_done(db_begin_snapshot(source, &err) && db_begin(db, &err));
    struct copy_stream stream = {.db = source};
    assert_done(copy_relay(&stream, 1, COPY(FROM_ALL_TYPES), db,
                           COPY("COPY io_test.copied FROM STDIN (FORMAT binary)"), &bytes, &err));
    assert_done(db_commit(db, &err));
    db_close(source);
    assert_int_equal(stream.rows, 20002);
    assert_in_range(bytes, 4000000, 8000000);
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM"
                                " (TABLE io_test.t EXCEPT ALL TABLE io_test.copied) AS lost"),
                        "0");
}

static bool relay(struct db *source, const char *from, const char *to)
{
    int64_t bytes = 0;
    struct copy_stream stream = {.db = source};
    bool ok = copy_relay(&stream, 1, COPY(from), db, COPY(to), &bytes, &err);
    db_rollback(db);
    return ok;
}

static void a_relay_that_fails_on_either_side_tells_which(void **state)
{
    (void)state;
    static const char table[] = "COPY io_test.t (id) FROM STDIN (FORMAT binary)";
    run(db, "CREATE TABLE io_test.t (id bigint CHECK (id < 30000))");
    struct db *source = open_source();
    assert_done(db_begin_snapshot(source, &err) && db_begin(db, &err));
    assert_fails(relay(source,
                       "COPY (SELECT 10 / (20000 - g) FROM pg_catalog.generate_series(1::bigint,"
                       " 30000) AS g) TO STDOUT (FORMAT binary)",
                       table),
                 STATUS_DATA);
    assert_ptr_equal(strstr(err.message, "source refused"), err.message);
    db_close(source);
    source = open_source();
    assert_done(db_begin_snapshot(source, &err) && db_begin(db, &err));
    assert_fails(relay(source,
                       "COPY (SELECT pg_catalog.generate_series(1::bigint, 100000000))"
                       " TO STDOUT (FORMAT binary)",
                       table),
                 STATUS_BUG);
    assert_string_equal(err.sqlstate, "23514");
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.t"), "0");
    db_close(source);
}

static void rows_that_one_server_drops_fail_the_relay(void **state)
{
    (void)state;
    run(db, "CREATE TABLE io_test.t (id bigint)");
    struct db *source = open_source();
    assert_fails(relay(source,
                       "COPY (SELECT g FROM pg_catalog.generate_series(1::bigint, 3) AS g)"
                       " TO STDOUT (FORMAT binary)",
                       "COPY io_test.t (id) FROM STDIN (FORMAT binary) WHERE id <> 2"),
                 STATUS_TEMPORARY);
    assert_non_null(strstr(err.message, "sent 3 rows"));
    db_close(source);
}

/* ---- stops ---- */

static int relay_until_stopped(void)
{
    int64_t bytes = 0;
    interrupt_install();
    struct db *from = db_open_source(source_spec(), &err);
    struct db *to = db_open(&err);
    struct copy_stream stream = {.db = from};
    bool ok = from && to && db_set_label(from, "relaying", 1, &err) &&
              db_set_label(to, "relaying", 1, &err) && db_begin(to, &err) &&
              copy_relay(&stream, 1,
                         COPY("COPY (SELECT pg_catalog.generate_series(1::bigint,"
                              " 100000000000)) TO STDOUT (FORMAT binary)"),
                         to, COPY("COPY io_test.t (id) FROM STDIN (FORMAT binary)"), &bytes, &err);
    db_close(from);
    db_close(to);
    return !ok && err.status == STATUS_INTERRUPTED ? 0 : 1;
}

#define RELAYS                                                             \
    "SELECT pg_catalog.count(*) AS value FROM pg_catalog.pg_stat_activity" \
    " WHERE application_name = 'factline relaying/1'"

static void a_signal_ends_a_relay_at_both_servers(void **state)
{
    (void)state;
    run(db, "CREATE TABLE io_test.t (id bigint)");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(relay_until_stopped());
    wait_for(db, RELAYS " AND query LIKE 'COPY%' AND state = 'active'", "2");
    int64_t started = clock_monotonic();
    kill(child, SIGTERM);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_in_range(clock_monotonic() - started, 0, 3 * CLOCK_SECOND);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    wait_for(db, RELAYS, "0");
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.t"), "0");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(every_type_keeps_its_bytes),
        TEST(many_rows_and_long_ones_arrive),
        TEST(a_refusal_in_the_middle_is_noticed_before_the_end),
        TEST(a_refusal_at_the_end_is_told_there),
        TEST(a_session_ended_in_the_middle_is_temporary),
        TEST(a_copy_that_is_left_open_is_rolled_back),
        TEST(settings_reach_the_copy_and_null_is_empty),
        TEST(settings_without_a_transaction_are_a_bug),
        TEST(settings_on_a_lost_session_are_temporary),
        TEST(a_relay_moves_every_byte),
        TEST(a_relay_that_fails_on_either_side_tells_which),
        TEST(rows_that_one_server_drops_fail_the_relay),
        TEST(a_signal_ends_a_relay_at_both_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etl_world.h"

#define HOUR (3600 * CLOCK_SECOND)

static bool show(const char *workflow, bool is_json, int64_t max_lag)
{
    world_forget();
    world.task = "batch-status";
    return status_run(world.db, workflow, is_json, max_lag, &world.result, &world.err);
}

static const char *document(void)
{
    const char *text = result_get_document(&world.result);
    assert_non_null(text);
    return text;
}

static void assert_shown(const char *workflow, bool is_json, const char *part)
{
    if (!show(workflow, is_json, -1))
        fail_msg("%s", world.err.message);
    if (!strstr(document(), part))
        fail_msg("no \"%s\" in:\n%s", part, document());
}

/* A batch of a server, in SQL: its window ends so long ago. */
static void add_batch(const char *workflow, const char *state, const char *since_ago,
                      const char *until_ago, const char *source)
{
    char text[1024];
    snprintf(
        text, sizeof text,
        "WITH batch AS (INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until,"
        " state, rows_staged) VALUES ('%s', gen_random_uuid(), '', 'incremental',"
        " now() - interval '%s', now() - interval '%s', '%s', 5) RETURNING *)"
        " INSERT INTO etl.batch_source (batch_id, source, has_watermark, since, until)"
        " SELECT id, '%s', true, since, until FROM batch",
        workflow, since_ago, until_ago, state, source);
    world_sql(text);
}

/* ---- what is shown ---- */

static void nothing_was_ever_run(void **state)
{
    (void)state;
    assert_shown(NULL, false, "(no workflow has run yet)");
    assert_shown(NULL, true, "{\"workflows\":[]}\n");
    assert_true(show(NULL, true, 0));
}

static void a_named_workflow_is_shown_though_it_never_ran(void **state)
{
    (void)state;
    assert_shown("form", false, "form                   never");
    assert_shown("form", true,
                 "{\"workflows\":[{\"workflow\":\"form\",\"last_until\":null,\"lag_seconds\":null,"
                 "\"open\":0,"
                 "\"failed\":0,\"gaps\":0,\"rejects\":0,\"unconsumed\":0");
}

static void a_workflow_shows_how_it_stands(void **state)
{
    (void)state;
    add_batch("form", "complete", "10 h", "5 h", "a");
    add_batch("form", "complete", "3 h", "2 h", "a"); /* two hours are missing between */
    add_batch("form", "open", "2 h", "1 h", "a");
    add_batch("form", "staged", "2 h", "1 h", "a");
    add_batch("form", "failed", "2 h", "1 h", "a");
    add_batch("form", "superseded", "2 h", "1 h", "a");
    world_sql(
        "INSERT INTO etl.rejected_row (batch_id, feed, source, position, column_name,"
        " reason, bytes,"
        " full_length) VALUES (1, 'form', 'a', 1, '', 'bad_json', '', 0);"
        "INSERT INTO etl.rejected_row (batch_id, feed, source, position, column_name,"
        " reason, bytes,"
        " full_length, replayed_batch_id) VALUES (1, 'form', 'a', 1, '', 'bad_json', '', 0, 2)");
    assert_shown("form", true, "\"open\":2,\"failed\":1,\"gaps\":1,\"rejects\":1,\"unconsumed\":0");
    assert_non_null(strstr(document(), "\"lag_seconds\":720"));
    assert_shown("app_status_form", true, "\"unconsumed\":2");
    assert_shown("form", false, "2 h      2      1      1        1          0\n");
}

static void windows_that_overlap_or_touch_leave_no_gap(void **state)
{
    (void)state;
    add_batch("form", "complete", "10 h", "5 h", "a");
    add_batch("form", "complete", "6 h", "4 h", "a");
    add_batch("form", "complete", "4 h", "2 h", "a");
    add_batch("form", "complete", "10 h", "2 h", "b");
    world_sql("UPDATE etl.batch_source SET since = (SELECT until FROM etl.batch_source WHERE"
              " batch_id = 2)"
              " WHERE batch_id = 3");
    assert_shown("form", true, "\"gaps\":0");
}

static void a_lag_is_said_in_its_greatest_unit(void **state)
{
    static const struct {
        const char *ago, *said;
    } cases[] = {{"50 s", " 50 s "},      {"119 s", " 1"},      {"125 s", " 2 min "},
                 {"119 min", "119 min "}, {"121 min", " 2 h "}, {"47 h", " 47 h "},
                 {"49 h", " 2 d "},       {"900 d", "900 d "}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_empty_ledger();
        add_batch("form", "complete", "1000 d", cases[i].ago, "a");
        assert_shown("form", false, cases[i].said);
    }
}

static void what_an_operator_should_look_at_is_told(void **state)
{
    (void)state;
    add_batch("form", "complete", "5 h", "3 h", "a");
    add_batch("form", "complete", "3 h", "2 h", "b"); /* without a */
    add_batch("synclog", "open", "3 h", "2 h", "a");
    add_batch("form", "failed", "3 h", "2 h", "b");
    world_sql("UPDATE etl.batch SET failed_step = 'load-staging', failed_status = 75,"
              " failed_reason = 'lost; try again' WHERE state = 'failed';"
              "INSERT INTO etl.batch_step (batch_id, attempt, step, run_key, host, backend,"
              " backend_start)"
              " VALUES (3, 1, 'load-staging', '', '', 0, now());"
              "INSERT INTO etl.pending_unit (workflow, unit, batch_id, reason)"
              " VALUES ('form', 'u', 1, 'odd')");
    assert_shown(NULL, false,
                 "\nform: batch 4 failed in load-staging with status 75: lost; try again\n");
    assert_non_null(
        strstr(document(), "synclog: batch 3, attempt 1 of load-staging never came back\n"));
    assert_non_null(strstr(document(), "form: source a was left out of the last batch\n"));
    assert_non_null(strstr(document(), "form: unit u could not be computed: odd\n"));
    assert_true(show("synclog", false, -1));
    assert_null(strstr(document(), "form: "));
}

/* ---- the gate ---- */

static void a_workflow_that_is_older_than_allowed_is_stale(void **state)
{
    (void)state;
    add_batch("form", "complete", "5 h", "2 h", "a");
    assert_true(show("form", true, 3 * HOUR));
    assert_true(show(NULL, true, 3 * HOUR));
    assert_false(show("form", true, HOUR));
    assert_failed(STATUS_STALE, "workflow \"form\" is 720");
    assert_non_null(strstr(document(), "\"workflow\":\"form\"")); /* it is shown nevertheless */
    assert_false(show(NULL, false, HOUR));
    assert_failed(STATUS_STALE, "workflow \"form\"");
}

static void a_workflow_that_never_completed_is_stale(void **state)
{
    (void)state;
    assert_false(show("form", true, 3 * HOUR));
    assert_failed(STATUS_STALE, "has never completed");
    add_batch("form", "open", "5 h", "2 h", "a");
    assert_false(show(NULL, true, 3 * HOUR));
    assert_failed(STATUS_STALE, "\"form\" has never completed");
}

static void the_schema_must_fit(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    bool ok = show(NULL, false, -1);
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_false(ok);
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

static void nothing(void)
{
}

static bool show_all(void)
{
    return show(NULL, false, -1);
}

static void each_failure_is_told(void **state)
{
    (void)state;
    world_run_with_each_failure(nothing, show_all, nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_was_ever_run),
        TEST(a_named_workflow_is_shown_though_it_never_ran),
        TEST(a_workflow_shows_how_it_stands),
        TEST(windows_that_overlap_or_touch_leave_no_gap),
        TEST(a_lag_is_said_in_its_greatest_unit),
        TEST(what_an_operator_should_look_at_is_told),
        TEST(a_workflow_that_is_older_than_allowed_is_stale),
        TEST(a_workflow_that_never_completed_is_stale),
        TEST(the_schema_must_fit),
        TEST(each_failure_is_told),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "form_world.h"

static const struct derive_options everything = {.from = CLOCK_BEGINNING, .to = INT64_MAX};

static bool derive(struct derive_options options)
{
    world_forget();
    world.task = "app-status-from-fact";
    return derive_run(world.db, pipeline_find_derivation(world.task, "form"), &options,
                      &world.result, &world.err);
}

static void assert_derived(struct derive_options options, const char *status)
{
    if (!derive(options))
        fail_msg("%d: %s", (int)world.err.status, world.err.message);
    assert_string_equal(world_status(), status);
}

/* The list of batches in the result line. */
static void assert_batches(const char *expected)
{
    struct str line;
    char part[128];
    str_init(&line);
    result_format(&world.result, &line);
    snprintf(part, sizeof part, "\"batches\":%s,", expected);
    if (!strstr(line.text, part))
        fail_msg("no %s in %s", part, line.text);
    str_release(&line);
}

/* A batch of forms, in the facts. */
static void add_forms(const char *text)
{
    char id[32];
    const char *run_key = world.common.run_key;
    world.common.run_key = NULL;
    world_load("form", world_file(text), "done");
    snprintf(id, sizeof id, "%s", world_batch_id());
    world_move("form", id, "done");
    world.common.run_key = run_key;
}

static void assert_status(const char *expected)
{
    assert_value("SELECT COALESCE(string_agg(concat_ws(' ', u.user_id, s.last_form_id), ', '"
                 " ORDER BY u.user_id), '') FROM warehouse.app_status_fact AS s"
                 " JOIN warehouse.user_dim AS u ON u.id = s.user_dim_id",
                 expected);
}

/* ---- what is derived ---- */

static void without_batches_there_is_nothing_to_do_and_no_batch(void **state)
{
    (void)state;
    assert_derived(everything, "nothing-to-do");
    assert_string_equal(world_batch_id(), "");
    assert_batches("[]");
    assert_value("SELECT count(*) FROM etl.batch", "0");
}

static void the_first_run_starts_from_all_facts(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    add_forms(FORM("f3", "u1", "2024-03-05T00:00:00Z"));
    world_sql("DELETE FROM warehouse.form_change_log"); /* it needs no log */
    assert_derived(everything, "done");
    assert_batches("[\"1\",\"2\"]");
    assert_int_equal(world_count("rows_inserted"), 2);
    assert_status("u1 f3, u2 f2");
    assert_value("SELECT string_agg(concat_ws(' ', consumer, source_batch_id, batch_id), ', '"
                 " ORDER BY source_batch_id) FROM etl.batch_consumption",
                 "app_status_form 1 3, app_status_form 2 3");
    assert_value("SELECT concat_ws(' ', workflow, state, fingerprint, until = (SELECT max(until)"
                 " FROM etl.batch"
                 " WHERE workflow = 'form')) FROM etl.batch WHERE id = 3",
                 "app_status_form complete unconsumed t");
    assert_value("SELECT step || ' ' || outcome FROM etl.batch_step WHERE batch_id = 3",
                 "app-status-from-fact done");
}

static void the_next_run_starts_from_what_changed(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    assert_derived(everything, "done");
    assert_derived(everything, "nothing-to-do");
    world_sql("DELETE FROM warehouse.app_status_fact"); /* what nothing touches is not looked at */
    add_forms(FORM("f3", "u1", "2024-03-05T00:00:00Z"));
    assert_derived(everything, "done");
    assert_batches("[\"3\"]");
    assert_int_equal(world_count("keys_touched"), 1);
    assert_status("u1 f3");
}

static void a_batch_that_completes_late_is_consumed_late(void **state)
{
    (void)state;
    world_load("form", world_file(FORM("f1", "u1", "2024-01-05T00:00:00Z")), "done");
    add_forms(FORM("f2", "u2", "2024-02-05T00:00:00Z"));
    assert_derived(everything, "done");
    assert_batches("[\"2\"]");
    world_move("form", "1", "done");
    assert_derived(everything, "done");
    assert_batches("[\"1\"]");
    assert_status("u1 f1, u2 f2");
}

static void force_recomputes_all_keys(void **state)
{
    (void)state;
    world.common.force = true;
    assert_derived(everything, "done"); /* of no facts */
    world.common.force = false;
    add_forms(TWO_FORMS);
    assert_derived(everything, "done");
    world_sql("DELETE FROM warehouse.app_status_fact");
    world.common.force = true;
    assert_derived(everything, "done");
    assert_batches("[]");
    assert_status("u1 f1, u2 f2");
}

/* ---- ranges ---- */

static struct derive_options all_again(void)
{
    struct derive_options options = everything;
    options.is_range = true;
    options.to = clock_now() + CLOCK_DAY;
    return options;
}

static void a_range_selects_batches_again(void **state)
{
    struct derive_options options = all_again();
    (void)state;
    add_forms(TWO_FORMS);
    assert_derived(everything, "done");
    world_sql("DELETE FROM warehouse.app_status_fact");
    assert_derived(options, "done");
    assert_batches("[\"1\"]");
    assert_status("u1 f1, u2 f2");
    assert_value("SELECT kind FROM etl.batch WHERE id = 3", "backfill");
    assert_value("SELECT batch_id FROM etl.batch_consumption", "3");

    options.from = clock_now() + CLOCK_DAY / 2;
    assert_derived(options, "nothing-to-do");
    options.from = CLOCK_BEGINNING;
    options.to = clock_now() - CLOCK_DAY;
    assert_derived(options, "nothing-to-do");
}

static void a_range_whose_log_was_cleared_is_refused(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    assert_derived(everything, "done");
    world_sql("UPDATE etl.batch SET log_cleared_at = now() WHERE id = 1");
    assert_false(derive(all_again()));
    assert_failed(STATUS_DATA, "pass --force");
    world.common.force = true;
    assert_derived(all_again(), "done");
}

/* ---- which batch ---- */

static void a_second_run_answers_what_the_first_one_said(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    world.common.run_key = "k";
    assert_derived(everything, "done");
    add_forms(FORM("f3", "u1", "2024-03-05T00:00:00Z"));
    assert_derived(everything, "already-done");
    world.common.run_key = "next";
    assert_derived(everything, "done");
    world.common.batch_id = "2";
    assert_derived(everything, "already-done");
    world.common.batch_id = "9";
    assert_false(derive(everything));
    assert_failed(STATUS_USAGE, "there is no batch \"9\"");
}

/* A batch of the key that was opened, and whose step failed. */
static void leave_open(const char *fingerprint)
{
    char text[512];
    snprintf(text, sizeof text,
             "INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until, state)"
             " VALUES ('app_status_form', 'k', '%s', 'incremental', '-infinity', 'now', 'failed')",
             fingerprint);
    world_sql(text);
    world.common.run_key = "k";
}

static void a_failed_run_is_taken_up_again(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    leave_open("unconsumed");
    assert_derived(everything, "done");
    assert_string_equal(world_batch_id(), "2");
    assert_status("u1 f1, u2 f2");
}

static void a_run_key_is_for_one_selection(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    leave_open("unconsumed");
    assert_false(derive(all_again()));
    assert_failed(STATUS_USAGE, "opened for other batches; pass --run-key");
    assert_derived(everything, "done"); /* and when it is through */
    assert_false(derive(all_again()));
    assert_failed(STATUS_USAGE, "opened for other batches; pass --run-key");
}

static void a_forced_run_follows_on_the_latest_of_its_key(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    assert_derived(everything, "done");
    world.common.force = true;
    world.common.batch_id = "2";
    assert_derived(everything, "done");
    assert_string_equal(world_batch_id(), "3");
    assert_derived(everything, "done"); /* not the second's answer */
    assert_string_equal(world_batch_id(), "4");
}

static void what_another_run_consumed_meanwhile_is_not_done_again(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    assert_derived(everything, "done");
    leave_open("unconsumed");
    assert_derived(everything, "nothing-to-do");
    assert_string_equal(world_batch_id(), "3");
    assert_value("SELECT state FROM etl.batch WHERE id = 3", "complete");
}

static void a_twin_that_finished_meanwhile_is_answered_from(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    world.common.run_key = "k";
    assert_derived(everything, "done");
    world_sql("UPDATE etl.batch SET state = 'open' WHERE id = 2");
    world_replace("holder", "WITH twin AS (UPDATE etl.batch SET state = 'complete' WHERE id = 2)"
                            " SELECT false AS is_alive");
    assert_derived(everything, "already-done");
}

static void the_schema_must_fit(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    bool ok = derive(everything);
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_false(ok);
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

static void a_busy_target_is_waited_for_but_not_for_ever(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    int other = world_session(false);
    world_session_sql(
        other, "BEGIN; SELECT FROM etl.target WHERE name = 'warehouse.app_status_fact' FOR UPDATE");
    world.common.lock_timeout = CLOCK_SECOND / 5;
    world_reconnect();
    assert_false(derive(everything));
    assert_failed(STATUS_TEMPORARY, "55P03");
    assert_value("SELECT state FROM etl.batch WHERE id = 2", "failed");
    assert_value("SELECT count(*) FROM etl.batch_consumption", "0");
}

/* ---- --dry-run ---- */

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    world.common.dry_run = true;
    assert_derived(everything, "nothing-to-do");
    assert_value("SELECT count(*) FROM etl.batch", "1");
    assert_status("");
    world.common.dry_run = false;
    assert_derived(everything, "done");
    add_forms(FORM("f3", "u1", "2024-03-05T00:00:00Z"));
    world.common.dry_run = true;
    assert_derived(everything, "nothing-to-do");
    assert_value("SELECT count(*) FROM etl.batch_consumption", "1");
}

/* ---- failures ---- */

static void prepare(void)
{
    world.common.dry_run = false;
    world_sql("DELETE FROM etl.batch_consumption;"
              "DELETE FROM etl.batch_step WHERE batch_id > 1; DELETE FROM etl.batch WHERE id > 1;"
              "DELETE FROM warehouse.app_status_fact");
    world.common.run_key = "k";
}

static void prepare_dry(void)
{
    prepare();
    world.common.dry_run = true;
}

static void prepare_unnamed(void)
{
    prepare();
    world.common.run_key = NULL;
}

static void prepare_done(void)
{
    prepare();
    assert_derived(everything, "done");
}

static bool derive_all(void)
{
    return derive(everything);
}

static void check(void)
{
    assert_status("u1 f1, u2 f2");
    assert_value("SELECT count(*) FROM etl.batch_consumption", "1");
    assert_value("SELECT string_agg(state, ' ') FROM etl.batch WHERE id > 1", "complete");
    assert_value("SELECT count(*) FROM etl.batch_step WHERE ended_at IS NULL", "0");
}

static void nothing(void)
{
}

static void wherever_it_fails_the_next_try_derives_it_once(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    world_run_with_each_failure(prepare, derive_all, check);
    world_run_with_each_failure(prepare_done, derive_all, check);
    world_run_with_each_failure(prepare_dry, derive_all, nothing);
    world_run_with_each_failure(prepare_unnamed, derive_all, nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_batches_there_is_nothing_to_do_and_no_batch),
        TEST(the_first_run_starts_from_all_facts),
        TEST(the_next_run_starts_from_what_changed),
        TEST(a_batch_that_completes_late_is_consumed_late),
        TEST(force_recomputes_all_keys),
        TEST(a_range_selects_batches_again),
        TEST(a_range_whose_log_was_cleared_is_refused),
        TEST(a_second_run_answers_what_the_first_one_said),
        TEST(a_failed_run_is_taken_up_again),
        TEST(a_run_key_is_for_one_selection),
        TEST(a_forced_run_follows_on_the_latest_of_its_key),
        TEST(what_another_run_consumed_meanwhile_is_not_done_again),
        TEST(a_twin_that_finished_meanwhile_is_answered_from),
        TEST(the_schema_must_fit),
        TEST(a_busy_target_is_waited_for_but_not_for_ever),
        TEST(a_dry_run_writes_nothing),
        TEST(wherever_it_fails_the_next_try_derives_it_once),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

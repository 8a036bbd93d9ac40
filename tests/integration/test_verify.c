/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etl/derive.h"
#include "form_world.h"

static bool verify(bool is_repair)
{
    world_forget();
    world.task = "verify-app-status";
    return verify_run(world.db, pipeline_find_verification(world.task), is_repair, &world.result,
                      &world.err);
}

static void assert_verified(bool is_repair)
{
    if (!verify(is_repair))
        fail_msg("%d: %s", (int)world.err.status, world.err.message);
    assert_string_equal(world_status(), "done");
}

static void add_forms(const char *text)
{
    char id[32];
    world_load("form", world_file(text), "done");
    snprintf(id, sizeof id, "%s", world_batch_id());
    world_move("form", id, "done");
}

static void derive(void)
{
    const struct derive_options everything = {.from = CLOCK_BEGINNING, .to = INT64_MAX};
    world_forget();
    world.task = "app-status-from-fact";
    assert_true(derive_run(world.db, pipeline_find_derivation(world.task, "form"), &everything,
                           &world.result, &world.err));
}

static void three_drifts(void)
{
    world_sql("INSERT INTO warehouse.app_status_fact"
              " SELECT (jsonb_populate_record(status, '{\"user_dim_id\": 999999}')).*"
              " FROM warehouse.app_status_fact AS status LIMIT 1;"
              "DELETE FROM warehouse.app_status_fact WHERE user_dim_id ="
              " (SELECT id FROM warehouse.user_dim WHERE user_id = 'u1');"
              "UPDATE warehouse.app_status_fact SET last_form_id = 'x' WHERE user_dim_id ="
              " (SELECT id FROM warehouse.user_dim WHERE user_id = 'u2')");
}

static void a_table_that_is_right_is_only_looked_at(void **state)
{
    (void)state;
    assert_verified(false); /* an empty one, too */
    add_forms(TWO_FORMS);
    derive();
    assert_verified(false);
    assert_int_equal(world_count("rows_checked"), 2);
    assert_int_equal(world_count("rows_missing"), 0);
    assert_int_equal(world_count("rows_extra"), 0);
    assert_int_equal(world_count("rows_different"), 0);
    assert_int_equal(world_count("rows_pending"), 0);
    assert_int_equal(world_count("rows_repaired"), 0);
    assert_verified(true);
    assert_int_equal(world_count("rows_repaired"), 0);
}

static void drift_is_a_failure_that_names_its_kinds(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    derive();
    three_drifts();
    assert_false(verify(false));
    assert_failed(STATUS_DATA, "1 rows are missing, 1 too many, 1 different; pass --repair");
}

static void a_repair_writes_what_differs(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    derive();
    three_drifts();
    assert_verified(true);
    assert_int_equal(world_count("rows_missing"), 1);
    assert_int_equal(world_count("rows_repaired"), 3);
    assert_value("SELECT count(*) FROM warehouse.app_status_fact WHERE batch_id IS NULL", "2");
    assert_verified(false);
}

static void a_dry_run_repairs_nothing(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    derive();
    three_drifts();
    world.common.dry_run = true;
    assert_false(verify(true));
    assert_failed(STATUS_DATA, "pass --repair");
    assert_value("SELECT count(*) FROM warehouse.app_status_fact", "2");
}

static void what_is_not_derived_yet_is_pending_and_no_drift(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    derive();
    add_forms(FORM("f3", "u1", "2024-03-05T00:00:00Z") FORM("f4", "u3", "2024-03-05T00:00:00Z"));
    assert_verified(false);
    assert_int_equal(world_count("rows_pending"), 2);
    derive();
    assert_verified(false);
    assert_int_equal(world_count("rows_pending"), 0);
}

static void a_repair_waits_for_the_step_but_not_for_ever(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    derive();
    three_drifts();
    int other = world_session(false);
    world_session_sql(
        other, "BEGIN; SELECT FROM etl.target WHERE name = 'warehouse.app_status_fact' FOR UPDATE");
    world.common.lock_timeout = CLOCK_SECOND / 5;
    world_reconnect();
    assert_false(verify(true));
    assert_failed(STATUS_TEMPORARY, "55P03");
}

static void the_schema_must_fit(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    bool ok = verify(false);
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_false(ok);
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

static void prepare(void)
{
    world_sql("DELETE FROM warehouse.app_status_fact");
}

static bool repair(void)
{
    return verify(true);
}

static void check(void)
{
    assert_value("SELECT count(*) FROM warehouse.app_status_fact", "2");
}

static void wherever_it_fails_the_next_try_repairs_it(void **state)
{
    (void)state;
    add_forms(TWO_FORMS);
    derive();
    world_run_with_each_failure(prepare, repair, check);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_table_that_is_right_is_only_looked_at),
        TEST(drift_is_a_failure_that_names_its_kinds),
        TEST(a_repair_writes_what_differs),
        TEST(a_dry_run_repairs_nothing),
        TEST(what_is_not_derived_yet_is_pending_and_no_drift),
        TEST(a_repair_waits_for_the_step_but_not_for_ever),
        TEST(the_schema_must_fit),
        TEST(wherever_it_fails_the_next_try_repairs_it),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

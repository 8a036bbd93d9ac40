/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/stage_reconcile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "etl_world.h"

#define USER(id)                                                           \
    "{\"_id\":\"" id "\",\"doc_type\":\"CommCareUser\",\"username\":\"" id \
    "\",\"last_modified\":\"2024-01-05T00:00:00Z\"}\n"
#define KEY(id) "{\"_id\":\"" id "\"}\n"

static const char *list;

/* Two users of a project, known to the warehouse; the list lacks one. */
static void prepare(void)
{
    world_empty_ledger();
    world_sql("DELETE FROM staging.user; DELETE FROM warehouse.user_dim WHERE id > 0");
    world.common.run_key = NULL;
    world_load("user", world_file(USER("asha") USER("bina")), "done");
    world_move("user", world_batch_id(), "done");
    list = world_file(KEY("asha"));
    world.common.run_key = "k";
    world_forget();
}

static bool reconcile(void)
{
    struct stage_options options = world_options(list);
    options.reconcile = true;
    return world_stage("user", options);
}

static void check(void)
{
    assert_value("SELECT concat_ws(' ', user_id, is_tombstone, line_no)"
                 "  FROM staging.user JOIN etl.batch ON batch.id = batch_id"
                 " WHERE batch.run_key = 'k'"
                 "   AND version_time = until - interval '15 minutes'"
                 "   AND staging.user.read_number = batch.read_number",
                 "bina t 1");
    assert_value("SELECT concat_ws(' ', kind, state, rows_read, rows_staged, rows_skipped)"
                 " FROM etl.batch WHERE run_key = 'k'",
                 "backfill staged 1 1 1");
}

static void keys_give_way_to_tombstones(void **state)
{
    (void)state;
    prepare();
    assert_true(reconcile());
    assert_string_equal(world_status(), "done");
    check();
    world_move("user", "2", "done");
    assert_value("SELECT string_agg(user_id, ' ') FROM warehouse.user_dim WHERE deleted", "bina");
}

static void wherever_it_fails_the_next_try_finds_the_same(void **state)
{
    (void)state;
    world_run_with_each_failure(prepare, reconcile, check);
}

static void a_dry_run_shows_the_statement_once(void **state)
{
    (void)state;
    prepare();
    world.common.dry_run = true;
    assert_true(reconcile());
    assert_string_equal(world_status(), "nothing-to-do");
    assert_value("SELECT count(*) FROM etl.batch", "1");
}

/* Of several servers that are read whole the list is as old as the first snapshot. */
static void servers_that_show_nothing_give_an_empty_list(void **state)
{
    struct source items[] = {{.clock = 300}, {.clock = 200}, {.clock = 400}};
    struct batch batch = {.id_text = "7", .read_number = 9};
    const struct stage_options options = {.expect_rows = -1, .jobs = 1};
    struct stage stage = {.db = world.db,
                          .feed = pipeline_find_feed("course_access_role"),
                          .options = &options,
                          .batch = &batch,
                          .sources = {.items = items, .count = 3, .are_servers = true}};
    (void)state;
    world_sql("CREATE TABLE staging.part PARTITION OF staging.course_access_role DEFAULT");
    world_sql(
        "INSERT INTO warehouse.course_access_role_dim (user_id, org, course_id, role,"
        " version_time, read_number, batch_id) SELECT n, 'o', '', 'staff', 'epoch'::timestamptz"
        " + n * interval '1 microsecond', 1, 1 FROM unnest(ARRAY[200, 201]) AS n");
    stage.counts.read = 1;
    assert_true(stage_reconcile(&stage, &world.err));
    assert_int_equal(stage.counts.staged, 0);
    stage.counts.read = 0;
    assert_true(stage_reconcile(&stage, &world.err));
    assert_int_equal(stage.counts.read, 1);
    assert_int_equal(stage.counts.staged, 1);
    assert_value("SELECT string_agg(user_id::text, ' ') FROM staging.course_access_role", "200");
    world_sql("DROP TABLE staging.part; DELETE FROM warehouse.course_access_role_dim");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_give_way_to_tombstones),
        TEST(wherever_it_fails_the_next_try_finds_the_same),
        TEST(a_dry_run_shows_the_statement_once),
        TEST(servers_that_show_nothing_give_an_empty_list),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

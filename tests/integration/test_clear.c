/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/clear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "form_world.h"

#define KEEP (30 * CLOCK_DAY)

static bool clear(const char *workflow, int64_t keep_staging, int64_t keep_rejects)
{
    world_forget();
    world.task = "clear-staging";
    return clear_run(world.db, workflow, keep_staging, keep_rejects, &world.result, &world.err);
}

static void assert_cleared(const char *workflow, int64_t rows)
{
    if (!clear(workflow, KEEP, KEEP))
        fail_msg("%s", world.err.message);
    assert_int_equal(world_count("rows_deleted"), rows);
    assert_string_equal(world_status(), rows > 0 ? "done" : "nothing-to-do");
}

static void staging_of_what_is_over_is_dropped(void **state)
{
    (void)state;
    world_load("form", world_file(TWO_FORMS), "done");
    world_load("form", world_file(TWO_FORMS), "done");
    world_load("form", world_file(TWO_FORMS), "done");
    world_sql("UPDATE etl.batch SET state = 'complete' WHERE id = 1;"
              "UPDATE etl.batch SET state = 'superseded' WHERE id = 2;"
              "DELETE FROM etl.consumer WHERE source_workflow = 'form'");
    assert_cleared(NULL, 4);
    assert_value("SELECT string_agg(DISTINCT batch_id::text, ' ') FROM staging.form", "3");
    assert_cleared(NULL, 0);
    world_sql("INSERT INTO etl.consumer VALUES ('app_status_form', 'form')");
}

static void staging_that_is_older_than_the_retention_is_dropped(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    assert_cleared(NULL, 0);
    world_sql("UPDATE etl.batch SET staged_at = now() - interval '31 d'");
    assert_cleared(NULL, 2);
    world_load("form", path, "done"); /* the count in the ledger tells that it went */
    assert_value("SELECT count(*) FROM staging.form", "2");
}

static void a_log_is_kept_until_every_consumer_is_through(void **state)
{
    (void)state;
    world_load("form", world_file(TWO_FORMS), "done");
    world_move("form", "1", "done");
    assert_cleared(NULL, 2); /* staging alone */
    assert_value("SELECT count(*) FROM warehouse.form_change_log", "2");
    world_sql("INSERT INTO etl.batch_consumption VALUES ('app_status_form', 1, 1)");
    assert_cleared(NULL, 2);
    assert_value("SELECT count(*) FROM warehouse.form_change_log", "0");
    assert_value("SELECT log_cleared_at IS NOT NULL FROM etl.batch", "t");
    assert_cleared(NULL, 0);
}

static void rejects_go_after_their_retention(void **state)
{
    (void)state;
    world_load("form", world_file(BAD_FORM BAD_FORM), "done");
    assert_cleared(NULL, 0);
    world_sql(
        "UPDATE etl.rejected_row SET rejected_at = now() - interval '31 d' WHERE position = 1");
    assert_cleared(NULL, 1);
    assert_value("SELECT string_agg(position::text, ' ') FROM etl.rejected_row", "2");
}

static void a_named_workflow_is_cleared_alone(void **state)
{
    (void)state;
    world_load("form", world_file(TWO_FORMS), "done");
    world_sql("UPDATE etl.batch SET state = 'superseded'");
    assert_cleared("synclog", 0);
    assert_value("SELECT count(*) FROM staging.form", "2");
    assert_cleared("form", 2);
}

static void a_dry_run_drops_nothing(void **state)
{
    (void)state;
    world_load("form", world_file(TWO_FORMS), "done");
    world_sql("UPDATE etl.batch SET state = 'superseded'");
    world.common.dry_run = true;
    assert_true(clear(NULL, KEEP, KEEP));
    assert_int_equal(world_count("rows_deleted"), 0);
    assert_value("SELECT count(*) FROM staging.form", "2");
}

static void a_batch_that_is_worked_on_is_left_alone(void **state)
{
    (void)state;
    world_load("form", world_file(TWO_FORMS), "done");
    world_sql("UPDATE etl.batch SET staged_at = now() - interval '31 d'");
    int step = world_session(false);
    world_session_sql(step, "BEGIN; SELECT FROM etl.batch FOR UPDATE");
    assert_cleared(NULL, 0);
    assert_value("SELECT count(*) FROM staging.form", "2");
}

static void the_schema_must_fit(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    bool ok = clear("form", KEEP, KEEP);
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_false(ok);
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

static void prepare(void)
{
    world_empty_ledger();
    world_sql("DELETE FROM staging.form");
    world_load("form", world_file(TWO_FORMS), "done");
    world_sql("UPDATE etl.batch SET state = 'superseded'");
}

static bool clear_all(void)
{
    return clear(NULL, KEEP, KEEP);
}

static void check(void)
{
    assert_value("SELECT count(*) FROM staging.form", "0");
}

static void wherever_it_fails_the_next_try_clears(void **state)
{
    (void)state;
    world_run_with_each_failure(prepare, clear_all, check);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(staging_of_what_is_over_is_dropped),
        TEST(staging_that_is_older_than_the_retention_is_dropped),
        TEST(a_log_is_kept_until_every_consumer_is_through),
        TEST(rejects_go_after_their_retention),
        TEST(a_named_workflow_is_cleared_alone),
        TEST(a_dry_run_drops_nothing),
        TEST(a_batch_that_is_worked_on_is_left_alone),
        TEST(the_schema_must_fit),
        TEST(wherever_it_fails_the_next_try_clears),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

/* SPDX-License-Identifier: MIT
 *
 * Migrations, over a pipeline of the test's own in the place of those built in.
 */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "etl_world.h"

/* ---- the pipeline ---- */

static struct feed apple = {
    .name = "apple", .target = "warehouse.apple_fact", .change_log = "warehouse.apple_change_log"};
static const struct feed pear = {.name = "pear", .target = "warehouse.apple_fact"};
static const struct feed *const feeds[] = {&apple, &pear, NULL};
static const char *const sources[] = {"apple", NULL};
static const struct derivation juice = {
    .workflow = "juice", .target = "warehouse.juice_fact", .sources = sources};
static const struct derivation *const derivations[] = {&juice, NULL};

static const struct sql_schema first = {.number = 1,
                                        .name = "0001_apple",
                                        .text = "CREATE TABLE warehouse.apple_fact (id bigint);"
                                                "CREATE TABLE warehouse.juice_fact (id bigint);",
                                        .works_from = 1};
static const struct sql_schema second = {.number = 2,
                                         .name = "0002_size",
                                         .works_from = 2,
                                         .text =
                                             "ALTER TABLE warehouse.apple_fact ADD size bigint;"};
static const struct sql_schema slow = {
    .number = 3,
    .name = "0003_index",
    .text = "CREATE INDEX apple_size ON warehouse.apple_fact (size);",
    .works_from = 1,
    .is_slow = true};
static const struct sql_schema last = {.number = 4,
                                       .name = "0004_colour",
                                       .text = "ALTER TABLE warehouse.apple_fact ADD colour text;",
                                       .works_from = 1};
static const struct sql_schema broken = {.number = 5,
                                         .name = "0005_broken",
                                         .text = "CREATE TABLE warehouse.apple_fact ();",
                                         .works_from = 1};

/* What the program was built with; a test lengthens it. */
static const struct sql_schema *files[6];
static const struct pipeline fruit = {
    .name = "fruit", .feeds = feeds, .derivations = derivations, .schema = files};
static const struct pipeline barren = {.name = "barren",
                                       .feeds = (const struct feed *const[]){NULL},
                                       .schema = (const struct sql_schema *const[]){NULL}};
const struct pipeline *const pipeline_list[] = {&fruit, &barren, NULL};

static void build_with(const struct sql_schema *a, const struct sql_schema *b,
                       const struct sql_schema *c, const struct sql_schema *d,
                       const struct sql_schema *e)
{
    const struct sql_schema *const all[] = {a, b, c, d, e, NULL};
    memcpy(files, all, sizeof all);
}

static void drop_all(void)
{
    world_sql("DROP SCHEMA IF EXISTS etl CASCADE; DROP SCHEMA IF EXISTS staging CASCADE;"
              "DROP SCHEMA IF EXISTS warehouse CASCADE");
}

static int set_up(void **state)
{
    (void)state;
    world.common = (struct task_common){.lock_timeout = 10 * CLOCK_SECOND};
    world.task = "migrate-warehouse";
    build_with(&first, NULL, NULL, NULL, NULL);
    apple.change_log = "warehouse.apple_change_log";
    drop_all();
    world_reconnect();
    return 0;
}

static bool migrate(const char *phase)
{
    world_forget();
    return migrate_run(world.db, phase, &world.result, &world.err);
}

/* etl_files: how many the ledger has. */
static void assert_migrated(const char *phase, int64_t own_files, bool with_ledger)
{
    if (!migrate(phase))
        fail_msg("%d: %s", (int)world.err.status, world.err.message);
    int64_t ledger = with_ledger ? atoll(world_value("SELECT count(*) FROM etl.schema_version"
                                                     " WHERE component = 'etl'"))
                                 : 0;
    assert_int_equal(world_count("migrations_applied"), own_files + ledger);
    assert_string_equal(world_status(), own_files + ledger > 0 ? "done" : "nothing-to-do");
    assert_string_equal(world_batch_id(), "");
}

static void assert_numbers(const char *expected)
{
    assert_value("SELECT COALESCE(string_agg(number || '/' || works_from, ' ' ORDER BY number), '')"
                 " FROM etl.schema_version WHERE component = 'fruit'",
                 expected);
}

/* ---- files ---- */

static void an_empty_database_gets_all_files_and_the_workflows(void **state)
{
    (void)state;
    build_with(&first, &second, NULL, NULL, NULL);
    assert_migrated(NULL, 2, true);
    assert_numbers("1/1 2/2");
    assert_value("SELECT string_agg(concat_ws(' ', name, pipeline, kind, target, change_log), ', '"
                 " ORDER BY name) FROM etl.workflow",
                 "apple fruit feed warehouse.apple_fact warehouse.apple_change_log, "
                 "juice fruit derived warehouse.juice_fact, pear fruit feed warehouse.apple_fact");
    assert_value("SELECT string_agg(name, ' ' ORDER BY name) FROM etl.target",
                 "warehouse.apple_fact warehouse.juice_fact");
    assert_value("SELECT consumer || ' ' || source_workflow FROM etl.consumer", "juice apple");
}

static void a_second_run_changes_nothing(void **state)
{
    (void)state;
    assert_migrated(NULL, 1, true);
    const char *before = world_value("SELECT string_agg(xmin::text, ' ') FROM etl.workflow");
    assert_migrated(NULL, 0, false);
    assert_value("SELECT string_agg(xmin::text, ' ') FROM etl.workflow", before);
}

static void a_newer_program_applies_what_is_missing(void **state)
{
    (void)state;
    assert_migrated(NULL, 1, true);
    build_with(&first, &second, NULL, NULL, NULL);
    apple.change_log = "warehouse.other_log";
    assert_migrated(NULL, 1, false);
    assert_numbers("1/1 2/2");
    assert_value("SELECT change_log FROM etl.workflow WHERE name = 'apple'", "warehouse.other_log");
}

static void an_older_program_changes_nothing(void **state)
{
    (void)state;
    build_with(&first, &second, NULL, NULL, NULL);
    assert_migrated(NULL, 2, true);
    build_with(&first, NULL, NULL, NULL, NULL);
    assert_migrated(NULL, 0, false);
    assert_numbers("1/1 2/2");
}

static void a_slow_file_waits_for_its_phase_and_so_do_those_after_it(void **state)
{
    (void)state;
    build_with(&first, &second, &slow, &last, NULL);
    log_open("migrate-warehouse", LOG_WARNING);
    assert_migrated(NULL, 2, true);
    log_open("migrate-warehouse", LOG_ERROR);
    assert_numbers("1/1 2/2");
    assert_migrated("slow", 2, false);
    assert_numbers("1/1 2/2 3/1 4/1");
}

static void another_phase_is_unheard_of(void **state)
{
    (void)state;
    assert_false(migrate("fast"));
    assert_failed(STATUS_USAGE, "the only one is \"slow\"");
}

static void a_file_that_fails_leaves_everything_as_it_was(void **state)
{
    (void)state;
    assert_migrated(NULL, 1, true);
    build_with(&first, &second, &broken, NULL, NULL);
    assert_false(migrate(NULL));
    assert_failed(STATUS_CONFIG, "0005_broken");
    assert_numbers("1/1");
    assert_value(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'warehouse.apple_fact'::regclass"
        " AND attname = 'size'",
        "0");
}

static void a_dry_run_applies_nothing(void **state)
{
    (void)state;
    world.common.dry_run = true;
    build_with(&first, &second, NULL, NULL, NULL);
    assert_true(migrate(NULL));
    assert_true(world_count("migrations_applied") >= 3);
    assert_value("SELECT to_regnamespace('etl') IS NULL", "t");
    world.common.dry_run = false;
    build_with(&first, NULL, NULL, NULL, NULL);
    assert_migrated(NULL, 1, true);
    world.common.dry_run = true;
    build_with(&first, &second, NULL, NULL, NULL);
    assert_true(migrate(NULL));
    assert_int_equal(world_count("migrations_applied"), 1);
    assert_numbers("1/1");
}

/* ---- others ---- */

static void a_data_transaction_is_waited_for_but_not_for_ever(void **state)
{
    (void)state;
    assert_migrated(NULL, 1, true);
    int step = world_session(false);
    world_session_sql(step, "BEGIN; SELECT count(*) FROM etl.schema_version");
    world.common.lock_timeout = CLOCK_SECOND / 5;
    world_reconnect();
    assert_false(migrate(NULL));
    assert_failed(STATUS_TEMPORARY, "55P03");
    world_session_sql(step, "COMMIT");
    assert_migrated(NULL, 0, false);
}

static void two_first_migrations_end_in_one_schema(void **state)
{
    (void)state;
    int twin = world_session(false);
    world_session_sql(twin, "BEGIN; CREATE SCHEMA etl");
    world_session_send(twin,
                       "DO $$ BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
                       " END LOOP; END $$; COMMIT");
    assert_migrated(NULL, 1, true);
    assert_numbers("1/1");
    world_session_close(twin);
}

/* ---- failures ---- */

static bool migrate_all(void)
{
    return migrate(NULL);
}

static void check(void)
{
    assert_numbers("1/1 2/2");
    assert_value("SELECT count(*) FROM etl.workflow", "3");
    assert_value("SELECT count(*) FROM etl.consumer", "1");
}

static void add_second(void)
{
    build_with(&first, NULL, NULL, NULL, NULL);
    drop_all();
    world_reconnect();
    assert_migrated(NULL, 1, true);
    build_with(&first, &second, NULL, NULL, NULL);
}

static void wherever_it_fails_the_next_try_migrates(void **state)
{
    (void)state;
    build_with(&first, &second, NULL, NULL, NULL);
    world_run_with_each_failure(drop_all, migrate_all, check);
    world_run_with_each_failure(add_second, migrate_all, check);
}

static int tear_down(void **state)
{
    drop_all();
    return world_tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_database_gets_all_files_and_the_workflows),
        TEST(a_second_run_changes_nothing),
        TEST(a_newer_program_applies_what_is_missing),
        TEST(an_older_program_changes_nothing),
        TEST(a_slow_file_waits_for_its_phase_and_so_do_those_after_it),
        TEST(another_phase_is_unheard_of),
        TEST(a_file_that_fails_leaves_everything_as_it_was),
        TEST(a_dry_run_applies_nothing),
        TEST(a_data_transaction_is_waited_for_but_not_for_ever),
        TEST(two_first_migrations_end_in_one_schema),
        TEST(wherever_it_fails_the_next_try_migrates),
    };
    return cmocka_run_group_tests(tests, world_begin_empty, world_end);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "etl_world.h"

static const struct sql_schema one = {.number = 1}, three = {.number = 3}, two = {.number = 2};

static void the_number_of_a_list_is_its_greatest(void **state)
{
    static const struct sql_schema *const none[] = {NULL}, *const some[] = {&one, &three, &two,
                                                                            NULL};
    (void)state;
    assert_int_equal(schema_number(none), 0);
    assert_int_equal(schema_number(some), 3);
}

static bool check_all(void)
{
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        if (!schema_check(world.db, *pipeline, &world.err))
            return false;
    return schema_check(world.db, NULL, &world.err);
}

static void a_migrated_warehouse_fits(void **state)
{
    (void)state;
    assert_true(check_all());
}

static void an_empty_database_is_no_warehouse(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    assert_false(check_all());
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

/* Looks at a warehouse with other numbers, which then has its own again. */
static void assert_misfit(const char *change, const char *part)
{
    world_sql("CREATE TABLE kept AS TABLE etl.schema_version");
    world_sql(change);
    assert_false(check_all());
    world_sql(
        "TRUNCATE etl.schema_version; INSERT INTO etl.schema_version TABLE kept; DROP TABLE kept");
    assert_failed(STATUS_CONFIG, part);
    world_forget();
}

static void a_schema_that_lacks_a_file_is_too_old(void **state)
{
    char change[128];
    (void)state;
    assert_misfit("DELETE FROM etl.schema_version WHERE component = 'etl' AND number ="
                  " (SELECT max(number) FROM etl.schema_version WHERE component = 'etl')",
                  "run migrate-warehouse");
    snprintf(change, sizeof change, "DELETE FROM etl.schema_version WHERE component = '%s'",
             pipeline_list[0]->name);
    assert_misfit(change, "run migrate-warehouse");
}

static void a_newer_schema_fits_where_it_says_so(void **state)
{
    (void)state;
    world_sql(
        "INSERT INTO etl.schema_version (component, number, works_from) VALUES ('etl', 9999, 1)");
    assert_true(check_all());
    world_sql("DELETE FROM etl.schema_version WHERE number = 9999");
    assert_misfit("INSERT INTO etl.schema_version (component, number, works_from)"
                  " VALUES ('etl', 9999, 9999)",
                  "install the newer programs");
}

static void in_a_transaction_it_keeps_a_migration_out(void **state)
{
    (void)state;
    int migration = world_session(false);
    assert_true(db_begin(world.db, &world.err));
    assert_true(check_all());
    world_session_send(migration, "BEGIN; LOCK TABLE etl.schema_version IN ACCESS EXCLUSIVE MODE");
    world_wait("EXISTS (SELECT FROM pg_locks WHERE relation = 'etl.schema_version'::regclass"
               " AND NOT granted)");
    assert_true(db_commit(world.db, &world.err));
    world_wait("EXISTS (SELECT FROM pg_locks WHERE relation = 'etl.schema_version'::regclass"
               " AND mode = 'AccessExclusiveLock' AND granted)");
}

static void nothing(void)
{
}

static void each_failure_is_told(void **state)
{
    (void)state;
    world_run_with_each_failure(nothing, check_all, nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_of_a_list_is_its_greatest),
        TEST(a_migrated_warehouse_fits),
        TEST(an_empty_database_is_no_warehouse),
        TEST(a_schema_that_lacks_a_file_is_too_old),
        TEST(a_newer_schema_fits_where_it_says_so),
        TEST(in_a_transaction_it_keeps_a_migration_out),
        TEST(each_failure_is_told),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

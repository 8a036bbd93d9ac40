/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "etl/verify.h"
#include "etl_world.h"

#define ROW(user, date_enrolled)                                                                 \
    "{\"user_id\": " user                                                                        \
    ", \"course_id\": \"course-v1:a+b+c\", \"date_for\": \"2026-01-02\", \"date_enrolled\": "    \
    "\"" date_enrolled "\", \"is_enrolled\": true, \"is_completed\": false, "                    \
    "\"progress_percent\": 0, \"points_possible\": 0, \"points_earned\": 0, \"sections_possible" \
    "\": 0, \"sections_worked\": 0}\n"

static const char *file;

static bool compare_into(const char *differences)
{
    world_forget();
    world.task = "verify-enrollment-data";
    return verify_against(world.db, pipeline_find_verification(world.task), file, differences,
                          &world.result, &world.err);
}

static bool compare(void)
{
    return compare_into(NULL);
}

static void nothing(void)
{
}

static void add_enrollment(void)
{
    world_sql("DELETE FROM warehouse.enrollment_data;"
              "SELECT warehouse.infer_contexts('{course-v1:a+b+c}', 1);"
              "INSERT INTO warehouse.enrollment_data SELECT 7, id, 101, '2026-01-01Z', true, NULL,"
              " 0, 0, 0, 0, 0, false, NULL, NULL, 0, false, now(), 1"
              " FROM warehouse.learning_context_dim WHERE context_key = 'course-v1:a+b+c'");
}

static void what_is_the_same_is_only_counted(void **state)
{
    (void)state;
    add_enrollment();
    file = world_file(ROW("101", "2026-01-01"));
    assert_true(compare());
    assert_string_equal(world_status(), "done");
    assert_int_equal(world_count("rows_checked"), 1);
    assert_int_equal(world_count("rows_different"), 0);
}

static void nothing_is_kept_of_the_file(void **state)
{
    (void)state;
    add_enrollment();
    file = world_file(ROW("101", "2026-01-02"));
    assert_true(compare());
    assert_int_equal(world_count("rows_different"), 1);
    assert_int_equal(world_count("rows_explained"), 1);
    assert_value("SELECT count(*) FROM staging.figures_enrollment_data", "0");
}

static void what_nothing_explains_is_a_failure(void **state)
{
    (void)state;
    add_enrollment();
    file = world_file(ROW("101", "2026-01-03") ROW("102", "2026-01-03"));
    assert_false(compare());
    assert_failed(STATUS_DATA, "2 rows differ and nothing known explains it");
}

static void a_row_that_cannot_be_read_is_a_failure(void **state)
{
    (void)state;
    file = world_file(ROW("101", "yesterday"));
    assert_false(compare());
    assert_failed(STATUS_DATA, "1 of 1 rows of the file cannot be read");
}

static void the_file_of_differences_is_whole_or_not_there(void **state)
{
    char path[64];
    (void)state;
    add_enrollment();
    file = world_file(ROW("101", "2026-01-02"));
    snprintf(path, sizeof path, "/tmp/factline-differences-%d.csv", (int)getpid());
    world.common.dry_run = true;
    assert_true(compare_into(path));
    assert_int_equal(access(path, F_OK), -1);
    world.common.dry_run = false;
    assert_true(compare_into(path));
    assert_int_equal(unlink(path), 0);
    assert_false(compare_into("/nonexistent/differences.csv"));
    assert_failed(STATUS_IO, "could not write file");
    world_sql("ALTER TABLE warehouse.enrollment_fact RENAME TO elsewhere");
    bool ok = compare_into(path);
    world_sql("ALTER TABLE warehouse.elsewhere RENAME TO enrollment_fact");
    assert_false(ok);
    assert_int_equal(access(path, F_OK), -1);
}

static void wherever_it_fails_the_next_try_compares(void **state)
{
    (void)state;
    add_enrollment();
    file = world_file(ROW("101", "2026-01-02"));
    world_run_with_each_failure(nothing, compare, nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_the_same_is_only_counted),
        TEST(nothing_is_kept_of_the_file),
        TEST(what_nothing_explains_is_a_failure),
        TEST(a_row_that_cannot_be_read_is_a_failure),
        TEST(the_file_of_differences_is_whole_or_not_there),
        TEST(wherever_it_fails_the_next_try_compares),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

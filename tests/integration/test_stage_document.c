/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/stage_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etl_world.h"

#define LEARNERS                                                                                  \
    "CREATE TABLE public.people (id integer, username text, is_staff boolean, is_active boolean," \
    " date_joined timestamptz, last_login timestamptz);"                                          \
    "INSERT INTO public.people VALUES (1, 'a\\b\"c\td', false, true, '2024-01-01Z', NULL),"       \
    " (2, repeat('x', 70000), false, true, '2024-01-01Z', NULL);"

/* A source of two learners, of whom one is long. */
static struct stage_options make_learners(const char *view)
{
    const char *spec = world_make_source();
    world_source_sql(LEARNERS);
    world_source_sql(view);
    return world_options(spec);
}

static void documents_of_a_server_are_read_as_they_are(void **state)
{
    (void)state;
    struct stage_options options =
        make_learners("CREATE VIEW public.auth_user AS SELECT * FROM public.people");
    assert_true(world_stage("learner", options));
    assert_int_equal(world_count("rows_staged"), 2);
    assert_value("SELECT username FROM staging.learner WHERE user_id = 1", "a\\b\"c\td");
}

static void a_document_that_is_too_long_is_rejected_by_its_head(void **state)
{
    (void)state;
    struct stage_options options =
        make_learners("CREATE VIEW public.auth_user AS SELECT * FROM public.people");
    options.max_record = "1KiB";
    assert_true(world_stage("learner", options));
    assert_int_equal(world_count("rows_rejected"), 1);
    assert_value("SELECT reason || ' ' || octet_length(bytes) FROM etl.rejected_row",
                 "too_long 65536");
}

static void an_error_of_the_source_on_the_way_stages_nothing(void **state)
{
    (void)state;
    struct stage_options options = make_learners(
        "CREATE VIEW public.auth_user AS SELECT id / (2 - id) AS id, username, is_staff,"
        " is_active, date_joined, last_login FROM public.people");
    assert_false(world_stage("learner", options));
    assert_string_equal(world.err.sqlstate, "22012");
    assert_value("SELECT count(*) FROM staging.learner", "0");
}

static void a_source_without_the_table_is_told(void **state)
{
    (void)state;
    assert_false(world_stage("learner", world_options(world_make_source())));
    assert_int_equal(world.err.status, STATUS_CONFIG);
}

static void a_document_that_cannot_be_taken_stops_the_reading(void **state)
{
    (void)state;
    struct stage_options options =
        make_learners("CREATE VIEW public.auth_user AS SELECT id, username, 'odd' AS is_staff,"
                      " is_active, date_joined, last_login FROM public.people");
    options.max_rejects = "0";
    assert_false(world_stage("learner", options));
    assert_failed(STATUS_DATA, "1 of 1 records were rejected");
}

static void a_source_without_a_window_is_left_alone(void **state)
{
    (void)state;
    struct source source = {.since = CLOCK_SECOND, .until = CLOCK_SECOND};
    struct stage_reading reading = {0};
    assert_true(stage_read_documents(&reading, &source, &world.err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documents_of_a_server_are_read_as_they_are),
        TEST(a_document_that_is_too_long_is_rejected_by_its_head),
        TEST(an_error_of_the_source_on_the_way_stages_nothing),
        TEST(a_source_without_the_table_is_told),
        TEST(a_document_that_cannot_be_taken_stops_the_reading),
        TEST(a_source_without_a_window_is_left_alone),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

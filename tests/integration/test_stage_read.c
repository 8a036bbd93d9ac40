/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/stage_read.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "form_world.h"

/* ---- too many rejects of a file ---- */

static void too_many_rejects_stage_nothing_and_leave_a_sample(void **state)
{
    struct stage_options options = world_options(make_lines(1100, BAD_FORM));
    (void)state;
    fail_to_load(options, STATUS_DATA, "1100 of 1100 records were rejected");
    assert_value("SELECT count(*) FROM etl.rejected_row", "1000");
    assert_value("SELECT max(position) FROM etl.rejected_row", "1000");
    assert_value("SELECT state || ' ' || failed_status FROM etl.batch", "failed 65");
}

static void a_plain_number_of_rejects_is_judged_at_once(void **state)
{
    struct stage_options options = world_options(make_lines(50, BAD_FORM));
    (void)state;
    options.max_rejects = "3";
    fail_to_load(options, STATUS_DATA, "4 of 4 records were rejected");
    assert_value("SELECT count(*) FROM etl.rejected_row", "4");
}

static void a_sample_that_cannot_be_kept_hides_no_cause(void **state)
{
    struct stage_options options = world_options(make_lines(20, BAD_FORM));
    (void)state;
    world_sql("ALTER TABLE etl.rejected_row ADD CONSTRAINT never CHECK (false) NOT VALID");
    bool ok = world_stage("form", options);
    world_sql("ALTER TABLE etl.rejected_row DROP CONSTRAINT never");
    assert_false(ok);
    assert_failed(STATUS_DATA, "20 of 20 records were rejected");
    assert_value("SELECT state || ' ' || failed_status FROM etl.batch", "failed 65");
}

/* ---- servers ---- */

static void a_window_of_a_server_is_relayed(void **state)
{
    (void)state;
    const char *spec = make_form_source();
    add_source_form("f1", "now() - interval '1 hour'");
    add_source_form("f2", "now() - interval '2 hours'");
    add_source_form("bad", "timestamptz '1999-01-01 00:00:00Z'");
    world_load("form", spec, "done");
    assert_int_equal(world_count("rows_read"), 3);
    assert_int_equal(world_count("rows_staged"), 2);
    assert_int_equal(world_count("rows_rejected"), 1);
    assert_true(world_count("bytes_read") > 0);
    assert_value("SELECT concat_ws(' ', own_times, kind, state) FROM etl.batch",
                 "f incremental staged");
    assert_value("SELECT count(*) FROM staging.form JOIN etl.batch_source ON clock = version_time",
                 "2");
    assert_value("SELECT concat_ws(' ', feed, column_name, reason) FROM etl.rejected_row",
                 "form received_on time_out_of_range");

    world_sql("UPDATE etl.batch SET state = 'complete'");
    world_load("form", spec, "nothing-to-do"); /* the overlap holds none of them */
    assert_value("SELECT state FROM etl.batch WHERE id = 2", "complete");
}

static void a_shard_without_a_window_is_left_alone(void **state)
{
    (void)state;
    const char *spec = make_form_source();
    add_source_form("f1", "now() - interval '3 hours'");
    struct stage_options options = world_options(spec);
    options.window.settle = 2 * 3600 * CLOCK_SECOND; /* before where the second has been read to */
    char second[512];
    const char *specs[] = {spec, second};
    snprintf(second, sizeof second, "%s dbname=postgres", spec); /* it has no such tables */
    options.sources = (struct task_list){.items = specs, .count = 2};
    world_sql(
        "WITH batch AS (INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until,"
        " state) VALUES ('form', 'before', '', 'incremental', '-infinity', 'now', 'complete')"
        " RETURNING id) INSERT INTO etl.batch_source (batch_id, source, has_watermark,"
        " since, until)"
        " SELECT id, current_setting('unix_socket_directories') || ':' || current_setting('port')"
        " || '/postgres', true, '-infinity', now() FROM batch");
    assert_true(world_stage("form", options) || (print_error("%s\n", world.err.message), false));
    assert_int_equal(world_count("rows_staged"), 1);
}

static void too_many_rejects_of_a_server_leave_a_sample(void **state)
{
    (void)state;
    struct stage_options options = world_options(make_form_source());
    world_source_sql("INSERT INTO public.form_processor_xforminstancesql (form_id, domain, xmlns,"
                     " received_on, state) SELECT 'f' || i, 'd', 'x', '1999-01-01', 1"
                     " FROM generate_series(1, 1010) AS i");
    fail_to_load(options, STATUS_DATA, "1010 of 1010 records were rejected");
    assert_value("SELECT count(*) FROM etl.rejected_row", "1000");
    assert_value("SELECT state FROM etl.batch", "failed");
}

static void a_source_without_the_tables_is_told(void **state)
{
    (void)state;
    fail_to_load(world_options(world_make_source()), STATUS_CONFIG, "form_source");
}

/* ---- failures ---- */

static const char *spec;

static void prepare(void)
{
    world_empty_ledger();
    world_sql("DELETE FROM staging.form");
    world.common.run_key = "k";
}

/* Over budget: the sample is best effort, so that a failure of it is not told. */
static bool load_too_many(void)
{
    struct stage_options options = world_options(spec);
    options.max_rejects = "0";
    return !world_stage("form", options) && world.err.status == STATUS_DATA;
}

static void a_failure_while_the_sample_is_kept_leaves_the_cause(void **state)
{
    (void)state;
    spec = make_form_source();
    add_source_form("bad", "timestamptz '1999-01-01 00:00:00Z'");
    for (int n = 1;; n++) {
        prepare();
        world_reconnect();
        world_fail_at(n, false);
        bool is_data = load_too_many();
        if (!world_has_failed()) {
            assert_true(is_data);
            break;
        }
        assert_true(is_data || world.err.status == STATUS_TEMPORARY);
        assert_value("SELECT count(*) FROM staging.form", "0");
    }
    assert_value("SELECT count(*) FROM etl.rejected_row", "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(too_many_rejects_stage_nothing_and_leave_a_sample),
        TEST(a_plain_number_of_rejects_is_judged_at_once),
        TEST(a_sample_that_cannot_be_kept_hides_no_cause),
        TEST(a_window_of_a_server_is_relayed),
        TEST(a_shard_without_a_window_is_left_alone),
        TEST(too_many_rejects_of_a_server_leave_a_sample),
        TEST(a_source_without_the_tables_is_told),
        TEST(a_failure_while_the_sample_is_kept_leaves_the_cause),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

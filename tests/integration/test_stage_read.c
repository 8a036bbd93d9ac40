/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open,--wrap=interrupt_is_asked */
/* link: -Wl,--wrap=clock_monotonic */
#include "etl/stage_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "form_world.h"

/* ---- a stop and a clock that runs ahead, while lines are read ---- */

static bool is_stopping;
static int64_t haste;

int __real_interrupt_is_asked(void);
int __wrap_interrupt_is_asked(void);
int __wrap_interrupt_is_asked(void)
{
    return is_stopping ? 1 : __real_interrupt_is_asked();
}

int64_t __real_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void)
{
    static int64_t ahead;
    return __real_clock_monotonic() + (ahead += haste);
}

static int set_up(void **state)
{
    is_stopping = false;
    haste = 0;
    return world_set_up(state);
}

/* A file of so many lines; yours until the next call. */
static const char *make_lines(size_t count, const char *line)
{
    struct str text;
    str_init(&text);
    for (size_t i = 0; i < count; i++)
        str_add_text(&text, line);
    const char *path = world_file(text.text);
    str_release(&text);
    return path;
}

static void fail_to_load(struct stage_options options, enum status status, const char *part)
{
    assert_false(world_stage("form", options));
    assert_failed(status, part);
    assert_value("SELECT count(*) FROM staging.form", "0");
}

/* ---- files ---- */

static void later_files_have_later_lines(void **state)
{
    const char *paths[] = {world_file(FORM("f1", "u", "2024-01-05")),
                           world_file("\n" FORM("f2", "u", "2024-01-06") BAD_FORM)};
    struct stage_options options = world_options(NULL);
    (void)state;
    options.sources = (struct task_list){.items = paths, .count = 2};
    assert_true(world_stage("form", options));
    assert_value(
        "SELECT string_agg(form_id || ' ' || line_no, ', ' ORDER BY line_no) FROM staging.form",
        "f1 1, f2 3");
    assert_value("SELECT string_agg(rows_staged::text, ' ' ORDER BY source LIKE '%x', rows_staged)"
                 " FROM etl.batch_source",
                 "1 1");
    assert_value("SELECT position FROM etl.rejected_row", "3"); /* of its own file */
    assert_int_equal(world_count("rows_skipped"), 1);
}

static void an_explicit_window_filters_files(void **state)
{
    struct stage_options options = world_options(world_file(TWO_FORMS));
    (void)state;
    options.window.has_window = true;
    clock_parse("2024-02-01", 10, &options.window.since);
    clock_parse("2024-03-01", 10, &options.window.until);
    assert_true(world_stage("form", options));
    assert_int_equal(world_count("rows_read"), 1);
    assert_int_equal(world_count("rows_skipped"), 1);
    assert_value("SELECT form_id FROM staging.form", "f2");
    assert_value("SELECT kind FROM etl.batch", "backfill");
}

static void a_reject_is_kept_and_the_load_goes_on(void **state)
{
    const char *path = world_file(FORM("f1", "u", "2024-01-05") BAD_FORM "{\"results\":[\n"
                                                                         "{\"results\":[\n");
    (void)state;
    log_open("load-staging", LOG_WARNING); /* a wrapper is told once */
    world_load("form", path, "done");
    log_open("load-staging", LOG_ERROR);
    assert_int_equal(world_count("rows_read"), 4);
    assert_int_equal(world_count("rows_staged"), 1);
    assert_int_equal(world_count("rows_rejected"), 3);
    assert_value(
        "SELECT string_agg(concat_ws(' ', feed, position, column_name, reason), ', ' ORDER BY id)"
        " FROM etl.rejected_row",
        "form 2 received_on bad_timestamp, form 3  wrapped_document, form 4  wrapped_document");
    assert_value("SELECT convert_from(bytes, 'UTF8') LIKE '%s3cret%' FROM etl.rejected_row LIMIT 1",
                 "f");
}

static void a_longer_record_than_allowed_is_rejected(void **state)
{
    struct stage_options options = world_options(world_file(FORM("f1", "u", "2024-01-05") FORM(
        "f2", "u-with-a-longer-name-than-others", "2024-01-05")));
    (void)state;
    options.max_record = "100";
    assert_true(world_stage("form", options));
    assert_int_equal(world_count("rows_staged"), 1);
    assert_value("SELECT concat_ws(' ', position, reason, length(sha256), full_length > 100)"
                 " FROM etl.rejected_row",
                 "2 too_long 64 t");
}

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

static void a_file_that_is_missing_is_told(void **state)
{
    (void)state;
    fail_to_load(world_options("/tmp/factline-no-such-folder/forms.ndjson"), STATUS_IO,
                 "forms.ndjson");
    assert_value("SELECT state FROM etl.batch", "failed");
}

static void a_stop_is_noticed_between_lines(void **state)
{
    struct stage_options options = world_options(make_lines(1025, FORM("f1", "u", "2024-01-05")));
    (void)state;
    is_stopping = true;
    assert_false(world_stage("form", options));
    assert_int_equal(world.err.status, STATUS_INTERRUPTED);
    is_stopping = false;
    assert_value("SELECT count(*) FROM staging.form", "0");
    assert_value("SELECT state FROM etl.batch", "failed");
}

static void a_long_read_gives_signs_of_life(void **state)
{
    const char *path = make_lines(2048, FORM("f1", "u", "2024-01-05"));
    (void)state;
    haste = 31 * CLOCK_SECOND;
    world_load("form", path, "done");
    haste = 0;
    assert_int_equal(world_count("rows_staged"), 2048);
}

static void rows_that_a_trigger_swallows_are_missed(void **state)
{
    (void)state;
    world_sql("CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS"
              " 'BEGIN RETURN NULL; END';"
              "CREATE TRIGGER swallow BEFORE INSERT ON staging.form FOR EACH ROW"
              " EXECUTE FUNCTION public.swallow()");
    bool ok = world_stage("form", world_options(world_file(TWO_FORMS)));
    world_sql("DROP FUNCTION public.swallow() CASCADE");
    assert_false(ok);
    assert_failed(STATUS_BUG, "2 rows were sent to staging, 0 arrived");
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
    add_source_form("f1", "now() - interval '1 hour'");
    struct stage_options options = world_options(spec);
    char second[512];
    const char *specs[] = {spec, second};
    snprintf(second, sizeof second, "%s dbname=postgres", spec); /* it has no such tables */
    options.sources = (struct task_list){.items = specs, .count = 2};
    world_sql(
        "WITH batch AS (INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until,"
        " state) VALUES ('form', 'before', '', 'incremental', '-infinity', 'now', 'complete')"
        " RETURNING id) INSERT INTO etl.batch_source (batch_id, source, has_watermark, since, until)"
        " SELECT id, current_setting('unix_socket_directories') || ':' || current_setting('port')"
        " || '/postgres', true, '-infinity', now() + interval '1 hour' FROM batch");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(later_files_have_later_lines),
        TEST(an_explicit_window_filters_files),
        TEST(a_reject_is_kept_and_the_load_goes_on),
        TEST(a_longer_record_than_allowed_is_rejected),
        TEST(too_many_rejects_stage_nothing_and_leave_a_sample),
        TEST(a_plain_number_of_rejects_is_judged_at_once),
        TEST(a_sample_that_cannot_be_kept_hides_no_cause),
        TEST(a_file_that_is_missing_is_told),
        TEST(a_stop_is_noticed_between_lines),
        TEST(a_long_read_gives_signs_of_life),
        TEST(rows_that_a_trigger_swallows_are_missed),
        TEST(a_window_of_a_server_is_relayed),
        TEST(a_shard_without_a_window_is_left_alone),
        TEST(too_many_rejects_of_a_server_leave_a_sample),
        TEST(a_source_without_the_tables_is_told),
        TEST(a_failure_while_the_sample_is_kept_leaves_the_cause),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

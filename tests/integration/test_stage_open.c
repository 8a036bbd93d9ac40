/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/stage_open.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "form_world.h"

#define MINUTE (60 * CLOCK_SECOND)

/* ---- the fingerprint ---- */

static char *fingerprint_of(const char *feed, const struct stage_options *options)
{
    struct stage stage = {.feed = pipeline_find_feed(feed), .options = options};
    assert_true(source_list_init(&stage.sources, &options->sources, &world.err));
    char *fingerprint = stage_fingerprint(&stage);
    source_list_release(&stage.sources);
    return fingerprint;
}

static void assert_alike(const struct stage_options *one, const struct stage_options *other,
                         bool are_alike)
{
    char *first = fingerprint_of("form", one), *second = fingerprint_of("form", other);
    assert_true((strcmp(first, second) == 0) == are_alike);
    free(first);
    free(second);
}

static void a_fingerprint_is_feed_sources_format_and_explicit_window(void **state)
{
    static const char *one[] = {"a"}, *same[] = {"a"}, *other[] = {"b"}, *both[] = {"a", "b"};
    static const char *url[] = {"postgres://u@h/d"}, *words[] = {"host=h user=v dbname=d"};
    const struct stage_options plain = {.sources = {one, 1}};
    struct stage_options changed = {.sources = {same, 1}};
    (void)state;
    assert_alike(&plain, &changed, true);
    changed.max_rejects = "5"; /* how much is borne is not what is done */
    changed.window.overlap = MINUTE;
    assert_alike(&plain, &changed, true);
    changed.format = "ndjson";
    assert_alike(&plain, &changed, false);
    changed = (struct stage_options){.sources = {other, 1}};
    assert_alike(&plain, &changed, false);
    changed = (struct stage_options){.sources = {both, 2}};
    assert_alike(&plain, &changed, false);
    changed =
        (struct stage_options){.sources = {same, 1}, .window = {.has_window = true, .until = 1}};
    assert_alike(&plain, &changed, false);
    struct stage_options later = changed;
    later.window.until = 2;
    assert_alike(&changed, &later, false);
    const struct stage_options by_url = {.sources = {url, 1}}, by_words = {.sources = {words, 1}};
    assert_alike(&by_url, &by_words, true);

    char *form = fingerprint_of("form", &plain), *synclog = fingerprint_of("synclog", &plain);
    assert_string_not_equal(form, synclog);
    assert_int_equal(strlen(form), 64);
    free(form);
    free(synclog);
}

static void a_batch_takes_only_its_own_work_or_any_extract(void **state)
{
    char own[] = "abc", extract[] = STAGE_EXTRACT;
    struct stage_options options = {.jobs = 1};
    struct batch batch = {.fingerprint = own};
    const struct stage stage = {.batch = &batch, .options = &options};
    (void)state;
    assert_true(stage_check_fingerprint(&stage, "abc", &world.err));
    assert_false(stage_check_fingerprint(&stage, "abd", &world.err));
    assert_failed(STATUS_USAGE, "pass --run-key");
    batch.fingerprint = extract;
    assert_true(stage_check_fingerprint(&stage, "abd", &world.err));
    options.replay_rejects = true; /* a window would be complete with them alone */
    assert_false(stage_check_fingerprint(&stage, "abd", &world.err));
    assert_failed(STATUS_USAGE, "opened for an extract");
    options.replay_rejects = false;
    options.window.has_window = true; /* not the one that was opened */
    assert_false(stage_check_fingerprint(&stage, "abd", &world.err));
    assert_failed(STATUS_USAGE, "opened for an extract");
}

/* ---- --open-window ---- */

static struct stage_options open_window(void)
{
    struct stage_options options = world_options(NULL);
    options.open_window = true;
    return options;
}

static void assert_opened(struct stage_options options, const char *status)
{
    if (!world_stage("form", options))
        fail_msg("%s", world.err.message);
    assert_string_equal(world_status(), status);
}

/* Its file comes and is transformed. */
static void complete(const char *batch_id)
{
    world.common.batch_id = batch_id;
    world_load("form", world_file(TWO_FORMS), "done");
    world.common.batch_id = NULL;
    world_sql("UPDATE etl.batch SET state = 'complete' WHERE state = 'staged'");
}

static void a_window_is_opened_for_another_program(void **state)
{
    (void)state;
    world.common.run_key = "k";
    assert_opened(open_window(), "done");
    assert_string_equal(world_batch_id(), "1");
    assert_int_equal(world_count("rows_read"), 0);
    assert_value("SELECT concat_ws(' ', state, kind, since, own_times) FROM etl.batch",
                 "open incremental -infinity t");
    assert_value("SELECT source || ' ' || has_watermark FROM etl.batch_source", "extract true");
    assert_opened(open_window(), "already-done");
    assert_value("SELECT count(*) FROM etl.batch", "1");
}

static void its_file_comes_by_its_batch_id(void **state)
{
    (void)state;
    assert_opened(open_window(), "done");
    world.common.batch_id = "1";
    world_load("form", world_file(TWO_FORMS), "done");
    assert_value("SELECT concat_ws(' ', state, rows_staged, (SELECT count(*) FROM staging.form))"
                 " FROM etl.batch",
                 "staged 2 2");
    world_load("form", world_file(TWO_FORMS), "already-done"); /* whatever its file is called */
    world_sql("TRUNCATE staging.form");
    world_load("form", world_file(TWO_FORMS), "done");
    assert_value("SELECT count(*) || ' ' || sum(rows_staged) FROM etl.batch_source", "2 2");
}

static void a_dry_run_shows_what_its_file_would_be_read_for(void **state)
{
    (void)state;
    assert_opened(open_window(), "done");
    world.common.batch_id = "1";
    world.common.dry_run = true;
    world_load("form", world_file(TWO_FORMS), "nothing-to-do");
    assert_string_equal(world_batch_id(), "1");
    struct stage_options options = world_options(world_file(TWO_FORMS));
    options.window.has_window = true;
    options.window.until = 1;
    assert_false(world_stage("form", options));
    assert_failed(STATUS_USAGE, "opened for an extract");
}

static void rejects_of_its_table_are_read_by_the_header_that_they_had(void **state)
{
    (void)state;
    assert_opened(open_window(), "done");
    world.common.batch_id = "1";
    struct stage_options options =
        world_options(world_file("form_id,received_on\nf1,2024-01-05T00:00:00Z\nf2,soon\n"));
    options.format = "csv";
    assert_true(world_stage("form", options));
    world.common.batch_id = NULL;
    assert_value("SELECT string_agg(concat_ws(' ', has_watermark, rows_staged, table_format), ', '"
                 " ORDER BY source) FROM etl.batch_source WHERE source <> 'extract'",
                 "f 1 csv");
    world_sql("UPDATE etl.rejected_row SET bytes = convert_to('f2,2024-01-06', 'UTF8')");
    options = world_options(NULL);
    options.replay_rejects = true;
    assert_true(world_stage("form", options));
    assert_int_equal(world_count("rows_staged"), 1);
}

static void a_database_is_no_extract(void **state)
{
    (void)state;
    const char *spec = make_form_source();
    add_source_form("f1", "now() - interval '1 hour'");
    assert_opened(open_window(), "done");
    world.common.batch_id = "1";
    assert_false(world_stage("form", world_options(spec)));
    assert_failed(STATUS_USAGE, "file");
    assert_value("SELECT state FROM etl.batch", "open");
}

static void the_next_window_begins_where_the_last_complete_one_ended(void **state)
{
    struct stage_options options = open_window();
    (void)state;
    assert_opened(options, "done");
    assert_opened(options, "done"); /* the first was left behind */
    assert_value("SELECT bool_and(since = '-infinity') FROM etl.batch", "t");
    complete("2");
    assert_opened(options, "done");
    assert_value("SELECT (SELECT since FROM etl.batch WHERE id = 3)"
                 " = (SELECT until - interval '15 min' FROM etl.batch WHERE id = 2)",
                 "t");
}

static void an_extracts_window_can_be_bounded_and_settled(void **state)
{
    struct stage_options options = open_window();
    (void)state;
    options.window.settle = 60 * MINUTE;
    options.window.start = clock_now() - 300 * MINUTE;
    assert_opened(options, "done");
    assert_int_equal(world_count("behind_seconds"), 3600);
    assert_value("SELECT until <= now() - interval '1 hour' AND since > now() - interval '6 hours'"
                 " FROM etl.batch",
                 "t");
    complete("1");
    assert_true(world_count("behind_seconds") >= 3600);
    options.window.settle = -1;
    options.window.max_window = 10 * MINUTE;
    assert_opened(options, "done");
    assert_value("SELECT (SELECT until FROM etl.batch WHERE id = 2)"
                 " = (SELECT until + interval '10 min' FROM etl.batch WHERE id = 1)",
                 "t");
    assert_true(world_count("behind_seconds") >= 49 * 60);
}

static void the_start_bounds_an_extracts_first_window_too(void **state)
{
    struct stage_options options = open_window();
    (void)state;
    options.window.start = clock_now() - 300 * MINUTE;
    options.window.max_window = 10 * MINUTE;
    assert_opened(options, "done");
    assert_value("SELECT until - since FROM etl.batch", "00:10:00");
}

static void an_extract_is_not_read_again_alone(void **state)
{
    struct stage_options options = open_window();
    (void)state;
    assert_opened(options, "done");
    complete("1");
    options.window.settle = 10 * MINUTE; /* before where the first one ended */
    assert_opened(options, "nothing-to-do");
}

static void a_dry_run_shows_the_window_that_would_be_opened(void **state)
{
    (void)state;
    assert_opened(open_window(), "done");
    complete("1");
    world.common.dry_run = true;
    assert_opened(open_window(), "nothing-to-do");
    const char *since = result_get_text(&world.result, "since");
    assert_non_null(since);
    assert_string_equal(since, world_value("SELECT to_char(until - interval '15 min',"
                                           " 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM etl.batch"));
}

static void a_list_of_keys_has_a_time_and_no_window(void **state)
{
    const char *files[] = {"a.ndjson", "b.ndjson"}; /* which come by the batch */
    struct stage_options options = open_window();
    (void)state;
    options.sources = (struct task_list){.items = files, .count = 2};
    options.reconcile = true;
    options.window.start = clock_now() - 300 * MINUTE;
    options.window.max_window = 10 * MINUTE;
    options.window.settle = 60 * MINUTE;
    if (!world_stage("user", options))
        fail_msg("%s", world.err.message);
    assert_value("SELECT concat_ws(' ', since, until > now() - interval '61 min',"
                 " until <= now() - interval '1 hour') FROM etl.batch",
                 "-infinity t t");
    assert_value("SELECT has_watermark FROM etl.batch_source", "f");
}

static void a_window_that_is_empty_is_not_opened(void **state)
{
    struct stage_options options = open_window();
    (void)state;
    options.window.start = clock_now() + 60 * MINUTE;
    assert_opened(options, "nothing-to-do");
    assert_string_equal(world_batch_id(), "");
    assert_value("SELECT count(*) FROM etl.batch", "0");
}

/* ---- servers ---- */

static void a_window_that_is_held_back_tells_by_whom(void **state)
{
    (void)state;
    const char *spec = make_form_source();
    add_source_form("f1", "now() - interval '1 hour'");
    world_load("form", spec, "done");
    world_sql("UPDATE etl.batch SET state = 'complete'");
    world_replace("source_writers", "SELECT 77 AS pid, timestamptz '2020-01-01' AS until,"
                                    " 60::bigint AS age_seconds");
    world_load("form", spec, "nothing-to-do");
    assert_string_equal(world_batch_id(), "");
    assert_int_equal(world_count("held_by_pid"), 77);
    assert_int_equal(world_count("held_seconds"), 60);
    assert_true(world_count("behind_seconds") > 86400);
    assert_value("SELECT count(*) FROM etl.batch", "1");
}

static void a_twin_with_other_sources_is_told(void **state)
{
    (void)state;
    world.common.run_key = "k";
    /* The twin opens its batch between our look and our insert. */
    world_replace(
        "warehouse_clock",
        "WITH twin AS (INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until)"
        " VALUES ('form', 'k', 'other', 'incremental', '-infinity', 'now')"
        " ON CONFLICT DO NOTHING) SELECT clock_timestamp() AS clock");
    assert_false(world_stage("form", world_options(world_file(TWO_FORMS))));
    assert_failed(STATUS_USAGE, "pass --run-key");
    assert_value("SELECT state || ' ' || attempt FROM etl.batch", "open 0");
}

/* ---- failures ---- */

static void prepare(void)
{
    world_empty_ledger();
    world.common.run_key = "k";
}

static bool go(void)
{
    return world_stage("form", open_window());
}

static void check(void)
{
    assert_value("SELECT count(*) FROM etl.batch", "1");
    assert_value("SELECT count(*) FROM etl.batch_source", "1");
}

static void wherever_it_fails_the_next_try_opens_it_once(void **state)
{
    (void)state;
    world_run_with_each_failure(prepare, go, check);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fingerprint_is_feed_sources_format_and_explicit_window),
        TEST(a_batch_takes_only_its_own_work_or_any_extract),
        TEST(a_window_is_opened_for_another_program),
        TEST(its_file_comes_by_its_batch_id),
        TEST(a_dry_run_shows_what_its_file_would_be_read_for),
        TEST(rejects_of_its_table_are_read_by_the_header_that_they_had),
        TEST(a_database_is_no_extract),
        TEST(the_next_window_begins_where_the_last_complete_one_ended),
        TEST(an_extracts_window_can_be_bounded_and_settled),
        TEST(the_start_bounds_an_extracts_first_window_too),
        TEST(an_extract_is_not_read_again_alone),
        TEST(a_dry_run_shows_the_window_that_would_be_opened),
        TEST(a_list_of_keys_has_a_time_and_no_window),
        TEST(a_window_that_is_empty_is_not_opened),
        TEST(a_window_that_is_held_back_tells_by_whom),
        TEST(a_twin_with_other_sources_is_told),
        TEST(wherever_it_fails_the_next_try_opens_it_once),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

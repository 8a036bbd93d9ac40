/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "form_world.h"

static void assert_staged(const char *count)
{
    assert_value("SELECT count(*) FROM staging.form", count);
}

static void fail_to_stage(const char *feed, struct stage_options options, enum status status,
                          const char *part)
{
    assert_false(world_stage(feed, options));
    assert_failed(status, part);
}

/* ---- once ---- */

static void a_file_is_staged_and_its_batch_waits_for_the_transform(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world_load("form", path, "done");
    assert_string_equal(world_batch_id(), "1");
    assert_int_equal(world_count("rows_read"), 2);
    assert_int_equal(world_count("rows_staged"), 2);
    assert_int_equal(world_count("rows_rejected"), 0);
    assert_int_equal(world_count("rows_skipped"), 0);
    assert_int_equal(world_count("bytes_read"), strlen(TWO_FORMS));
    assert_int_equal(world_count("attempt"), 1);
    assert_staged("2");
    assert_value(
        "SELECT concat_ws(' ', state, kind, read_number, own_times, rows_read, rows_staged,"
        " rows_rejected, rows_skipped, since) FROM etl.batch",
        "staged incremental 1 t 2 2 0 0 -infinity");
    assert_value("SELECT rows_staged || ' ' || has_watermark FROM etl.batch_source", "2 false");
    assert_value(
        "SELECT string_agg(line_no || ' ' || read_number || ' ' || batch_id, ', ' ORDER BY line_no)"
        " FROM staging.form",
        "1 1 1, 2 1 1");
}

static void nothing_in_a_file_completes_the_batch(void **state)
{
    (void)state;
    world_load("form", world_file("\n"), "nothing-to-do");
    assert_string_equal(world_batch_id(), "1");
    assert_int_equal(world_count("rows_skipped"), 1);
    assert_value("SELECT state FROM etl.batch", "complete");
}

static void rejects_alone_complete_the_batch(void **state)
{
    (void)state;
    world_load("form", world_file(BAD_FORM), "done");
    assert_int_equal(world_count("rows_read"), 1);
    assert_int_equal(world_count("rows_rejected"), 1);
    assert_value("SELECT state FROM etl.batch", "complete");
}

static void what_is_wrong_is_refused_before_anything_is_done(void **state)
{
    struct stage_options options;
    (void)state;
    options = world_options("a.ndjson");
    options.window.has_window = true;
    options.window.since = options.window.until = 5;
    fail_to_stage("form", options, STATUS_USAGE, "--since must be earlier");
    options.window.until = 6;
    options.open_window = true;
    fail_to_stage("form", options, STATUS_USAGE, "--open-window chooses");
    options = world_options("a.ndjson");
    options.format = "xml";
    fail_to_stage("form", options, STATUS_USAGE, "format");
    options = world_options("a.ndjson");
    options.max_rejects = "many";
    fail_to_stage("form", options, STATUS_USAGE, "--max-rejects");
    options = world_options("host=h dbname=d");
    fail_to_stage("group", options, STATUS_USAGE, "not read from a database");
    options.sources.count = 0;
    fail_to_stage("form", options, STATUS_USAGE, "nothing names the source");
    assert_value("SELECT count(*) FROM etl.batch", "0");
}

static void a_check_needs_no_warehouse(void **state)
{
    struct stage_options options = world_options("a.ndjson");
    (void)state;
    assert_true(stage_check(pipeline_find_feed("form"), &options, &world.err));
    options.max_rejects = "x";
    assert_false(stage_check(pipeline_find_feed("form"), &options, &world.err));
    options = world_options("host=h dbname=d");
    assert_false(stage_check(pipeline_find_feed("group"), &options, &world.err));
    options.open_window = true;
    assert_true(stage_check(pipeline_find_feed("form"), &options, &world.err));
}

static void a_size_has_a_unit_or_none(void **state)
{
    static const char *const right[] = {"1", "65536", "64KiB", "16MiB", "255MiB"};
    static const char *const wrong[] = {"256MiB",    "1GiB",   "",    "0",
                                        "-1",        "x",      "1kb", "1 MiB",
                                        "+1",        "1.5MiB", "MiB", "99999999999999999999",
                                        "1073741824"};
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        struct stage_options options = world_options("a.ndjson");
        options.max_record = right[i];
        if (!stage_check(pipeline_find_feed("form"), &options, &world.err))
            fail_msg("refused: %s", right[i]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct stage_options options = world_options("a.ndjson");
        options.max_record = wrong[i];
        if (stage_check(pipeline_find_feed("form"), &options, &world.err))
            fail_msg("taken: %s", wrong[i]);
        assert_failed(STATUS_USAGE, "--max-record");
    }
}

/* ---- twice ---- */

static void a_second_run_answers_what_the_first_one_said(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world_load("form", path, "already-done");
    assert_staged("2");
    assert_value("SELECT count(*) FROM etl.batch", "1");
    assert_value("SELECT attempt FROM etl.batch", "1");
    world.common.run_key = NULL;
    world_load("form", path, "done"); /* a run of its own */
    assert_value("SELECT count(*) FROM etl.batch", "2");
}

static void a_complete_batch_is_answered_though_its_staging_went(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world_sql("UPDATE etl.batch SET state = 'complete'; DELETE FROM staging.form");
    world_load("form", path, "already-done");
    assert_staged("0");
}

static void staging_that_was_lost_is_staged_again(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world_sql("DELETE FROM staging.form WHERE line_no = 1");
    world_load("form", path, "done");
    assert_staged("2");
    assert_value("SELECT concat_ws(' ', id, attempt, read_number, state) FROM etl.batch",
                 "1 2 2 staged");
}

static void what_failed_is_tried_again_in_the_same_batch(void **state)
{
    const char *path = world_file(TWO_FORMS);
    struct stage_options options = world_options(path);
    (void)state;
    world.common.run_key = "k";
    options.expect_rows = 3;
    fail_to_stage("form", options, STATUS_DATA, "2 records were read, 3 were expected");
    assert_staged("0");
    assert_value("SELECT state || ' ' || failed_status FROM etl.batch", "failed 65");
    options.expect_rows = 2;
    assert_true(world_stage("form", options));
    assert_string_equal(world_status(), "done");
    assert_value("SELECT concat_ws(' ', id, attempt, state) FROM etl.batch", "1 2 staged");
}

static void another_attempt_that_lives_is_waited_for(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world_sql("DELETE FROM staging.form; UPDATE etl.batch_step SET ended_at = NULL, outcome = NULL,"
              " backend = pg_backend_pid(), backend_start = (SELECT a.backend_start FROM"
              " pg_stat_activity a"
              " WHERE a.pid = pg_backend_pid())");
    world.common.lock_timeout = CLOCK_SECOND / 5;
    fail_to_stage("form", world_options(path), STATUS_TEMPORARY, "held by another attempt");
    assert_staged("0");
}

/* The twin does its work as we look for it. */
static void a_twin_that_staged_it_meanwhile_is_answered_from(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world_sql("UPDATE etl.batch SET state = 'open', staged_at = NULL");
    world_replace("holder",
                  "WITH twin AS (UPDATE etl.batch SET state = 'staged', staged_at = now())"
                  " SELECT false AS is_alive");
    world_load("form", path, "already-done");
    assert_value("SELECT attempt FROM etl.batch", "1");
    assert_staged("2");
}

static void a_batch_that_is_over_meanwhile_is_answered_from_or_left(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world_sql("DELETE FROM staging.form");
    world_replace("holder", "WITH twin AS (UPDATE etl.batch SET state = 'complete')"
                            " SELECT false AS is_alive");
    world_load("form", path, "already-done");

    world_sql(
        "UPDATE etl.batch SET state = 'staged'; UPDATE etl.batch_step SET outcome = 'failed'");
    world_replace("holder", "WITH twin AS (UPDATE etl.batch SET state = 'superseded')"
                            " SELECT false AS is_alive");
    fail_to_stage("form", world_options(path), STATUS_TEMPORARY, "superseded meanwhile");
}

/* ---- which batch ---- */

static void a_run_key_is_for_one_work(void **state)
{
    struct stage_options options = world_options(world_file(TWO_FORMS));
    (void)state;
    world.common.run_key = "k";
    world_load("form", options.sources.items[0], "done");
    fail_to_stage("form", world_options(world_file(TWO_FORMS)), STATUS_USAGE, "pass --run-key");
    options = world_options(options.sources.items[0]);
    options.window.has_window = true;
    options.window.until = 5;
    fail_to_stage("form", options, STATUS_USAGE, "pass --run-key");
}

static void force_opens_a_new_generation_of_the_key(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world.common.force = true;
    world_load("form", path, "done");
    assert_string_equal(world_batch_id(), "2");
    world.common.force = false;
    assert_value("SELECT string_agg(concat_ws(' ', run_key, generation, state), ', ' ORDER BY id)"
                 " FROM etl.batch",
                 "k 1 superseded, k 2 staged");
    world_load("form", path, "already-done");
    assert_value("SELECT count(*) FROM etl.batch", "2");

    world.common.batch_id = "1";
    fail_to_stage("form", world_options(path), STATUS_DATA, "superseded by a newer generation");
    world.common.batch_id = "2";
    world_load("form", path, "already-done");
}

static void force_without_a_batch_opens_the_first(void **state)
{
    (void)state;
    world.common.run_key = "k";
    world.common.force = true;
    world_load("form", world_file(TWO_FORMS), "done");
    assert_value("SELECT generation FROM etl.batch", "1");
}

static void a_batch_id_goes_before_the_key(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world_load("form", path, "done");
    world.common.batch_id = "1";
    world.common.run_key = "k";
    world_load("form", path, "already-done");
    world.common.batch_id = "9";
    fail_to_stage("form", world_options(path), STATUS_USAGE, "there is no batch \"9\"");
}

static void the_schema_must_fit(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    bool ok = world_stage("form", world_options("a.ndjson"));
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_false(ok);
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

/* ---- --dry-run ---- */

static void a_dry_run_writes_nothing(void **state)
{
    const char *path = world_file(TWO_FORMS), *spec = make_form_source();
    (void)state;
    world.common.dry_run = true;
    world.common.run_key = "k";
    world_load("form", path, "nothing-to-do");
    assert_int_equal(world_count("rows_read"), 0);
    world_load("form", spec, "nothing-to-do");
    assert_non_null(result_get_text(&world.result, "until"));
    assert_value("SELECT count(*) FROM etl.batch", "0");

    world.common.dry_run = false;
    world_load("form", path, "done");
    world.common.dry_run = true;
    world_load("form", path, "nothing-to-do"); /* of the batch that exists */
    assert_string_equal(world_batch_id(), "1");
    assert_value("SELECT attempt FROM etl.batch", "1");
}

static void a_dry_run_tells_what_is_wrong(void **state)
{
    const char *path = world_file(TWO_FORMS);
    (void)state;
    world.common.run_key = "k";
    world_load("form", path, "done");
    world.common.dry_run = true;
    fail_to_stage("form", world_options("other.ndjson"), STATUS_USAGE, "opened with other sources");
    fail_to_stage("synclog", world_options("host=/tmp/factline-no-such-folder dbname=d"),
                  STATUS_UNAVAILABLE, "");
    world.common.run_key = "other";
    world_make_source(); /* without tables */
    fail_to_stage("form", world_options(world_make_source()), STATUS_CONFIG, "form_source");
}

/* ---- failures ---- */

static const char *spec, *path;

static void prepare(void)
{
    world_replace(NULL, NULL);
    world_empty_ledger();
    world_sql("DELETE FROM staging.form");
    world.common.run_key = "k";
    world.common.dry_run = false;
    world.common.force = false;
}

static bool load_file(void)
{
    return world_stage("form", world_options(path));
}

static bool load_server(void)
{
    return world_stage("form", world_options(spec));
}

static void check(void)
{
    assert_staged("2");
    assert_value("SELECT state FROM etl.batch", "staged");
    assert_value("SELECT count(*) FROM etl.batch", "1");
    assert_value("SELECT count(*) FROM etl.rejected_row", "1");
    assert_value("SELECT count(*) FROM etl.batch_step WHERE ended_at IS NULL", "0");
    assert_value("SELECT count(*) FROM etl.batch_step WHERE outcome = 'done'", "1");
}

static void wherever_it_fails_the_next_try_loads_it_once(void **state)
{
    (void)state;
    path = world_file(TWO_FORMS BAD_FORM);
    world_run_with_each_failure(prepare, load_file, check);
    spec = make_form_source();
    add_source_form("f1", "now() - interval '1 hour'");
    add_source_form("f2", "now() - interval '2 hours'");
    add_source_form("f3", "timestamptz '1999-01-01 00:00:00Z'");
    world_run_with_each_failure(prepare, load_server, check);
}

static void prepare_lost(void)
{
    prepare();
    world_load("form", path, "done");
    world_sql("DELETE FROM staging.form; DELETE FROM etl.batch_step");
}

static void wherever_it_fails_lost_staging_is_staged_again(void **state)
{
    (void)state;
    path = world_file(TWO_FORMS BAD_FORM);
    world_run_with_each_failure(prepare_lost, load_file, check);
}

static void prepare_dry(void)
{
    prepare();
    world.common.run_key = NULL;
    world.common.dry_run = true;
}

static void nothing(void)
{
}

static void wherever_a_dry_run_fails_it_is_told(void **state)
{
    (void)state;
    spec = make_form_source();
    world_run_with_each_failure(prepare_dry, load_server, nothing);
}

static bool answer(void)
{
    world.common.dry_run = false;
    world.common.run_key = "k";
    return world_stage("form", world_options(path));
}

static void prepare_done(void)
{
    prepare();
    world_load("form", path, "done");
}

static void wherever_an_answer_fails_it_is_told(void **state)
{
    (void)state;
    path = world_file(TWO_FORMS);
    world_run_with_each_failure(prepare_done, answer, nothing);
}

static void prepare_twin(void)
{
    prepare_done();
    world_sql("UPDATE etl.batch SET state = 'open', staged_at = NULL");
    world_replace("holder",
                  "WITH twin AS (UPDATE etl.batch SET state = 'staged', staged_at = now())"
                  " SELECT false AS is_alive");
}

static void wherever_it_fails_a_twins_work_is_found(void **state)
{
    (void)state;
    path = world_file(TWO_FORMS);
    world_run_with_each_failure(prepare_twin, answer, nothing);
}

static void prepare_over(void)
{
    prepare_done();
    world_sql("DELETE FROM staging.form");
    world_replace("holder", "WITH twin AS (UPDATE etl.batch SET state = 'complete')"
                            " SELECT false AS is_alive");
}

static void wherever_it_fails_a_batch_that_is_over_is_found(void **state)
{
    (void)state;
    path = world_file(TWO_FORMS);
    world_run_with_each_failure(prepare_over, answer, nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_staged_and_its_batch_waits_for_the_transform),
        TEST(nothing_in_a_file_completes_the_batch),
        TEST(rejects_alone_complete_the_batch),
        TEST(what_is_wrong_is_refused_before_anything_is_done),
        TEST(a_check_needs_no_warehouse),
        TEST(a_size_has_a_unit_or_none),
        TEST(a_second_run_answers_what_the_first_one_said),
        TEST(a_complete_batch_is_answered_though_its_staging_went),
        TEST(staging_that_was_lost_is_staged_again),
        TEST(what_failed_is_tried_again_in_the_same_batch),
        TEST(another_attempt_that_lives_is_waited_for),
        TEST(a_twin_that_staged_it_meanwhile_is_answered_from),
        TEST(a_batch_that_is_over_meanwhile_is_answered_from_or_left),
        TEST(a_run_key_is_for_one_work),
        TEST(force_opens_a_new_generation_of_the_key),
        TEST(force_without_a_batch_opens_the_first),
        TEST(a_batch_id_goes_before_the_key),
        TEST(the_schema_must_fit),
        TEST(a_dry_run_writes_nothing),
        TEST(a_dry_run_tells_what_is_wrong),
        TEST(wherever_it_fails_the_next_try_loads_it_once),
        TEST(wherever_it_fails_lost_staging_is_staged_again),
        TEST(wherever_a_dry_run_fails_it_is_told),
        TEST(wherever_an_answer_fails_it_is_told),
        TEST(wherever_it_fails_a_twins_work_is_found),
        TEST(wherever_it_fails_a_batch_that_is_over_is_found),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

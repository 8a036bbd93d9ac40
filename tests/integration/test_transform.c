/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/transform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "form_world.h"

#define GROUP(id, name, time)                                                      \
    "{\"_id\":\"" id "\",\"doc_type\":\"Group\",\"domain\":\"d\",\"name\":\"" name \
    "\",\"users\":[\"u1\"],\"last_modified\":\"" time "\"}\n"

#define LINE(id, status)                                                                       \
    "{\"schema_version\":1,\"step\":\"load-staging\",\"workflow\":\"form\",\"batch_id\":\"" id \
    "\",\"status\":\"" status "\"}\n"

static void stage_forms(const char *text)
{
    world_load("form", world_file(text), "done");
}

static void fail_to_move(const char *feed, const char *batch_id, enum status status,
                         const char *part)
{
    world.common.batch_id = batch_id;
    assert_false(world_transform(feed));
    world.common.batch_id = NULL;
    assert_failed(status, part);
}

static void assert_counts(int64_t staged, int64_t inserted, int64_t updated, int64_t unchanged,
                          int64_t duplicate, int64_t older)
{
    assert_int_equal(world_count("rows_staged"), staged);
    assert_int_equal(world_count("rows_inserted"), inserted);
    assert_int_equal(world_count("rows_updated"), updated);
    assert_int_equal(world_count("rows_unchanged"), unchanged);
    assert_int_equal(world_count("rows_duplicate"), duplicate);
    assert_int_equal(world_count("rows_older"), older);
}

/* ---- once ---- */

static void a_staged_batch_becomes_facts_and_is_complete(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS FORM("f2", "u2", "2024-02-06T00:00:00Z"));
    world_move("form", "1", "done");
    assert_string_equal(world_batch_id(), "1");
    assert_counts(3, 2, 0, 0, 1, 0);
    assert_true(world_count("members_inferred") >= 3); /* two users, an app, a domain */
    assert_int_equal(world_count("attempt"), 2);
    assert_value("SELECT string_agg(form_id || ' ' || received_on::date, ', ' ORDER BY form_id)"
                 " FROM warehouse.form_fact",
                 "f1 2024-01-05, f2 2024-02-06");
    assert_value("SELECT state || ' ' || (completed_at IS NOT NULL) FROM etl.batch",
                 "complete true");
    assert_value(
        "SELECT count(DISTINCT user_dim_id) FROM warehouse.form_change_log WHERE batch_id = 1",
        "2");
}

static void a_dimension_is_moved_likewise(void **state)
{
    (void)state;
    world_load("group",
               world_file(GROUP("g1", "one", "2024-01-01") GROUP("g2", "two", "2024-01-01")),
               "done");
    world_move("group", "1", "done");
    assert_counts(2, 2, 0, 0, 0, 0);
    assert_value("SELECT step FROM etl.batch_step WHERE attempt = 2", "transform-dim");
    assert_value("SELECT count(*) FROM warehouse.user_group_dim", "2");
}

static void a_feed_may_have_a_task_of_its_own(void **state)
{
    struct feed special = *pipeline_find_feed("form");
    (void)state;
    special.task = "transform-special";
    stage_forms(TWO_FORMS);
    world_forget();
    assert_true(transform_run(world.db, &special, "1", &world.result, &world.err));
    assert_value("SELECT step FROM etl.batch_step WHERE attempt = 2", "transform-special");
}

static void what_did_not_change_is_not_written(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    stage_forms(TWO_FORMS);
    stage_forms(TWO_FORMS);
    world_move("form", "2", "done");
    assert_counts(2, 2, 0, 0, 0, 0);
    const char *before =
        world_value("SELECT string_agg(xmin::text || batch_id, ' ') FROM warehouse.form_fact");
    world_move("form", "1", "done"); /* it read its file before */
    assert_counts(2, 0, 0, 0, 0, 2);
    world_move("form", "3", "done");
    assert_counts(2, 0, 0, 2, 0, 0);
    assert_value("SELECT string_agg(xmin::text || batch_id, ' ') FROM warehouse.form_fact", before);
}

static void while_an_older_batch_waits_versions_are_raised(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    world_move("form", "1", "done");
    stage_forms(FORM("f1", "u9", "2024-01-05T00:00:00Z")); /* of the same time, waits */
    stage_forms(TWO_FORMS);
    world_move("form", "3", "done");
    assert_counts(2, 0, 0, 2, 0, 0);
    assert_value("SELECT batch_id FROM warehouse.form_fact WHERE form_id = 'f1'", "1");
    world_move("form", "2", "done");
    assert_counts(1, 0, 0, 0, 0, 1);
    assert_value("SELECT user_id FROM warehouse.form_fact WHERE form_id = 'f1'", "u1");
}

/* ---- twice ---- */

static void a_second_run_answers_what_the_first_one_said(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    world_move("form", "1", "done");
    world_move("form", "1", "already-done");
    assert_value("SELECT attempt FROM etl.batch", "2");
}

static void a_complete_batch_is_never_reopened(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    world_move("form", "1", "done");
    world.common.force = true;
    fail_to_move("form", "1", STATUS_USAGE, "never reopened");
}

static void an_empty_batch_leaves_nothing_to_do(void **state)
{
    (void)state;
    world_load("form", world_file("\n"), "nothing-to-do");
    world_move("form", "1", "nothing-to-do");
    assert_string_equal(world_batch_id(), "1");
    assert_counts(0, 0, 0, 0, 0, 0);
}

/* ---- which batch ---- */

static void the_batch_is_that_of_the_run_key(void **state)
{
    (void)state;
    world.common.run_key = "k";
    stage_forms(TWO_FORMS);
    world_move("form", NULL, "done");
    world_move("form", NULL, "already-done");
}

static void the_batch_is_that_of_the_step_before(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    world.common.run_key = "other"; /* the file goes before the key */
    world.common.batch_file = world_file(LINE("1", "done"));
    world_move("form", NULL, "done");
    world.common.batch_file = world_file(LINE("", "nothing-to-do"));
    world_move("form", NULL, "nothing-to-do");
    assert_string_equal(world_batch_id(), "");
}

static void a_batch_that_is_none_of_ours_is_refused(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    fail_to_move("form", NULL, STATUS_USAGE, "no batch is named");
    fail_to_move("form", "9", STATUS_USAGE, "there is no batch");
    fail_to_move("group", "1", STATUS_USAGE, "belongs to workflow \"form\"");
    world.common.run_key = "unheard";
    fail_to_move("form", NULL, STATUS_DATA, "run load-staging first");
}

static void a_batch_that_is_not_staged_is_refused(void **state)
{
    struct stage_options options = world_options(NULL);
    (void)state;
    options.open_window = true;
    assert_true(world_stage("form", options));
    fail_to_move("form", "1", STATUS_DATA, "is not staged yet");
    world_sql("UPDATE etl.batch SET state = 'superseded'");
    fail_to_move("form", "1", STATUS_DATA, "superseded by a newer generation");
}

/* ---- what must not happen ---- */

static void staging_that_does_not_match_is_not_moved(void **state)
{
    (void)state;
    world.common.run_key = "k";
    const char *path = world_file(TWO_FORMS);
    world_load("form", path, "done");
    world_sql("DELETE FROM staging.form");
    fail_to_move("form", "1", STATUS_DATA,
                 "has 0 staged rows, 2 were recorded; run load-staging again");
    assert_value("SELECT state FROM etl.batch", "failed");
    world_load("form", path, "done");
    world_move("form", "1", "done");
    assert_value("SELECT count(*) FROM warehouse.form_fact", "2");
}

static void swallow(const char *table)
{
    char text[512];
    snprintf(
        text, sizeof text,
        "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
        " RETURN NULL; END';"
        "CREATE TRIGGER swallow BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION public.swallow()",
        table);
    world_sql(text);
}

static void rows_that_a_trigger_swallows_fail_the_step(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    swallow("warehouse.form_fact");
    world.common.batch_id = "1";
    bool ok = world_transform("form");
    world_sql("DROP FUNCTION public.swallow() CASCADE");
    assert_false(ok);
    assert_failed(STATUS_DATA, "2 rows were staged, 0 are accounted for; look for triggers");
    assert_value("SELECT state || ' ' || failed_status FROM etl.batch", "failed 65");
    assert_value("SELECT count(*) FROM warehouse.form_key", "0");
    assert_value("SELECT count(*) > 0 FROM warehouse.user_dim WHERE is_inferred", "t"); /* apart */
    world_move("form", "1", "done");
    assert_counts(2, 2, 0, 0, 0, 0);
}

static void rows_of_a_dimension_that_a_trigger_swallows_fail_the_step(void **state)
{
    (void)state;
    world_load("group", world_file(GROUP("g1", "one", "2024-01-01")), "done");
    swallow("warehouse.group_dim");
    world.common.batch_id = "1";
    bool ok = world_transform("group");
    world_sql("DROP FUNCTION public.swallow() CASCADE");
    assert_false(ok);
    assert_failed(STATUS_DATA, "look for triggers");
}

static void a_busy_target_is_waited_for_but_not_for_ever(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    int other = world_session(false);
    world_session_sql(
        other, "BEGIN; SELECT FROM etl.target WHERE name = 'warehouse.form_fact' FOR UPDATE");
    world.common.lock_timeout = CLOCK_SECOND / 5;
    world_reconnect();
    fail_to_move("form", "1", STATUS_TEMPORARY, "55P03");
    world_session_sql(other, "ROLLBACK");
    world_move("form", "1", "done");
}

static void an_attempt_that_was_fenced_off_writes_nothing(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    world_replace("analyze_staging", "UPDATE etl.batch SET attempt = attempt + 1");
    fail_to_move("form", "1", STATUS_TEMPORARY, "fenced off");
    assert_value("SELECT state FROM etl.batch", "staged"); /* not ours to say more */
    assert_value("SELECT count(*) FROM warehouse.form_fact", "0");
}

static void a_batch_that_is_over_meanwhile_is_answered_from_or_left(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    world_replace("holder", "WITH twin AS (UPDATE etl.batch SET state = 'complete')"
                            " SELECT false AS is_alive");
    world_move("form", "1", "nothing-to-do"); /* whoever completed it left no line */
    world_sql("UPDATE etl.batch SET state = 'staged'");
    world_replace("holder", "WITH twin AS (UPDATE etl.batch SET state = 'superseded')"
                            " SELECT false AS is_alive");
    fail_to_move("form", "1", STATUS_TEMPORARY, "superseded meanwhile");
}

static void the_schema_must_fit(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    world.common.batch_id = "1";
    bool ok = world_transform("form");
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_false(ok);
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

/* ---- --dry-run ---- */

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    stage_forms(TWO_FORMS);
    world.common.dry_run = true;
    world_move("form", "1", "nothing-to-do");
    assert_counts(0, 0, 0, 0, 0, 0);
    assert_value("SELECT state || ' ' || attempt FROM etl.batch", "staged 1");
    assert_value("SELECT count(*) FROM warehouse.form_fact", "0");
}

/* ---- failures ---- */

static void prepare(void)
{
    world.common.dry_run = false;
    world.common.force = false;
    world_replace(NULL, NULL);
    world_empty_ledger();
    world_sql(
        "DELETE FROM staging.form; DELETE FROM warehouse.form_key; DELETE FROM warehouse.form_fact;"
        "DELETE FROM warehouse.form_change_log");
    stage_forms(TWO_FORMS);
}

static bool move_forms(void)
{
    world.common.batch_id = "1";
    bool ok = world_transform("form");
    world.common.batch_id = NULL;
    return ok;
}

static void check(void)
{
    assert_value("SELECT state FROM etl.batch", "complete");
    assert_value("SELECT count(*) FROM warehouse.form_fact", "2");
    assert_value("SELECT count(*) FROM warehouse.form_change_log", "2");
    assert_value("SELECT count(*) FROM etl.batch_step WHERE ended_at IS NULL", "0");
    assert_value(
        "SELECT count(*) FROM etl.batch_step WHERE step = 'transform-fact' AND outcome = 'done'",
        "1");
}

static void wherever_it_fails_the_next_try_moves_it_once(void **state)
{
    (void)state;
    world_run_with_each_failure(prepare, move_forms, check);
}

static void prepare_dry(void)
{
    prepare();
    world.common.dry_run = true;
}

static void prepare_done(void)
{
    prepare();
    world_move("form", "1", "done");
}

static void nothing(void)
{
}

static void wherever_an_answer_fails_it_is_told(void **state)
{
    (void)state;
    world_run_with_each_failure(prepare_dry, move_forms, nothing);
    world_run_with_each_failure(prepare_done, move_forms, nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_staged_batch_becomes_facts_and_is_complete),
        TEST(a_dimension_is_moved_likewise),
        TEST(a_feed_may_have_a_task_of_its_own),
        TEST(what_did_not_change_is_not_written),
        TEST(while_an_older_batch_waits_versions_are_raised),
        TEST(a_second_run_answers_what_the_first_one_said),
        TEST(a_complete_batch_is_never_reopened),
        TEST(an_empty_batch_leaves_nothing_to_do),
        TEST(the_batch_is_that_of_the_run_key),
        TEST(the_batch_is_that_of_the_step_before),
        TEST(a_batch_that_is_none_of_ours_is_refused),
        TEST(a_batch_that_is_not_staged_is_refused),
        TEST(staging_that_does_not_match_is_not_moved),
        TEST(rows_that_a_trigger_swallows_fail_the_step),
        TEST(rows_of_a_dimension_that_a_trigger_swallows_fail_the_step),
        TEST(a_busy_target_is_waited_for_but_not_for_ever),
        TEST(an_attempt_that_was_fenced_off_writes_nothing),
        TEST(a_batch_that_is_over_meanwhile_is_answered_from_or_left),
        TEST(the_schema_must_fit),
        TEST(a_dry_run_writes_nothing),
        TEST(wherever_it_fails_the_next_try_moves_it_once),
        TEST(wherever_an_answer_fails_it_is_told),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

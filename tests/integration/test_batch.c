/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/batch.h"

#include <stdlib.h>
#include <string.h>

#include "batch_world.h"

/* ---- identity ---- */

static void the_run_key_is_the_callers_or_a_new_one(void **state)
{
    (void)state;
    world.common.run_key = "dag/run";
    char *own = batch_run_key(world.db, &world.err);
    assert_string_equal(own, "dag/run");
    world.common.run_key = NULL;
    char *one = batch_run_key(world.db, &world.err), *other = batch_run_key(world.db, &world.err);
    assert_string_not_equal(one, other);
    assert_true(task_is_id(one));
    free(own);
    free(one);
    free(other);
}

static void a_batch_is_what_was_opened(void **state)
{
    struct batch batch, found = {0};
    bool is_new = false;
    (void)state;
    open_on(world.db, &batch, "key", 1, &is_new);
    assert_true(is_new);
    assert_true(batch_find(world.db, "form", batch.id_text, NULL, &found, &world.err));
    assert_int_equal(found.id, batch.id);
    assert_string_equal(found.workflow, "form");
    assert_string_equal(found.run_key, "key");
    assert_string_equal(found.fingerprint, "work");
    assert_int_equal(found.generation, 1);
    assert_false(found.is_backfill);
    assert_true(found.since == CLOCK_BEGINNING);
    assert_true(found.until == 1700000000 * CLOCK_SECOND);
    assert_int_equal(found.state, BATCH_OPEN);
    assert_int_equal(found.attempt, 0);
    assert_true(found.own_times);
    assert_false(found.is_staged);
    assert_false(found.is_held);
    batch_release(&found);
    assert_null(found.workflow);
    batch_release(&found);
    batch_release(&batch);
}

static void a_key_belongs_to_its_workflow(void **state)
{
    struct batch batch, found = {0};
    (void)state;
    open_batch(&batch);
    assert_true(batch_find(world.db, "form", NULL, "key", &found, &world.err));
    assert_int_equal(found.id, batch.id);
    batch_release(&found);
    assert_true(batch_find(world.db, "synclog", NULL, "key", &found, &world.err));
    assert_int_equal(found.id, 0);
    assert_true(batch_find(world.db, "form", NULL, "other", &found, &world.err));
    assert_int_equal(found.id, 0);
    assert_true(batch_find(world.db, "form", NULL, NULL, &found, &world.err));
    assert_int_equal(found.id, 0);
    batch_release(&batch);
}

static void an_id_goes_before_the_key(void **state)
{
    struct batch batch, other, found = {0};
    bool is_new;
    (void)state;
    open_batch(&batch);
    open_on(world.db, &other, "other", 1, &is_new);
    assert_true(batch_find(world.db, "form", batch.id_text, "other", &found, &world.err));
    assert_int_equal(found.id, batch.id);
    batch_release(&batch);
    batch_release(&other);
    batch_release(&found);
}

static void an_unknown_id_is_a_usage_error(void **state)
{
    static const char *const ids[] = {"999", "x", "1x", "-1", "1234567890123456789", ""};
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct batch found = {0};
        assert_false(batch_find(world.db, "form", ids[i], NULL, &found, &world.err));
        assert_failed(STATUS_USAGE, "there is no batch");
        batch_release(&found);
    }
}

static void an_id_of_another_workflow_is_a_usage_error(void **state)
{
    struct batch batch, found = {0};
    (void)state;
    open_batch(&batch);
    assert_false(batch_find(world.db, "synclog", batch.id_text, NULL, &found, &world.err));
    assert_failed(STATUS_USAGE, "belongs to workflow \"form\"");
    batch_release(&found);
    batch_release(&batch);
}

static void a_twin_that_opens_the_same_key_gets_the_same_batch(void **state)
{
    struct db *twin = world_open();
    struct batch batch, other;
    bool is_new;
    (void)state;
    open_batch(&batch);
    open_on(twin, &other, "key", 1, &is_new);
    assert_false(is_new);
    assert_int_equal(other.id, batch.id);
    assert_value("SELECT count(*) FROM etl.batch", "1");
    batch_release(&batch);
    batch_release(&other);
    db_close(twin);
}

static void a_new_generation_sets_aside_what_did_not_complete(void **state)
{
    struct batch first, second, third, found = {0};
    bool is_new;
    (void)state;
    open_batch(&first);
    open_on(world.db, &second, "key", 2, &is_new);
    assert_true(is_new);
    assert_value("SELECT string_agg(generation || ' ' || state, ', ' ORDER BY id) FROM etl.batch",
                 "1 superseded, 2 open");
    world_sql("UPDATE etl.batch SET state = 'complete' WHERE generation = 2");
    open_on(world.db, &third, "key", 3, &is_new);
    assert_value("SELECT string_agg(generation || ' ' || state, ', ' ORDER BY id) FROM etl.batch",
                 "1 superseded, 2 complete, 3 open");
    assert_true(batch_find(world.db, "form", NULL, "key", &found, &world.err));
    assert_int_equal(found.generation, 3);
    batch_release(&first);
    batch_release(&second);
    batch_release(&third);
    batch_release(&found);
}

static void a_refreshed_batch_shows_what_became_of_it(void **state)
{
    struct batch batch;
    (void)state;
    open_batch(&batch);
    world_sql(
        "UPDATE etl.batch SET state = 'staged', rows_staged = 5, staged_at = now(), attempt = 4,"
        " read_number = 2, kind = 'backfill'");
    assert_true(batch_refresh(world.db, &batch, &world.err));
    assert_int_equal(batch.state, BATCH_STAGED);
    assert_int_equal(batch.rows_staged, 5);
    assert_int_equal(batch.read_number, 2);
    assert_int_equal(batch.attempt, 4);
    assert_true(batch.is_staged && batch.is_backfill);
    batch_release(&batch);
}

/* ---- ends ---- */

static void a_finished_step_is_answered_with_its_line(void **state)
{
    struct batch batch;
    bool is_done = false;
    (void)state;
    world.task = STEP;
    open_batch(&batch);
    hold_on(world.db, &batch);
    assert_true(batch_earlier_result(world.db, &batch, STEP, &world.result, &is_done, &world.err));
    assert_false(is_done);
    finish_on(world.db, &batch);
    assert_value(
        "SELECT outcome || ' ' || status || ' ' || (ended_at IS NOT NULL) FROM etl.batch_step",
        "done 0 true");
    world_forget();
    assert_true(batch_earlier_result(world.db, &batch, STEP, &world.result, &is_done, &world.err));
    assert_true(is_done);
    assert_string_equal(world_status(), "already-done");
    world_forget();
    assert_true(batch_earlier_result(world.db, &batch, "transform-fact", &world.result, &is_done,
                                     &world.err));
    assert_false(is_done);
    batch_release(&batch);
}

static void a_line_that_is_none_is_told(void **state)
{
    struct batch batch;
    bool is_done;
    (void)state;
    open_batch(&batch);
    hold_on(world.db, &batch);
    finish_on(world.db, &batch);
    world_sql("UPDATE etl.batch_step SET result = 'x'");
    assert_false(batch_earlier_result(world.db, &batch, STEP, &world.result, &is_done, &world.err));
    assert_failed(STATUS_BUG, "no result line");
    batch_release(&batch);
}

static void a_failure_is_recorded_where_the_attempt_is_ours(void **state)
{
    const struct error err = {
        .status = STATUS_TEMPORARY, .sqlstate = "40P01", .message = "deadlock; run the step again"};
    struct batch batch;
    (void)state;
    open_batch(&batch);
    hold_on(world.db, &batch);
    assert_true(batch_enter(world.db, &batch, &world.err));
    batch_fail(world.db, &batch, STEP, &err);
    assert_value(
        "SELECT concat_ws(' ', state, failed_step, failed_status, failed_sqlstate, failed_reason)"
        " FROM etl.batch",
        "failed load-staging 75 40P01 deadlock; run the step again");
    assert_value("SELECT concat_ws(' ', outcome, status, sqlstate, reason) FROM etl.batch_step",
                 "failed 75 40P01 deadlock; run the step again");
    hold_on(world.db, &batch); /* and the next try is free to go on */
    assert_int_equal(batch.attempt, 2);
    batch_release(&batch);
}

static void a_complete_batch_never_fails(void **state)
{
    const struct error err = {.status = STATUS_IO, .message = "x; y"};
    struct batch batch;
    (void)state;
    open_batch(&batch);
    hold_on(world.db, &batch);
    world_sql("UPDATE etl.batch SET state = 'complete'");
    batch_fail(world.db, &batch, STEP, &err);
    assert_value("SELECT state FROM etl.batch", "complete");
    batch_release(&batch);
}

static void without_hold_a_failure_leaves_no_trace(void **state)
{
    const struct error err = {.status = STATUS_IO, .message = "x; y"};
    struct batch batch;
    (void)state;
    open_batch(&batch);
    assert_true(db_begin(world.db, &world.err));
    batch_fail(world.db, &batch, STEP, &err);
    assert_value("SELECT state FROM etl.batch", "open");
    assert_true(db_begin(world.db, &world.err)); /* it was rolled back */
    batch_release(&batch);
}

static void a_failure_of_recording_a_failure_is_borne(void **state)
{
    const struct error err = {.status = STATUS_IO, .message = "x; y"};
    struct batch batch;
    (void)state;
    open_batch(&batch);
    hold_on(world.db, &batch);
    world_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid ="
              " (SELECT backend FROM etl.batch_step)");
    batch_fail(world.db, &batch, STEP, &err);
    assert_value("SELECT state FROM etl.batch", "open");
    batch_release(&batch);
}

static void every_line_begins_alike(void **state)
{
    struct batch batch;
    struct str line;
    (void)state;
    world.task = STEP;
    str_init(&line);
    open_batch(&batch);
    batch_report(&world.result, &batch, "form", "done", clock_monotonic());
    result_format(&world.result, &line);
    assert_non_null(strstr(line.text,
                           "{\"schema_version\":1,\"step\":\"load-staging\",\"workflow\":\"form\","
                           "\"batch_id\":\"1\",\"status\":\"done\",\"attempt\":0,\"since\":null,"
                           "\"until\":\"2023-11-14T22:13:20.000000Z\",\"seconds\":0.0"));
    world_forget();
    str_clear(&line);
    batch_release(&batch);
    batch_report(&world.result, &batch, "", "nothing-to-do", clock_monotonic());
    result_format(&world.result, &line);
    assert_non_null(strstr(line.text,
                           "\"workflow\":\"\",\"batch_id\":\"\",\"status\":\"nothing-to-do\","
                           "\"attempt\":0,\"since\":null,\"until\":null,"));
    str_release(&line);
}

/* ---- failures ---- */

static void prepare(void)
{
    world_empty_ledger();
}

/* What every step does. */
static bool go(void)
{
    struct batch batch = {0};
    bool is_new, is_done = false, ok = false;
    char *key = NULL;
    world.task = STEP;
    world.common.run_key = NULL;
    if (!(key = batch_run_key(world.db, &world.err)) ||
        !batch_find(world.db, "form", NULL, "key", &batch, &world.err))
        goto done;
    if (batch.id == 0) {
        batch = (struct batch){.workflow = mem_strdup("form"),
                               .run_key = mem_strdup("key"),
                               .fingerprint = mem_strdup("work"),
                               .generation = 2};
        if (!db_begin(world.db, &world.err) || !batch_open(world.db, &batch, &is_new, &world.err) ||
            !db_commit(world.db, &world.err))
            goto done;
    }
    if (!batch_refresh(world.db, &batch, &world.err) ||
        !batch_earlier_result(world.db, &batch, STEP, &world.result, &is_done, &world.err))
        goto done;
    if (!is_done) {
        if (!batch_hold(world.db, &batch, STEP, &world.err) || !db_commit(world.db, &world.err) ||
            !batch_enter(world.db, &batch, &world.err))
            goto done;
        batch_report(&world.result, &batch, "form", "done", clock_monotonic());
        if (!batch_finish(world.db, &batch, &world.result, &world.err))
            goto done;
    }
    ok = true;
done:
    if (!ok)
        batch_fail(world.db, &batch, STEP, &world.err);
    batch_release(&batch);
    free(key);
    return ok;
}

static void check(void)
{
    assert_value("SELECT count(*) FROM etl.batch", "1");
    assert_value("SELECT count(*) FROM etl.batch_step WHERE outcome = 'done'", "1");
    assert_value("SELECT count(*) FROM etl.batch_step WHERE ended_at IS NULL", "0");
}

static void each_failure_is_told_and_the_next_try_goes_on(void **state)
{
    (void)state;
    world_run_with_each_failure(prepare, go, check);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_run_key_is_the_callers_or_a_new_one),
        TEST(a_batch_is_what_was_opened),
        TEST(a_key_belongs_to_its_workflow),
        TEST(an_id_goes_before_the_key),
        TEST(an_unknown_id_is_a_usage_error),
        TEST(an_id_of_another_workflow_is_a_usage_error),
        TEST(a_twin_that_opens_the_same_key_gets_the_same_batch),
        TEST(a_new_generation_sets_aside_what_did_not_complete),
        TEST(a_refreshed_batch_shows_what_became_of_it),
        TEST(a_finished_step_is_answered_with_its_line),
        TEST(a_line_that_is_none_is_told),
        TEST(a_failure_is_recorded_where_the_attempt_is_ours),
        TEST(a_complete_batch_never_fails),
        TEST(without_hold_a_failure_leaves_no_trace),
        TEST(a_failure_of_recording_a_failure_is_borne),
        TEST(every_line_begins_alike),
        TEST(each_failure_is_told_and_the_next_try_goes_on),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

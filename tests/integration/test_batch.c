/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open,--wrap=interrupt_wait */
#include "etl/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "etl_world.h"

#define STEP "load-staging"
#define SHORT_WAIT (CLOCK_SECOND / 4)

/* A stop that is asked for while nothing but time is waited for. */
static bool is_stopping;
enum interrupt_waited __real_interrupt_wait(int fd, short events, int timeout_ms, short *revents);
enum interrupt_waited __wrap_interrupt_wait(int fd, short events, int timeout_ms, short *revents);
enum interrupt_waited __wrap_interrupt_wait(int fd, short events, int timeout_ms, short *revents)
{
    if (is_stopping && fd < 0)
        return INTERRUPT_STOP;
    return __real_interrupt_wait(fd, events, timeout_ms, revents);
}

/* A batch of the workflow "form", opened on db. */
static void open_on(struct db *db, struct batch *batch, const char *run_key, int64_t generation,
                    bool *is_new)
{
    *batch = (struct batch){.workflow = mem_strdup("form"),
                            .run_key = mem_strdup(run_key),
                            .fingerprint = mem_strdup("work"),
                            .generation = generation,
                            .since = CLOCK_BEGINNING,
                            .until = 1700000000 * CLOCK_SECOND,
                            .own_times = true};
    if (!db_begin(db, &world.err) || !batch_open(db, batch, is_new, &world.err) ||
        !db_commit(db, &world.err))
        fail_msg("%s", world.err.message);
}

static void open_batch(struct batch *batch)
{
    bool is_new;
    open_on(world.db, batch, "key", 1, &is_new);
}

static void hold_on(struct db *db, struct batch *batch)
{
    if (!batch_hold(db, batch, STEP, &world.err) || !db_commit(db, &world.err))
        fail_msg("%s", world.err.message);
    assert_true(batch->is_held);
}

/* The batch of the run key "key", as another process finds it. */
static void find_on(struct db *db, struct batch *batch)
{
    *batch = (struct batch){0};
    assert_true(batch_find(db, "form", NULL, "key", batch, &world.err));
    assert_int_not_equal(batch->id, 0);
}

static void finish_on(struct db *db, struct batch *batch)
{
    batch_report(&world.result, batch, "form", "done", clock_monotonic());
    assert_true(batch_enter(db, batch, &world.err));
    if (!batch_finish(db, batch, &world.result, &world.err))
        fail_msg("%s", world.err.message);
}

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

/* ---- taking hold ---- */

static void holding_raises_the_attempt_and_leaves_a_trace(void **state)
{
    struct batch batch;
    (void)state;
    world.task = STEP;
    world.common.run_key = "key";
    world.common.try_number = 3;
    open_batch(&batch);
    hold_on(world.db, &batch);
    assert_int_equal(batch.attempt, 1);
    assert_value("SELECT attempt FROM etl.batch", "1");
    assert_value(
        "SELECT concat_ws(' ', attempt, step, run_key, try_number, ended_at IS NULL, host <> '',"
        " (SELECT application_name FROM pg_stat_activity WHERE pid = backend"
        "   AND pg_stat_activity.backend_start = batch_step.backend_start)) FROM etl.batch_step",
        "1 load-staging key 3 t t load-staging 1/1");
    batch_release(&batch);
}

static void a_living_holder_is_waited_for_but_not_for_ever(void **state)
{
    struct db *other = world_open();
    struct batch batch, held;
    (void)state;
    open_batch(&batch);
    find_on(other, &held);
    hold_on(other, &held);
    world.common.lock_timeout = SHORT_WAIT;
    int64_t started = clock_monotonic();
    assert_false(batch_hold(world.db, &batch, STEP, &world.err));
    assert_failed(STATUS_TEMPORARY, "held by another attempt");
    assert_true(clock_monotonic() - started >= SHORT_WAIT);
    assert_false(batch.is_held);
    assert_value("SELECT attempt FROM etl.batch", "1");
    batch_release(&batch);
    batch_release(&held);
    db_close(other);
}

static void a_holder_whose_session_is_gone_is_no_hindrance(void **state)
{
    struct db *other = world_open();
    struct batch batch, held;
    (void)state;
    open_batch(&batch);
    find_on(other, &held);
    hold_on(other, &held);
    db_close(other);
    hold_on(world.db, &batch);
    assert_int_equal(batch.attempt, 2);
    assert_value(
        "SELECT string_agg(attempt || ' ' || coalesce(outcome, 'running'), ', ' ORDER BY attempt)"
        " FROM etl.batch_step",
        "1 abandoned, 2 running");
    batch_release(&batch);
    batch_release(&held);
}

static void a_holder_that_ended_its_step_is_no_hindrance(void **state)
{
    struct db *other = world_open();
    struct batch batch, held;
    (void)state;
    open_batch(&batch);
    find_on(other, &held);
    hold_on(other, &held);
    finish_on(other, &held);
    hold_on(world.db, &batch);
    assert_int_equal(batch.attempt, 2);
    batch_release(&batch);
    batch_release(&held);
    db_close(other);
}

static void an_older_try_of_the_same_run_key_is_ended(void **state)
{
    struct db *other = world_open();
    struct batch batch, held;
    (void)state;
    world.common.run_key = "key";
    world.common.try_number = 1;
    open_batch(&batch);
    find_on(other, &held);
    hold_on(other, &held);
    world.common.try_number = 2;
    hold_on(world.db, &batch);
    assert_int_equal(batch.attempt, 2);
    assert_false(batch_enter(other, &held, &world.err));
    assert_int_equal(world.err.status, STATUS_TEMPORARY);
    batch_release(&batch);
    batch_release(&held);
    db_close(other);
}

/* A holder of these, and ours: the holder lives on. */
static void assert_left_alone(const char *key, int number, const char *own_key, int own_number)
{
    struct db *other = world_open();
    struct batch batch, held;
    world_empty_ledger();
    world.common.run_key = key;
    world.common.try_number = number;
    open_batch(&batch);
    find_on(other, &held);
    hold_on(other, &held);
    world.common.run_key = own_key;
    world.common.try_number = own_number;
    world.common.lock_timeout = SHORT_WAIT / 4;
    assert_false(batch_hold(world.db, &batch, STEP, &world.err));
    assert_failed(STATUS_TEMPORARY, "held by another attempt");
    world_forget();
    finish_on(other, &held);
    batch_release(&batch);
    batch_release(&held);
    db_close(other);
}

static void nobody_else_is_ended(void **state)
{
    (void)state;
    assert_left_alone("key", 2, "key", 2);
    assert_left_alone("key", 2, "key", 1);
    assert_left_alone("key", 0, "key", 2);
    assert_left_alone("other", 1, "key", 2);
    assert_left_alone("key", 1, "other", 2);
    assert_left_alone("key", 1, NULL, 2);
}

static void a_twin_that_takes_hold_while_we_wait_for_the_lock_is_seen(void **state)
{
    struct batch batch;
    (void)state;
    open_batch(&batch);
    int twin = world_session(false);
    world_session_sql(twin, "BEGIN; SELECT FROM etl.batch FOR UPDATE");
    world_session_send(
        twin, "DO $$ BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
              " END LOOP;"
              " INSERT INTO etl.batch_step (batch_id, attempt, step, run_key, host, backend,"
              " backend_start) SELECT 1, 1, 'load-staging', 'other', '', pid, backend_start"
              " FROM pg_stat_activity WHERE pid = pg_backend_pid();"
              " UPDATE etl.batch SET attempt = 1; END $$; COMMIT");
    world.common.lock_timeout = SHORT_WAIT;
    assert_false(batch_hold(world.db, &batch, STEP, &world.err));
    assert_failed(STATUS_TEMPORARY, "held by another attempt");
    world_session_close(twin);
    world_forget();
    world.common.lock_timeout = 10 * CLOCK_SECOND;
    hold_on(world.db, &batch);
    assert_int_equal(batch.attempt, 2);
    batch_release(&batch);
}

static void what_is_over_is_not_held_again(void **state)
{
    static const char *const states[] = {"complete", "superseded"};
    static const enum batch_state expected[] = {BATCH_COMPLETE, BATCH_SUPERSEDED};
    struct batch batch;
    (void)state;
    open_batch(&batch);
    for (int i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof text, "UPDATE etl.batch SET state = '%s'", states[i]);
        world_sql(text);
        assert_true(batch_hold(world.db, &batch, STEP, &world.err));
        assert_false(batch.is_held);
        assert_int_equal(batch.state, expected[i]);
        assert_value("SELECT attempt FROM etl.batch", "0");
        assert_value("SELECT count(*) FROM etl.batch_step", "0");
        assert_true(db_begin(world.db, &world.err)); /* the transaction is closed */
        db_rollback(world.db);
    }
    batch_release(&batch);
}

static void waiting_for_a_holder_can_be_interrupted(void **state)
{
    struct db *other = world_open();
    struct batch batch, held;
    (void)state;
    open_batch(&batch);
    find_on(other, &held);
    hold_on(other, &held);
    is_stopping = true;
    assert_false(batch_hold(world.db, &batch, STEP, &world.err));
    is_stopping = false;
    assert_int_equal(world.err.status, STATUS_INTERRUPTED);
    batch_release(&batch);
    batch_release(&held);
    db_close(other);
}

/* ---- the data transaction ---- */

static void a_newer_attempt_fences_the_older_off(void **state)
{
    struct db *newer = world_open();
    struct batch batch, found;
    (void)state;
    open_batch(&batch);
    hold_on(world.db, &batch);
    world_sql("UPDATE etl.batch_step SET backend = 0"); /* as if our session had died */
    find_on(newer, &found);
    hold_on(newer, &found);
    assert_false(batch_enter(world.db, &batch, &world.err));
    assert_failed(STATUS_TEMPORARY, "fenced off");
    batch_fail(world.db, &batch, STEP, &world.err);
    assert_value("SELECT state FROM etl.batch", "open");
    assert_value("SELECT outcome FROM etl.batch_step WHERE attempt = 1", "abandoned");
    finish_on(newer, &found);
    batch_release(&batch);
    batch_release(&found);
    db_close(newer);
}

static void what_is_over_is_not_entered(void **state)
{
    static const char *const states[] = {"complete", "superseded"};
    struct batch batch;
    (void)state;
    open_batch(&batch);
    hold_on(world.db, &batch);
    for (int i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof text, "UPDATE etl.batch SET state = '%s'", states[i]);
        world_sql(text);
        assert_false(batch_enter(world.db, &batch, &world.err));
        assert_failed(STATUS_TEMPORARY, "fenced off");
        db_rollback(world.db);
    }
    batch_release(&batch);
}

static void an_entered_batch_keeps_other_steps_out(void **state)
{
    struct db *other = world_open();
    struct batch batch;
    (void)state;
    open_batch(&batch);
    hold_on(world.db, &batch);
    assert_true(batch_enter(world.db, &batch, &world.err));
    int session = world_session(false);
    world_session_send(session, "UPDATE etl.batch SET attempt = attempt + 1");
    world_wait("EXISTS (SELECT FROM pg_locks WHERE NOT granted)");
    assert_value("SELECT attempt FROM etl.batch", "1");
    db_rollback(world.db);
    world_wait("(SELECT attempt FROM etl.batch) = 2");
    batch_release(&batch);
    db_close(other);
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
        TEST(holding_raises_the_attempt_and_leaves_a_trace),
        TEST(a_living_holder_is_waited_for_but_not_for_ever),
        TEST(a_holder_whose_session_is_gone_is_no_hindrance),
        TEST(a_holder_that_ended_its_step_is_no_hindrance),
        TEST(an_older_try_of_the_same_run_key_is_ended),
        TEST(nobody_else_is_ended),
        TEST(a_twin_that_takes_hold_while_we_wait_for_the_lock_is_seen),
        TEST(what_is_over_is_not_held_again),
        TEST(waiting_for_a_holder_can_be_interrupted),
        TEST(a_newer_attempt_fences_the_older_off),
        TEST(what_is_over_is_not_entered),
        TEST(an_entered_batch_keeps_other_steps_out),
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

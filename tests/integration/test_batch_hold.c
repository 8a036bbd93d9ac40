/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open,--wrap=interrupt_wait */
#include "etl/batch.h"

#include <stdio.h>

#include "base/interrupt.h"
#include "batch_world.h"

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

#define SHORT_WAIT (CLOCK_SECOND / 4)

/* The batch of the run key "key", as another process finds it. */
static void find_on(struct db *db, struct batch *batch)
{
    *batch = (struct batch){0};
    assert_true(batch_find(db, "form", NULL, "key", batch, &world.err));
    assert_int_not_equal(batch->id, 0);
}

/* Another session holds the batch that we have opened. */
static struct db *hold_elsewhere(struct batch *batch, struct batch *held)
{
    struct db *other = world_open();
    open_batch(batch);
    find_on(other, held);
    hold_on(other, held);
    return other;
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
    struct batch batch, held;
    (void)state;
    struct db *other = hold_elsewhere(&batch, &held);
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
    struct batch batch, held;
    (void)state;
    struct db *other = hold_elsewhere(&batch, &held);
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
    struct batch batch, held;
    (void)state;
    struct db *other = hold_elsewhere(&batch, &held);
    finish_on(other, &held);
    hold_on(world.db, &batch);
    assert_int_equal(batch.attempt, 2);
    batch_release(&batch);
    batch_release(&held);
    db_close(other);
}

static void an_older_try_of_the_same_run_key_is_ended(void **state)
{
    struct batch batch, held;
    (void)state;
    world.common.run_key = "key";
    world.common.try_number = 1;
    struct db *other = hold_elsewhere(&batch, &held);
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
    struct batch batch, held;
    world_empty_ledger();
    world.common.run_key = key;
    world.common.try_number = number;
    struct db *other = hold_elsewhere(&batch, &held);
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
    struct batch batch, held;
    (void)state;
    struct db *other = hold_elsewhere(&batch, &held);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

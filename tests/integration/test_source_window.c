/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/source.h"

#include <stdio.h>

#include "source_world.h"

/* As if a batch of the workflow had read the source until then. */
static void note_batch(const char *workflow, const char *source, int64_t until, const char *kind,
                       const char *state)
{
    char text[1024], time[CLOCK_TEXT_SIZE];
    snprintf(
        text, sizeof text,
        "WITH batch AS (INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until,"
        " state) VALUES ('%s', gen_random_uuid(), '', '%s', '-infinity', '%s', '%s') RETURNING *)"
        " INSERT INTO etl.batch_source (batch_id, source, has_watermark, since, until)"
        " SELECT id, '%s', kind = 'incremental', since, until FROM batch",
        workflow, kind, clock_format(until, time), state, source);
    world_sql(text);
}

/* ---- windows ---- */

static void a_new_source_begins_at_the_beginning_and_ends_now(void **state)
{
    (void)state;
    int64_t before = source_now();
    open_server();
    assert_chosen(&by_default);
    assert_true(window.since == CLOCK_BEGINNING);
    assert_true(window.until >= before && window.until <= source_now());
    assert_true(window.has_progress);
    assert_int_equal(window.behind, 0);
    assert_int_equal(window.holder_age, 0);
    assert_true(list.items[0].since == window.since && list.items[0].until == window.until);
}

static void a_new_source_begins_at_the_start_that_is_given(void **state)
{
    struct window_options options = by_default;
    (void)state;
    open_server();
    options.start = source_now() - HOUR;
    assert_chosen(&options);
    assert_true(window.since == options.start);
    options.start = source_now() + HOUR;
    assert_chosen(&options);
    assert_false(window.has_progress);
}

static void the_next_window_begins_at_the_last_complete_end_less_the_overlap(void **state)
{
    (void)state;
    int64_t mark = source_now() - HOUR;
    open_server();
    const char *own = list.items[0].identity;
    note_batch("form", own, mark - HOUR, "incremental", "complete");
    note_batch("form", own, mark, "incremental", "complete");
    note_batch("form", own, mark + 1 * MINUTE, "incremental", "staged");
    note_batch("form", own, mark + 2 * MINUTE, "incremental", "failed");
    note_batch("form", own, mark + 3 * MINUTE, "incremental", "superseded");
    note_batch("form", own, mark + 4 * MINUTE, "backfill", "complete");
    note_batch("form", "elsewhere:1/d", mark + 5 * MINUTE, "incremental", "complete");
    note_batch("synclog", own, mark + 6 * MINUTE, "incremental", "complete");
    assert_chosen(&by_default);
    assert_true(window.since == mark - 15 * MINUTE);
    assert_true(window.until > mark);
}

static void a_window_has_at_most_the_length_that_is_given(void **state)
{
    struct window_options options = by_default;
    (void)state;
    options.max_window = 10 * MINUTE;
    open_server();
    assert_chosen(&options);
    assert_true(window.since == CLOCK_BEGINNING && window.behind == 0); /* nothing to bound it by */

    int64_t mark = source_now() - HOUR;
    note_batch("form", list.items[0].identity, mark, "incremental", "complete");
    assert_chosen(&options);
    assert_true(window.since == mark - 15 * MINUTE);
    assert_true(window.until == mark + 10 * MINUTE);
    assert_true(window.behind >= 50 * MINUTE && window.behind < 51 * MINUTE);

    options.max_window = 2 * HOUR;
    assert_chosen(&options);
    assert_true(window.until > mark + 59 * MINUTE && window.behind == 0);
}

static void the_start_bounds_the_first_window_too(void **state)
{
    struct window_options options = by_default;
    (void)state;
    options.max_window = 10 * MINUTE;
    options.start = source_now() - HOUR;
    open_server();
    assert_chosen(&options);
    assert_true(window.since == options.start);
    assert_true(window.until == options.start + 10 * MINUTE);
}

/* The end of the last window, by a clock that was set back by so much since. */
static int64_t note_step(int64_t step)
{
    int64_t end = source_now() + step;
    world_sql("DELETE FROM etl.batch_source; DELETE FROM etl.batch");
    note_batch("form", list.items[0].identity, end, "incremental", "complete");
    return end;
}

/* Clocks are read one after the other, a while apart. */
static bool is_about(int64_t time, int64_t wanted)
{
    return time > wanted - MINUTE && time < wanted + MINUTE;
}

static void a_clock_that_was_set_back_begins_where_it_repeats(void **state)
{
    (void)state;
    open_server();
    int64_t end = note_step(HOUR);
    assert_chosen(&by_default);
    assert_true(is_about(window.since, end - 75 * MINUTE));
    assert_true(window.until < end && window.has_progress);

    /* Without a word where the overlap absorbs it. */
    end = note_step(10 * MINUTE);
    assert_chosen(&by_default);
    assert_true(is_about(window.since, end - 25 * MINUTE));
    assert_true(window.has_progress);

    /* The clock of the warehouse tells nothing where it went back too. */
    end = note_step(HOUR);
    world_sql("UPDATE etl.batch SET opened_at = opened_at + interval '1 hour'");
    assert_chosen(&by_default);
    assert_true(is_about(window.since, end - 75 * MINUTE));
    assert_true(window.has_progress);
}

static void the_newest_window_ends_last_whatever_clocks_say(void **state)
{
    struct window_options options = by_default;
    (void)state;
    open_server();
    int64_t mark = source_now() - HOUR;
    note_batch("form", list.items[0].identity, mark + 2 * HOUR, "incremental", "complete");
    note_batch("form", list.items[0].identity, mark, "incremental", "complete");
    world_sql("UPDATE etl.batch SET opened_at = opened_at - interval '1 hour' WHERE id ="
              " (SELECT max(id) FROM etl.batch)");
    options.overlap = 0;
    assert_chosen(&options);
    assert_true(window.since >= mark - MINUTE && window.since <= mark);
}

static void an_explicit_window_is_taken_as_it_is(void **state)
{
    struct window_options options = by_default;
    (void)state;
    options.has_window = true;
    options.since = 1000 * CLOCK_SECOND;
    options.until = 2000 * CLOCK_SECOND;
    open_server();
    note_batch("form", list.items[0].identity, source_now(), "incremental", "complete");
    assert_chosen(&options);
    assert_true(window.since == options.since && window.until == options.until);
    assert_true(window.has_progress);
    assert_int_equal(window.behind, 0);
}

static void files_are_read_from_the_beginning_until_now(void **state)
{
    static const char *const files[] = {"a.ndjson", "b.ndjson"};
    (void)state;
    int64_t before = source_now();
    assert_true(init(files, 2));
    assert_chosen(&by_default);
    assert_true(window.since == CLOCK_BEGINNING && window.until >= before);
    assert_true(window.has_progress);
    assert_true(list.items[1].until == window.until && list.items[1].clock == window.until);
}

/* ---- the safe end ---- */

static void an_open_transaction_holds_the_end_back(void **state)
{
    (void)state;
    open_server();
    int writer = world_session(true);
    int64_t before = source_now();
    world_session_sql(writer, "BEGIN");
    int64_t after = source_now();
    assert_chosen(&by_default);
    assert_true(window.until >= before - 1 && window.until < after);
    assert_true(window.has_progress);
    char text[64];
    snprintf(text, sizeof text, "SELECT pg_backend_pid() = %d", (int)window.holder_pid);
    assert_string_equal(world_session_value(writer, text), "t");
    assert_true(window.behind > 0);

    /* What was complete until then already leaves nothing to read. */
    note_batch("form", list.items[0].identity, after, "incremental", "complete");
    assert_chosen(&by_default);
    assert_false(window.has_progress);

    world_session_sql(writer, "ROLLBACK");
    assert_chosen(&by_default);
    assert_true(window.until >= after && window.has_progress);
}

static void sessions_that_hold_nothing_back(void **state)
{
    (void)state;
    open_server();
    int other_database = world_session(false), reader = world_session(true);
    world_session_sql(other_database, "BEGIN");
    world_session_sql(reader, "SET application_name = 'load-staging 7/1'; BEGIN");
    int64_t after = source_now();
    assert_chosen(&by_default);
    assert_true(window.until >= after);
    assert_int_equal(window.holder_age, 0);
    assert_int_equal(window.holder_pid, 0);
}

static void a_prepared_transaction_holds_the_end_back(void **state)
{
    (void)state;
    open_server();
    int writer = world_session(true);
    world_session_sql(writer, "BEGIN; CREATE TABLE public.t (); PREPARE TRANSACTION 'held'");
    int64_t after = source_now();
    assert_chosen(&by_default);
    world_session_sql(writer, "ROLLBACK PREPARED 'held'");
    assert_true(window.until < after);
    assert_int_equal(window.holder_pid, 0);
}

static void what_is_held_back_for_six_hours_is_a_fault(void **state)
{
    (void)state;
    open_server();
    world_replace("source_writers",
                  "SELECT 77 AS pid, clock_timestamp() - interval '21600 s' AS until,"
                  " 21600::bigint AS age_seconds");
    assert_chosen(&by_default);
    assert_int_equal(window.holder_age, 21600);
    world_replace("source_writers",
                  "SELECT 77 AS pid, clock_timestamp() - interval '21601 s' AS until,"
                  " 21601::bigint AS age_seconds");
    assert_false(choose(&by_default));
    assert_failed(STATUS_TEMPORARY, "pid 77");
}

static void settling_asks_nobody(void **state)
{
    struct window_options options = by_default;
    (void)state;
    options.settle = 10 * MINUTE;
    open_server();
    int writer = world_session(true);
    world_session_sql(writer, "BEGIN");
    int64_t now = source_now();
    world_replace("source_writers", "SELECT 1 / 0");
    assert_chosen(&options);
    assert_true(window.until >= now - 10 * MINUTE && window.until <= source_now() - 10 * MINUTE);
    assert_true(window.behind == 10 * MINUTE);
}

static void a_role_that_may_not_see_is_refused(void **state)
{
    char blind[512];
    const char *blind_spec = blind;
    (void)state;
    world_sql("DROP ROLE IF EXISTS etl_world_blind; CREATE ROLE etl_world_blind LOGIN");
    snprintf(blind, sizeof blind, "%s user=etl_world_blind", spec);
    assert_true(init(&blind_spec, 1) && source_list_open(&list, &world.err));
    assert_false(choose(&by_default));
    assert_failed(STATUS_PERMISSION, "GRANT pg_read_all_stats");
    struct window_options options = by_default;
    options.settle = 0;
    assert_chosen(&options);
    world_sql("GRANT pg_read_all_stats TO etl_world_blind");
    assert_chosen(&by_default);
    source_list_release(&list);
    world_sql("DROP ROLE etl_world_blind");
}

static void a_standby_is_read_until_what_it_has_replayed(void **state)
{
    struct window_options options = by_default;
    (void)state;
    open_server();
    world_replace("source_clock",
                  "SELECT clock_timestamp() AS clock, true AS is_standby,"
                  " timestamptz '2024-01-01 12:00:00Z' AS replayed, false AS may_see_writers");
    assert_chosen(&options);
    int64_t replayed;
    clock_parse("2024-01-01T12:00:00Z", 20, &replayed);
    assert_true(window.until == replayed - 15 * MINUTE);

    world_replace("source_clock", "SELECT clock_timestamp() AS clock, true AS is_standby,"
                                  " NULL::timestamptz AS replayed, false AS may_see_writers");
    assert_false(choose(&options));
    assert_failed(STATUS_TEMPORARY, "replayed nothing yet");
}

/* ---- shards ---- */

static void shards_end_together_and_begin_each_at_its_own_mark(void **state)
{
    char second[512];
    (void)state;
    snprintf(second, sizeof second, "%s application_name=x dbname=postgres", spec);
    const char *const both[] = {spec, second};
    assert_true(init(both, 2) && source_list_open(&list, &world.err));
    int64_t mark = source_now() - HOUR;
    note_batch("form", list.items[0].identity, mark, "incremental", "complete");
    int writer = world_session(true); /* on the first only */
    world_session_sql(writer, "BEGIN");
    int64_t after = source_now();
    assert_chosen(&by_default);
    assert_true(list.items[0].since == mark - 15 * MINUTE);
    assert_true(list.items[1].since == CLOCK_BEGINNING);
    assert_true(list.items[0].until == list.items[1].until);
    assert_true(window.until == list.items[0].until && window.until < after);
    assert_true(window.since == CLOCK_BEGINNING);
    assert_true(window.has_progress);
}

static void a_shard_that_is_ahead_reads_nothing_this_time(void **state)
{
    struct window_options options = by_default;
    char second[512];
    (void)state;
    options.overlap = 0;
    snprintf(second, sizeof second, "%s dbname=postgres", spec);
    const char *const both[] = {spec, second};
    assert_true(init(both, 2) && source_list_open(&list, &world.err));
    world_replace("source_writers",
                  "SELECT 77 AS pid, clock_timestamp() - interval '1 hour' AS until,"
                  " 60::bigint AS age_seconds");
    note_batch("form", list.items[0].identity, source_now(), "incremental", "complete");
    assert_chosen(&options);
    assert_true(list.items[0].since == list.items[0].until);
    assert_true(window.has_progress);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_source_begins_at_the_beginning_and_ends_now),
        TEST(a_new_source_begins_at_the_start_that_is_given),
        TEST(the_next_window_begins_at_the_last_complete_end_less_the_overlap),
        TEST(a_window_has_at_most_the_length_that_is_given),
        TEST(the_start_bounds_the_first_window_too),
        TEST(a_clock_that_was_set_back_begins_where_it_repeats),
        TEST(the_newest_window_ends_last_whatever_clocks_say),
        TEST(an_explicit_window_is_taken_as_it_is),
        TEST(files_are_read_from_the_beginning_until_now),
        TEST(an_open_transaction_holds_the_end_back),
        TEST(sessions_that_hold_nothing_back),
        TEST(a_prepared_transaction_holds_the_end_back),
        TEST(what_is_held_back_for_six_hours_is_a_fault),
        TEST(settling_asks_nobody),
        TEST(a_role_that_may_not_see_is_refused),
        TEST(a_standby_is_read_until_what_it_has_replayed),
        TEST(shards_end_together_and_begin_each_at_its_own_mark),
        TEST(a_shard_that_is_ahead_reads_nothing_this_time),
    };
    return cmocka_run_group_tests(tests, begin, world_end);
}

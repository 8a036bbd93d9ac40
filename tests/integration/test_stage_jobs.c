/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
/* link: -Wl,--wrap=db_begin_in_snapshot,--wrap=progress_tell,--wrap=log_event */
#include "etl/stage_jobs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "form_world.h"

static const char *spec;

static bool is_gone;
bool __real_db_begin_in_snapshot(struct db *db, const char *snapshot, struct error *err);
bool __wrap_db_begin_in_snapshot(struct db *db, const char *snapshot, struct error *err);
bool __wrap_db_begin_in_snapshot(struct db *db, const char *snapshot, struct error *err)
{
    return is_gone ? error_set(err, STATUS_TEMPORARY, "gone; run the step again")
                   : __real_db_begin_in_snapshot(db, snapshot, err);
}

/* Every sign of life is due, and the last one with rows is kept. */
static char sign[512];
void __wrap_progress_tell(struct progress *progress);
void __wrap_progress_tell(struct progress *progress)
{
    progress_show(progress);
}

void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
{
    char text[sizeof sign];
    va_list values;
    (void)level;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (strcmp(event, "copy") == 0 && strstr(text, " rows="))
        memcpy(sign, text, sizeof sign);
}

/* A few pages of forms. */
static void make_forms(void)
{
    spec = make_form_source();
    world_source_sql("INSERT INTO public.form_processor_xforminstancesql (form_id, domain, xmlns,"
                     " user_id, received_on, state) SELECT 'f' || n, 'd', repeat('x', 100), 'u',"
                     " timestamptz '2024-01-05Z', 1 FROM generate_series(1, 200) AS n");
}

static bool load(void)
{
    struct stage_options options = world_options(spec);
    options.jobs = 3;
    return world_stage("form", options);
}

static void signs_of_life_name_the_window_however_many_sessions_read_it(void **state)
{
    (void)state;
    make_forms();
    struct stage_options options = world_options(spec);
    options.window.has_window = true;
    options.window.since = CLOCK_BEGINNING;
    for (options.jobs = 1; options.jobs <= 3; options.jobs++) {
        char expected[64] = " since=-infinity until=";
        options.window.until = (1704672000 + options.jobs) * CLOCK_SECOND;
        clock_format(options.window.until, expected + strlen(expected));
        *sign = '\0';
        assert_true(world_stage("form", options));
        assert_non_null(strstr(sign, " rows=200 "));
        assert_non_null(strstr(sign, expected));
    }
}

static void prepare(void)
{
    world_empty_ledger();
    world_sql("DELETE FROM staging.form");
}

static void check(void)
{
    assert_value("SELECT count(*) || ' ' || count(DISTINCT form_id) FROM staging.form", "200 200");
    assert_value(
        "SELECT source.rows_staged FROM etl.batch_source AS source JOIN etl.batch ON id = batch_id"
        " WHERE state = 'staged'",
        "200");
}

static void each_row_is_read_by_one_session(void **state)
{
    (void)state;
    make_forms();
    if (!load())
        fail_msg("%s", world.err.message);
    check();
}

static void more_jobs_than_pages_are_not_made(void **state)
{
    (void)state;
    spec = make_form_source();
    add_source_form("f1", "timestamptz '2024-01-05Z'");
    assert_true(load());
    assert_int_equal(world_count("rows_staged"), 1);
}

static void a_snapshot_that_is_gone_fails_the_load(void **state)
{
    (void)state;
    make_forms();
    is_gone = true;
    assert_false(load());
    is_gone = false;
    assert_failed(STATUS_TEMPORARY, "gone");
    assert_value("SELECT count(*) FROM staging.form", "0");
}

/* Where a shard was read further than the batch goes. */
static void a_window_without_time_is_not_read(void **state)
{
    struct source source = {.is_server = true, .since = 5, .until = 5, .rows = 7};
    struct batch batch = {.id_text = "1"};
    const struct stage_options options = {.jobs = 2};
    struct stage stage = {.db = world.db,
                          .feed = pipeline_find_feed("form"),
                          .options = &options,
                          .batch = &batch,
                          .sources = {.items = &source, .count = 1, .are_servers = true}};
    (void)state;
    assert_true(stage_read_at_once(&stage, &source, 1, &world.err));
    assert_int_equal(source.rows, 0);
}

static void wherever_it_fails_the_next_try_reads_all(void **state)
{
    (void)state;
    make_forms();
    world.common.run_key = "k";
    world_run_with_each_failure(prepare, load, check);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_row_is_read_by_one_session),
        TEST(more_jobs_than_pages_are_not_made),
        TEST(a_snapshot_that_is_gone_fails_the_load),
        TEST(a_window_without_time_is_not_read),
        TEST(signs_of_life_name_the_window_however_many_sessions_read_it),
        TEST(wherever_it_fails_the_next_try_reads_all),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

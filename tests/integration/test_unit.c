/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "etl_world.h"

/* A derivation whose units are numbers: each is divided by itself less one, so unit 1 is broken
 * as long as public.broken says so. */
static const struct sql_param params[] = {{"units", "text[]"}};
static const struct sql units_sql = {
    .name = "units",
    .text = "SELECT unit::text AS unit FROM public.numbers ORDER BY unit",
};
static const struct sql step_sql = {
    .name = "step",
    .text = "WITH done AS (INSERT INTO public.derived SELECT unit FROM public.numbers"
            " WHERE ($1 IS NULL OR unit::text = ANY ($1)) AND"
            " (unit <> (SELECT number FROM public.broken) OR 1 / (unit - unit) > 0) RETURNING 1)"
            " SELECT count(*) AS rows_inserted FROM done",
    .params = params,
    .param_count = 1,
};
static const struct sql wrong_sql = {.name = "wrong", .text = "SELECT no_such_column"};
static const struct pipeline_step steps[] = {{.sql = &step_sql}, {0}};
static const struct pipeline_step wrong[] = {{.sql = &wrong_sql}, {0}};
static const char *const sources[] = {"form", NULL};
static const struct derivation by_unit = {.workflow = "app_status_form",
                                          .sources = sources,
                                          .changed = steps,
                                          .all = steps,
                                          .units = &units_sql};
static const struct derivation whole = {
    .workflow = "app_status_form", .sources = sources, .changed = steps, .all = steps};
static const struct derivation mistaken = {.workflow = "app_status_form",
                                           .sources = sources,
                                           .changed = wrong,
                                           .all = wrong,
                                           .units = &units_sql};

static struct db_value *values(void)
{
    static struct db_value list[] = {{"consumer", "app_status_form"},
                                     {"batch_id", "1"},
                                     {"is_all", "true"},
                                     {"units", NULL},
                                     {0}};
    list[3].text = NULL;
    return list;
}

static void make_numbers(const char *broken)
{
    char text[512];
    snprintf(text, sizeof text,
             "DROP TABLE IF EXISTS public.numbers, public.broken, public.derived;"
             "CREATE TABLE public.numbers AS SELECT generate_series(1, 3) AS unit;"
             "CREATE TABLE public.broken AS SELECT %s AS number;"
             "CREATE TABLE public.derived (unit integer);"
             "INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until)"
             " VALUES ('app_status_form', 'k', 'f', 'incremental', '-infinity', 'infinity')"
             " ON CONFLICT DO NOTHING",
             broken);
    world_sql(text);
}

static bool run(const struct derivation *derivation)
{
    world_forget();
    return db_begin(world.db, &world.err) &&
           unit_run(world.db, derivation, true, values(), &world.result, &world.err) &&
           db_commit(world.db, &world.err);
}

static void sound_units_are_derived_at_once(void **state)
{
    bool has;
    (void)state;
    make_numbers("0");
    assert_true(run(&by_unit));
    assert_int_equal(world_count("rows_inserted"), 3);
    assert_true(unit_has_pending(world.db, "app_status_form", &has, &world.err));
    assert_false(has);
}

static void a_broken_unit_waits_and_stops_no_other(void **state)
{
    bool has;
    (void)state;
    make_numbers("2");
    assert_true(run(&by_unit));
    assert_value("SELECT array_agg(unit ORDER BY unit) FROM public.derived", "{1,3}");
    assert_value("SELECT array_agg(unit) FROM etl.pending_unit", "{2}");
    assert_true(unit_has_pending(world.db, "app_status_form", &has, &world.err));
    assert_true(has);
}

static void a_pending_unit_is_tried_alone_by_the_next_run(void **state)
{
    (void)state;
    make_numbers("2");
    assert_true(run(&by_unit));
    world_sql("UPDATE public.broken SET number = 3; TRUNCATE public.derived");
    assert_true(run(&by_unit));
    assert_value("SELECT array_agg(unit ORDER BY unit) FROM public.derived", "{1,2}");
    assert_value("SELECT array_agg(unit) FROM etl.pending_unit", "{3}");
}

static void one_unit_can_be_asked_for(void **state)
{
    (void)state;
    make_numbers("0");
    assert_true(db_begin(world.db, &world.err));
    assert_true(unit_run_one(world.db, &by_unit, "a\"\\b", values(), &world.result, &world.err));
    assert_true(unit_run_one(world.db, &by_unit, "2", values(), &world.result, &world.err));
    assert_true(db_commit(world.db, &world.err));
    assert_value("SELECT array_agg(unit) FROM public.derived", "{2}");
}

static void a_derivation_without_units_is_one_piece(void **state)
{
    (void)state;
    make_numbers("2");
    assert_false(run(&whole));
    assert_string_equal(world.err.sqlstate, "22012");
}

static void a_mistake_of_ours_is_no_unit_s(void **state)
{
    (void)state;
    make_numbers("0");
    assert_false(run(&mistaken));
    assert_string_equal(world.err.sqlstate, "42703");
    db_rollback(world.db);
    assert_true(db_begin(world.db, &world.err));
    assert_false(unit_run_one(world.db, &mistaken, "1", values(), &world.result, &world.err));
    assert_string_equal(world.err.sqlstate, "42703");
}

static void prepare(void)
{
    make_numbers("2");
    world_sql("TRUNCATE public.derived; DELETE FROM etl.pending_unit;"
              "INSERT INTO etl.pending_unit (workflow, unit, batch_id, reason)"
              " VALUES ('app_status_form', '3', 1, 'division by zero')");
}

static bool run_broken(void)
{
    return run(&by_unit);
}

static void check(void)
{
    assert_value("SELECT array_agg(unit ORDER BY unit) FROM public.derived", "{1,3}");
}

static void each_call_may_fail(void **state)
{
    (void)state;
    for (int n = 1;; n++) {
        prepare();
        world_fail_at(n, false);
        bool ok = run_broken();
        bool has_failed = world_has_failed();
        assert_true(ok != has_failed);
        if (!has_failed)
            break;
        world_reconnect();
        prepare();
        assert_true(run_broken());
        check();
    }
    bool has;
    world_fail_at(1, false);
    assert_false(unit_has_pending(world.db, "app_status_form", &has, &world.err));
    assert_true(world_has_failed());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sound_units_are_derived_at_once),
        TEST(a_broken_unit_waits_and_stops_no_other),
        TEST(a_pending_unit_is_tried_alone_by_the_next_run),
        TEST(one_unit_can_be_asked_for),
        TEST(a_derivation_without_units_is_one_piece),
        TEST(a_mistake_of_ours_is_no_unit_s),
        TEST(each_call_may_fail),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

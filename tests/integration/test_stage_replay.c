/* SPDX-License-Identifier: MIT
 *
 * --replay-rejects: the open rejects of a feed, read once more by a program that knows better; here
 * the kept bytes are mended instead.
 */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
/* link: -Wl,--wrap=interrupt_is_asked,--wrap=copy_row */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "form_world.h"
#include "io/copy.h"

static bool is_stopping;
int __real_interrupt_is_asked(void);
int __wrap_interrupt_is_asked(void);
int __wrap_interrupt_is_asked(void)
{
    return is_stopping ? 1 : __real_interrupt_is_asked();
}

static bool cannot_send;
bool __real_copy_row(struct copy *copy, int columns, struct error *err);
bool __wrap_copy_row(struct copy *copy, int columns, struct error *err);
bool __wrap_copy_row(struct copy *copy, int columns, struct error *err)
{
    return cannot_send ? error_set(err, STATUS_TEMPORARY, "cut; run the step again")
                       : __real_copy_row(copy, columns, err);
}

static struct stage_options replay_options(void)
{
    struct stage_options options = world_options(NULL);
    options.replay_rejects = true;
    return options;
}

static bool replay(void)
{
    return world_stage("form", replay_options());
}

static void assert_replayed(const char *status, int64_t staged, int64_t rejected)
{
    if (!replay())
        fail_msg("%d: %s", (int)world.err.status, world.err.message);
    assert_string_equal(world_status(), status);
    assert_int_equal(world_count("rows_staged"), staged);
    assert_int_equal(world_count("rows_rejected"), rejected);
    assert_int_equal(world_count("rows_read"), staged + rejected);
}

/* The bytes of a reject that are right now. */
static void mend(const char *position, const char *line)
{
    char text[1024];
    snprintf(text, sizeof text,
             "UPDATE etl.rejected_row SET bytes = convert_to('%s', 'UTF8') WHERE position = %s",
             line, position);
    world_sql(text);
}

static void what_is_right_now_is_staged_and_closed(void **state)
{
    (void)state;
    world_load("form", world_file(FORM("f1", "u", "2024-01-05") BAD_FORM BAD_FORM), "done");
    mend("2", FORM("f2", "u", "2024-01-06T00:00:00Z"));
    assert_replayed("done", 1, 1);
    assert_string_equal(world_batch_id(), "2");
    assert_value("SELECT concat_ws(' ', kind, state) FROM etl.batch WHERE id = 2",
                 "backfill staged");
    /* the version that it would have had */
    assert_value("SELECT concat_ws(' ', form_id, read_number, version_time) FROM staging.form"
                 " WHERE batch_id = 2",
                 "f2 1 2024-01-06 00:00:00+00");
    assert_value("SELECT string_agg(position || ' ' || COALESCE(replayed_batch_id::text, 'open'),"
                 " ', ' ORDER BY id) FROM etl.rejected_row",
                 "2 2, 3 open");
    assert_value("SELECT bool_or(has_watermark) FROM etl.batch_source", "f");
    world_move("form", "2", "done");
    mend("3", FORM("f3", "u", "2024-01-06T00:00:00Z"));
    assert_replayed("done", 1, 0);
    assert_replayed("nothing-to-do", 0, 0);
}

static void a_reject_of_a_server_has_the_time_of_its_read(void **state)
{
    (void)state;
    const char *spec = make_form_source();
    add_source_form("f1", "timestamptz '1999-01-01 00:00:00Z'");
    world_load("form", spec, "done");
    mend("1", FORM("f1", "u", "2024-01-06T00:00:00Z"));
    assert_replayed("done", 1, 0);
    assert_value("SELECT version_time = clock FROM staging.form, etl.batch_source"
                 " WHERE source <> 'rejects'",
                 "t");
}

static void what_belongs_to_another_feed_now_is_skipped_and_closed(void **state)
{
    (void)state;
    world_load("form", world_file(BAD_FORM), "done");
    mend("1", "");
    assert_replayed("nothing-to-do", 0, 0);
    assert_int_equal(world_count("rows_skipped"), 1);
    assert_value("SELECT count(*) FROM etl.rejected_row WHERE replayed_batch_id IS NULL", "0");
}

static void many_rejects_come_in_helpings(void **state)
{
    struct str text;
    (void)state;
    str_init(&text);
    for (int i = 0; i < 20; i++)
        str_add_text(&text, BAD_FORM);
    struct stage_options options = world_options(world_file(text.text));
    options.max_rejects = "100%";
    assert_true(world_stage("form", options));
    str_release(&text);
    assert_replayed("done", 0, 20); /* by itself no reason to stop */
    options = replay_options();
    options.max_rejects = "5";
    assert_false(world_stage("form", options));
    assert_failed(STATUS_DATA, "6 of 6 records were rejected");
    assert_value("SELECT count(*) FROM etl.rejected_row WHERE replayed_batch_id IS NULL", "20");
}

static void what_cannot_be_read_again_stays_open(void **state)
{
    struct stage_options options = world_options(world_file(BAD_FORM BAD_FORM));
    (void)state;
    options.max_record = "20"; /* all are cut */
    assert_true(world_stage("form", options));
    assert_replayed("nothing-to-do", 0, 0);
    assert_value("SELECT count(*) FROM etl.rejected_row WHERE replayed_batch_id IS NULL", "2");
}

static void load_table(const char *format, const char *text)
{
    struct stage_options options = world_options(world_file(text));
    options.format = format;
    assert_true(world_stage("form", options));
}

static void records_of_tables_are_read_by_the_header_that_they_had(void **state)
{
    (void)state;
    load_table("csv", "form_id,received_on\nf1,soon\nf2\n\"f,3\",soon\n");
    load_table("tsv", "xmlns\treceived_on\tform_id\nNULL\tsoon\tf4\\t\n");
    load_table("csv", "form_id,received_on\nf5,2024-01-05\n");
    world_load("form", world_file("nonsense\n"), "done");
    world_sql("UPDATE etl.rejected_row SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'),"
              " 'soon', '2024-01-06'), 'UTF8')");
    assert_replayed("done", 3, 2);
    assert_value("SELECT string_agg(concat_ws(' ', form_id, received_on::date, read_number), '; '"
                 " ORDER BY line_no) FROM staging.form WHERE batch_id = 5",
                 "f1 2024-01-06 1; f,3 2024-01-06 1; f4\t 2024-01-06 2");
    assert_value("SELECT string_agg(concat_ws(' ', batch_id, position, reason), ', ' ORDER BY id)"
                 " FROM etl.rejected_row WHERE replayed_batch_id IS NULL",
                 "1 3 field_count, 4 1 bad_json");
    /* only where it is needed */
    assert_value("SELECT string_agg(concat_ws(' ', batch_id, table_format), ', ' ORDER BY batch_id)"
                 " FROM etl.batch_source WHERE table_header IS NOT NULL",
                 "1 csv, 2 tsv");
}

static void a_table_that_lacks_a_column_by_now_holds_nothing_else_up(void **state)
{
    (void)state;
    load_table("csv", "form_id,received_on\nf1,soon\nf2,soon\n");
    load_table("csv", "received_on,form_id\nsoon,f3\n");
    load_table("tsv", "received_on\tform_id\nsoon\tf4\n");
    world_sql("UPDATE etl.rejected_row SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'),"
              " 'soon', '2024-01-06'), 'UTF8');"
              "UPDATE etl.batch_source SET table_header = 'form_id' WHERE batch_id = 1;"
              "UPDATE etl.batch_source SET table_header = 'a\tform_id\ta' WHERE batch_id = 3");
    assert_replayed("done", 1, 3);
    assert_value("SELECT form_id FROM staging.form", "f3");
}

static void a_replay_reads_nothing_else(void **state)
{
    struct stage_options options = replay_options();
    const char *source = "a.ndjson";
    (void)state;
    options.sources = (struct task_list){.items = &source, .count = 1};
    assert_false(world_stage("form", options));
    assert_failed(STATUS_USAGE, "--replay-rejects reads the rejects alone");
    options = replay_options();
    options.open_window = true;
    assert_false(world_stage("form", options));
    assert_failed(STATUS_USAGE, "--replay-rejects reads the rejects alone");
    options = replay_options();
    options.window.has_window = true;
    options.window.until = 1;
    assert_false(world_stage("form", options));
    assert_failed(STATUS_USAGE, "--replay-rejects reads the rejects alone");
}

static void a_stop_is_noticed_between_rejects(void **state)
{
    struct stage_options options;
    struct str text;
    (void)state;
    str_init(&text);
    for (int i = 0; i < 1025; i++)
        str_add_text(&text, BAD_FORM);
    options = world_options(world_file(text.text));
    options.max_rejects = "100%";
    assert_true(world_stage("form", options));
    str_release(&text);
    is_stopping = true;
    assert_false(replay());
    is_stopping = false;
    assert_int_equal(world.err.status, STATUS_INTERRUPTED);
}

/* Another load's reject has a smaller number than the last one here, and is committed after it was
 * looked for and before the rejects are closed. */
static void rejects_that_come_meanwhile_stay_open(void **state)
{
    (void)state;
    world_load("form", world_file(BAD_FORM), "done");
    world_sql("SELECT setval(pg_get_serial_sequence('etl.rejected_row', 'id'), max(id) + 99)"
              " FROM etl.rejected_row");
    world_load("form", world_file(BAD_FORM), "done");
    mend("1", FORM("f1", "u", "2024-01-06T00:00:00Z"));
    world_load("form", world_file(TWO_FORMS), "done");
    world_sql("CREATE FUNCTION public.come() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN"
              " INSERT INTO etl.rejected_row (id, batch_id, feed, source, position, column_name,"
              " reason, bytes, full_length) OVERRIDING SYSTEM VALUE"
              " SELECT id - 50, 3, 'form', source, 99, '', reason, bytes, 0 FROM etl.rejected_row"
              " WHERE batch_id = 2; RETURN NULL; END $f$;"
              "CREATE TRIGGER come AFTER INSERT ON staging.form FOR EACH STATEMENT"
              " EXECUTE FUNCTION public.come()");
    bool ok = replay();
    world_sql("DROP FUNCTION public.come() CASCADE");
    if (!ok)
        fail_msg("%s", world.err.message);
    assert_value("SELECT string_agg(position || ' ' || COALESCE(replayed_batch_id::text, 'open'),"
                 " ', ' ORDER BY id) FROM etl.rejected_row",
                 "1 4, 99 open, 1 4");
}

/* ---- failures ---- */

static void prepare(void)
{
    world_empty_ledger();
    world_sql("DELETE FROM staging.form");
    world.common.run_key = NULL;
    world_load("form", world_file(BAD_FORM BAD_FORM), "done");
    mend("1", FORM("f1", "u", "2024-01-06T00:00:00Z"));
    world.common.run_key = "k";
}

static void check(void)
{
    assert_value("SELECT count(*) FROM staging.form", "1");
    assert_value("SELECT count(*) FROM etl.rejected_row WHERE replayed_batch_id IS NULL", "1");
}

static void wherever_it_fails_the_next_try_replays_it_once(void **state)
{
    (void)state;
    world_run_with_each_failure(prepare, replay, check);
}

static void a_row_that_cannot_be_sent_ends_the_replay(void **state)
{
    (void)state;
    prepare();
    cannot_send = true;
    bool ok = replay();
    cannot_send = false;
    assert_false(ok);
    assert_failed(STATUS_TEMPORARY, "cut");
    assert_value("SELECT count(*) FROM etl.rejected_row WHERE replayed_batch_id IS NULL", "2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_right_now_is_staged_and_closed),
        TEST(a_reject_of_a_server_has_the_time_of_its_read),
        TEST(what_belongs_to_another_feed_now_is_skipped_and_closed),
        TEST(many_rejects_come_in_helpings),
        TEST(what_cannot_be_read_again_stays_open),
        TEST(records_of_tables_are_read_by_the_header_that_they_had),
        TEST(a_table_that_lacks_a_column_by_now_holds_nothing_else_up),
        TEST(a_replay_reads_nothing_else),
        TEST(a_stop_is_noticed_between_rejects),
        TEST(rejects_that_come_meanwhile_stay_open),
        TEST(wherever_it_fails_the_next_try_replays_it_once),
        TEST(a_row_that_cannot_be_sent_ends_the_replay),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

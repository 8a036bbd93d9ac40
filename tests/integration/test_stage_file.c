/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
/* link: -Wl,--wrap=interrupt_is_asked,--wrap=progress_tell */
#include "etl/stage_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "form_world.h"

/* ---- a stop, and what is told, while lines are read ---- */

static bool is_stopping;
static struct progress told;

int __real_interrupt_is_asked(void);
int __wrap_interrupt_is_asked(void);
int __wrap_interrupt_is_asked(void)
{
    return is_stopping ? 1 : __real_interrupt_is_asked();
}

void __wrap_progress_tell(struct progress *progress);
void __wrap_progress_tell(struct progress *progress)
{
    told = *progress;
}

static int set_up(void **state)
{
    is_stopping = false;
    told = (struct progress){0};
    return world_set_up(state);
}

/* ---- formats ---- */

static void a_format_is_that_of_the_option_or_of_the_suffix(void **state)
{
    static const struct {
        const char *path;
        enum stage_format format;
    } paths[] = {
        {"a.ndjson", STAGE_NDJSON},
        {"a.csv", STAGE_CSV},
        {"a.tsv", STAGE_TSV},
        {"a.csv.gz", STAGE_CSV},
        {"a.tsv.zst", STAGE_TSV},
        {"a.ndjson.gz", STAGE_NDJSON},
        {"-", STAGE_NDJSON},
        {"a", STAGE_NDJSON},
        {"a.json", STAGE_NDJSON},
        {".gz", STAGE_NDJSON},
        {"a.csv.ndjson", STAGE_NDJSON},
        {"csv", STAGE_NDJSON},
    };
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (stage_format(NULL, paths[i].path) != paths[i].format)
            fail_msg("of another format: %s", paths[i].path);
    assert_int_equal(stage_format("ndjson", "a.csv"), STAGE_NDJSON);
    assert_int_equal(stage_format("csv", "a"), STAGE_CSV);
    assert_int_equal(stage_format("tsv", "a.csv"), STAGE_TSV);
    assert_int_equal(stage_format("CSV", "a.csv"), STAGE_NO_FORMAT);
    assert_int_equal(stage_format("", "a.csv"), STAGE_NO_FORMAT);
}

/* ---- tables ---- */

static bool load_as(const char *format, const char *text)
{
    struct stage_options options = world_options(world_file(text));
    options.format = format;
    return world_stage("form", options);
}

static void a_table_is_staged_by_its_header(void **state)
{
    (void)state;
    assert_true(load_as("csv", "received_on,form_id,state,else\n2024-01-05,f1,2,x\n"
                               "2024-01-06,\"f,2\",,y\n"));
    assert_int_equal(world_count("rows_staged"), 2);
    assert_value("SELECT string_agg(concat_ws(' ', form_id, received_on::date, state, line_no),"
                 " ', ' ORDER BY line_no) FROM staging.form",
                 "f1 2024-01-05 2 1, f,2 2024-01-06 1 2");
    assert_true(world_count("bytes_read") > 0);
    assert_true(load_as("tsv", "form_id\treceived_on\txmlns\nf3\t2024-01-05 01:02:03\tNULL\n"));
    assert_value("SELECT concat_ws(' ', received_on, xmlns IS NULL) FROM staging.form"
                 " WHERE form_id = 'f3'",
                 "2024-01-05 01:02:03+00 t");
}

static void a_record_of_a_table_is_rejected_with_its_bytes(void **state)
{
    (void)state;
    assert_true(load_as("csv", "form_id,received_on\nf1,2024-01-05\nf2\nf3,soon\n"));
    assert_int_equal(world_count("rows_read"), 3);
    assert_int_equal(world_count("rows_rejected"), 2);
    assert_value("SELECT string_agg(concat_ws(' ', position, column_name, reason, is_table,"
                 " convert_from(bytes, 'UTF8')), ', ' ORDER BY id) FROM etl.rejected_row",
                 "3  field_count t f2, 4 received_on bad_timestamp t f3,soon");
}

static void too_many_rejects_of_a_table_leave_a_sample(void **state)
{
    struct stage_options options =
        world_options(world_file("form_id,received_on,app_version\nf1,2024-01-05,x\n,,1\n"));
    (void)state;
    options.format = "csv";
    options.max_rejects = "0%";
    fail_to_load(options, STATUS_DATA, "2 of 2 records were rejected");
    assert_value("SELECT string_agg(column_name || ' ' || reason, ', ' ORDER BY id)"
                 " FROM etl.rejected_row",
                 "app_version bad_integer, form_id missing_field");
}

static void a_table_without_a_required_column_is_refused(void **state)
{
    (void)state;
    assert_false(load_as("csv", "form_id\nf1\n"));
    assert_failed(STATUS_DATA, "no column \"received_on\"");
    assert_value("SELECT count(*) FROM etl.rejected_row", "0");
}

static void a_table_without_header_is_empty(void **state)
{
    (void)state;
    assert_true(load_as("tsv", ""));
    assert_string_equal(world_status(), "nothing-to-do");
}

static void a_table_that_is_missing_is_told(void **state)
{
    (void)state;
    fail_to_load(world_options("/tmp/factline-no-such-folder/forms.csv"), STATUS_IO, "forms.csv");
}

static void a_stop_is_noticed_between_records_of_a_table(void **state)
{
    struct str text;
    (void)state;
    str_init(&text);
    str_add_text(&text, "form_id,received_on\n");
    for (int i = 0; i < 1025; i++)
        str_add_text(&text, "f1,2024-01-05\n");
    is_stopping = true;
    assert_false(load_as("csv", text.text));
    is_stopping = false;
    assert_int_equal(world.err.status, STATUS_INTERRUPTED);
    str_release(&text);
}

/* ---- documents ---- */

static void later_files_have_later_lines(void **state)
{
    const char *paths[] = {world_file(FORM("f1", "u", "2024-01-05")),
                           world_file("\n" FORM("f2", "u", "2024-01-06") BAD_FORM)};
    struct stage_options options = world_options(NULL);
    (void)state;
    options.sources = (struct task_list){.items = paths, .count = 2};
    assert_true(world_stage("form", options));
    assert_value(
        "SELECT string_agg(form_id || ' ' || line_no, ', ' ORDER BY line_no) FROM staging.form",
        "f1 1, f2 3");
    assert_value("SELECT string_agg(rows_staged::text, ' ' ORDER BY source LIKE '%x', rows_staged)"
                 " FROM etl.batch_source",
                 "1 1");
    assert_value("SELECT position FROM etl.rejected_row", "3"); /* of its own file */
    assert_int_equal(world_count("rows_skipped"), 1);
}

static void an_explicit_window_filters_files(void **state)
{
    struct stage_options options = world_options(world_file(TWO_FORMS));
    (void)state;
    options.window.has_window = true;
    clock_parse("2024-02-01", 10, &options.window.since);
    clock_parse("2024-03-01", 10, &options.window.until);
    assert_true(world_stage("form", options));
    assert_int_equal(world_count("rows_read"), 1);
    assert_int_equal(world_count("rows_skipped"), 1);
    assert_value("SELECT form_id FROM staging.form", "f2");
    assert_value("SELECT kind FROM etl.batch", "backfill");
}

static void a_reject_is_kept_and_the_load_goes_on(void **state)
{
    const char *path = world_file(FORM("f1", "u", "2024-01-05") BAD_FORM "{\"results\":[\n"
                                                                         "{\"results\":[\n");
    (void)state;
    log_open("load-staging", LOG_WARNING); /* a wrapper is told once */
    world_load("form", path, "done");
    log_open("load-staging", LOG_ERROR);
    assert_int_equal(world_count("rows_read"), 4);
    assert_int_equal(world_count("rows_staged"), 1);
    assert_int_equal(world_count("rows_rejected"), 3);
    assert_value(
        "SELECT string_agg(concat_ws(' ', feed, position, column_name, reason), ', ' ORDER BY id)"
        " FROM etl.rejected_row",
        "form 2 received_on bad_timestamp, form 3  wrapped_document, form 4  wrapped_document");
    assert_value("SELECT convert_from(bytes, 'UTF8') LIKE '%s3cret%' FROM etl.rejected_row LIMIT 1",
                 "f");
}

static void a_longer_record_than_allowed_is_rejected(void **state)
{
    struct stage_options options = world_options(world_file(FORM("f1", "u", "2024-01-05") FORM(
        "f2", "u-with-a-longer-name-than-others", "2024-01-05")));
    (void)state;
    options.max_record = "100";
    assert_true(world_stage("form", options));
    assert_int_equal(world_count("rows_staged"), 1);
    assert_value("SELECT concat_ws(' ', position, reason, length(sha256), full_length > 100)"
                 " FROM etl.rejected_row",
                 "2 too_long 64 t");
}

static void a_file_that_is_missing_is_told(void **state)
{
    (void)state;
    fail_to_load(world_options("/tmp/factline-no-such-folder/forms.ndjson"), STATUS_IO,
                 "forms.ndjson");
    assert_value("SELECT state FROM etl.batch", "failed");
}

static void a_stop_is_noticed_between_lines(void **state)
{
    struct stage_options options = world_options(make_lines(1025, FORM("f1", "u", "2024-01-05")));
    (void)state;
    is_stopping = true;
    assert_false(world_stage("form", options));
    assert_int_equal(world.err.status, STATUS_INTERRUPTED);
    is_stopping = false;
    assert_value("SELECT count(*) FROM staging.form", "0");
    assert_value("SELECT state FROM etl.batch", "failed");
}

static void a_long_read_gives_signs_of_life(void **state)
{
    static const char line[] = FORM("f1", "u", "2024-01-05");
    const int64_t size = 2048 * (int64_t)strlen(line);
    (void)state;
    world_load("form", make_lines(2048, line), "done");
    assert_int_equal(world_count("rows_staged"), 2048);
    assert_int_equal(told.rows, 2048);
    assert_int_equal(told.size, size);
    assert_int_equal(told.bytes, size);
}

static void rows_that_a_trigger_swallows_are_missed(void **state)
{
    (void)state;
    world_sql("CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS"
              " 'BEGIN RETURN NULL; END';"
              "CREATE TRIGGER swallow BEFORE INSERT ON staging.form FOR EACH ROW"
              " EXECUTE FUNCTION public.swallow()");
    bool ok = world_stage("form", world_options(world_file(TWO_FORMS)));
    world_sql("DROP FUNCTION public.swallow() CASCADE");
    assert_false(ok);
    assert_failed(STATUS_BUG, "2 rows were sent to staging, 0 arrived");
}

static void a_row_that_cannot_be_sent_ends_the_load(void **state)
{
    const char *path = make_lines(3000, FORM("f1", "u", "2024-01-05"));
    (void)state;
    world_sql("ALTER TABLE staging.form ADD CONSTRAINT never CHECK (line_no < 2) NOT VALID");
    bool ok = world_stage("form", world_options(path));
    world_sql("ALTER TABLE staging.form DROP CONSTRAINT never");
    assert_false(ok);
    assert_value("SELECT count(*) FROM staging.form", "0");
    assert_value("SELECT state FROM etl.batch", "failed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_format_is_that_of_the_option_or_of_the_suffix),
        TEST(a_table_is_staged_by_its_header),
        TEST(a_record_of_a_table_is_rejected_with_its_bytes),
        TEST(too_many_rejects_of_a_table_leave_a_sample),
        TEST(a_table_without_a_required_column_is_refused),
        TEST(a_table_without_header_is_empty),
        TEST(a_table_that_is_missing_is_told),
        TEST(a_stop_is_noticed_between_records_of_a_table),
        TEST(later_files_have_later_lines),
        TEST(an_explicit_window_filters_files),
        TEST(a_reject_is_kept_and_the_load_goes_on),
        TEST(a_longer_record_than_allowed_is_rejected),
        TEST(a_file_that_is_missing_is_told),
        TEST(a_stop_is_noticed_between_lines),
        TEST(a_long_read_gives_signs_of_life),
        TEST(rows_that_a_trigger_swallows_are_missed),
        TEST(a_row_that_cannot_be_sent_ends_the_load),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
/* link: -Wl,--wrap=fwrite,--wrap=fsync */
#include "etl/reject_export.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "form_world.h"

/* ---- a disk that a test can fill ---- */

static bool is_full, cannot_sync;
size_t __real_fwrite(const void *bytes, size_t size, size_t count, FILE *file);
size_t __wrap_fwrite(const void *bytes, size_t size, size_t count, FILE *file);
size_t __wrap_fwrite(const void *bytes, size_t size, size_t count, FILE *file)
{
    return is_full ? 0 : __real_fwrite(bytes, size, count, file);
}

int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor);
int __wrap_fsync(int descriptor)
{
    return cannot_sync ? -1 : __real_fsync(descriptor);
}

/* ---- the folder ---- */

static char folder[64], path[96];
static const char *named_format;

static int set_up(void **state)
{
    is_full = cannot_sync = false;
    named_format = NULL;
    snprintf(folder, sizeof folder, "/tmp/factline-export.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/rejects.ndjson", folder);
    return world_set_up(state);
}

static int tear_down(void **state)
{
    unlink(path);
    rmdir(folder);
    return world_tear_down(state);
}

/* How many files are in the folder. */
static int count_files(void)
{
    int count = 0;
    DIR *open = opendir(folder);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(open);
    return count;
}

static void assert_holds(const char *expected)
{
    char text[8192];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static bool export(void)
{
    world_forget();
    world.task = "load-staging";
    return reject_export(world.db, pipeline_find_feed("form"), path, named_format, &world.result,
                         &world.err);
}

static void load_as(const char *format, const char *text)
{
    struct stage_options options = world_options(world_file(text));
    options.format = format;
    options.max_rejects = "100%";
    assert_true(world_stage("form", options));
}

/* ---- what is written ---- */

static void open_rejects_are_written_one_a_line(void **state)
{
    struct stat about;
    (void)state;
    load_as(NULL, FORM("f1", "u", "2024-01-05") "{\"form_id\":\"bad\"}\nnonsense\n");
    assert_true(export());
    assert_string_equal(world_status(), "done");
    assert_int_equal(world_count("rows_exported"), 2);
    assert_int_equal(world_count("rows_read"), 0);
    assert_holds("{\"form_id\":\"bad\"}\nnonsense\n");
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_value("SELECT count(*) FROM etl.rejected_row WHERE replayed_batch_id IS NULL", "2");
}

static void name_file(const char *suffix)
{
    unlink(path);
    snprintf(path, sizeof path, "%s/rejects.%s", folder, suffix);
}

static void records_of_tables_go_where_the_name_says_so_with_their_header(void **state)
{
    (void)state;
    load_as("csv", "form_id,received_on\nf1,soon\nf2\n");
    load_as("tsv", "form_id\treceived_on\nf3\tsoon\n");
    load_as(NULL, "nonsense\n");
    assert_true(export());
    assert_holds("nonsense\n");
    name_file("csv");
    assert_true(export());
    assert_int_equal(world_count("rows_exported"), 2);
    assert_holds("form_id,received_on\nf1,soon\nf2\n");
    name_file("tsv");
    assert_true(export());
    assert_holds("form_id\treceived_on\nf3\tsoon\n");
}

static void tables_with_other_headers_are_exported_by_batch(void **state)
{
    (void)state;
    name_file("csv");
    load_as("csv", "form_id,received_on\nf1,soon\n");
    load_as("csv", "received_on,form_id\nsoon,f2\n");
    assert_false(export());
    assert_failed(STATUS_DATA, "different headers; pass --batch-id");
    assert_int_equal(count_files(), 0);
    world.common.batch_id = "2";
    assert_true(export());
    assert_holds("received_on,form_id\nsoon,f2\n");
}

static void a_batch_that_is_not_there_has_no_rejects(void **state)
{
    (void)state;
    load_as(NULL, "nonsense\n");
    world.common.batch_id = "7";
    assert_false(export());
    assert_failed(STATUS_USAGE, "there is no batch \"7\"");
    world.common.batch_id = "last";
    assert_false(export());
    assert_failed(STATUS_USAGE, "there is no batch \"last\"");
    assert_int_equal(count_files(), 0);
}

static void a_transform_that_fails_keeps_no_reject_back(void **state)
{
    (void)state;
    load_as(NULL, FORM("f1", "u", "2024-01-05") "nonsense\n");
    world_sql("UPDATE etl.batch SET state = 'failed', failed_step = 'transform-fact'");
    assert_true(export());
    assert_holds("nonsense\n");
    world_sql("UPDATE etl.batch SET failed_step = 'load-staging'"); /* which comes again */
    assert_true(export());
    assert_holds("");
}

static void the_format_may_be_named(void **state)
{
    (void)state;
    load_as("csv", "form_id,received_on\nf1,soon\n");
    load_as(NULL, "nonsense\n");
    named_format = "csv";
    assert_true(export());
    assert_holds("form_id,received_on\nf1,soon\n");
}

static void a_dry_run_writes_no_file(void **state)
{
    (void)state;
    load_as(NULL, "nonsense\n");
    world.common.dry_run = true;
    assert_true(export());
    assert_int_equal(world_count("rows_exported"), 0);
    assert_int_equal(count_files(), 0);
}

static void many_rejects_come_in_helpings(void **state)
{
    struct str text;
    (void)state;
    str_init(&text);
    for (int i = 0; i < 20; i++)
        str_add_format(&text, "nonsense %d\n", i);
    load_as(NULL, text.text);
    assert_true(export());
    assert_int_equal(world_count("rows_exported"), 20);
    assert_holds(text.text);
    str_release(&text);
}

static void without_rejects_the_file_is_empty(void **state)
{
    (void)state;
    assert_true(export());
    assert_string_equal(world_status(), "nothing-to-do");
    assert_holds("");
}

/* ---- failures ---- */

static void assert_nothing_left(void)
{
    assert_failed(STATUS_IO, "could not write");
    assert_int_equal(count_files(), 0);
}

static void what_cannot_be_written_leaves_no_file(void **state)
{
    (void)state;
    load_as(NULL, "nonsense\n");
    is_full = true;
    assert_false(export());
    is_full = false;
    assert_nothing_left();
    cannot_sync = true;
    assert_false(export());
    cannot_sync = false;
    assert_nothing_left();
}

static void a_folder_that_is_missing_or_a_name_that_is_taken_is_told(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(export());
    assert_failed(STATUS_USAGE, "is no regular file");
    assert_int_equal(count_files(), 1);
    rmdir(path);
    snprintf(path, sizeof path, "%s/none/rejects.ndjson", folder);
    assert_false(export());
    assert_failed(STATUS_IO, "could not write file");
}

static void the_schema_must_fit(void **state)
{
    (void)state;
    world_sql("ALTER SCHEMA etl RENAME TO elsewhere");
    bool ok = export();
    world_sql("ALTER SCHEMA elsewhere RENAME TO etl");
    assert_false(ok);
    assert_failed(STATUS_CONFIG, "run migrate-warehouse");
}

static void prepare(void)
{
    unlink(path);
}

static void check(void)
{
    assert_holds("nonsense\n");
    assert_int_equal(count_files(), 1);
}

static void wherever_it_fails_the_next_try_exports_it(void **state)
{
    (void)state;
    load_as(NULL, "nonsense\n");
    world_run_with_each_failure(prepare, export, check);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open_rejects_are_written_one_a_line),
        TEST(records_of_tables_go_where_the_name_says_so_with_their_header),
        TEST(tables_with_other_headers_are_exported_by_batch),
        TEST(a_batch_that_is_not_there_has_no_rejects),
        TEST(a_transform_that_fails_keeps_no_reject_back),
        TEST(the_format_may_be_named),
        TEST(a_dry_run_writes_no_file),
        TEST(many_rejects_come_in_helpings),
        TEST(without_rejects_the_file_is_empty),
        TEST(what_cannot_be_written_leaves_no_file),
        TEST(a_folder_that_is_missing_or_a_name_that_is_taken_is_told),
        TEST(the_schema_must_fit),
        TEST(wherever_it_fails_the_next_try_exports_it),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

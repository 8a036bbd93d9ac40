/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include "etl/source.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "source_world.h"

/* ---- names ---- */

static void a_file_is_known_by_its_name_and_a_server_by_its_place(void **state)
{
    static const char *const files[] = {"a.ndjson", "-"};
    static const char *const servers[] = {"host=h port=1 dbname=d", "postgres://h:2/d"};
    (void)state;
    assert_true(init(files, 2));
    assert_false(list.are_servers);
    assert_string_equal(list.items[0].identity, "a.ndjson");
    assert_string_equal(list.items[1].identity, "-");
    assert_true(init(servers, 2));
    assert_true(list.are_servers);
    assert_string_equal(list.items[0].identity, "h:1/d");
    assert_string_equal(list.items[1].identity, "h:2/d");
}

static void without_specs_the_environment_names_the_source(void **state)
{
    (void)state;
    setenv("SOURCE_PGHOST", "h", 1);
    setenv("SOURCE_PGDATABASE", "d", 1);
    assert_true(init(NULL, 0));
    assert_true(list.are_servers);
    assert_string_equal(list.items[0].identity, "h:5432/d");
    unsetenv("SOURCE_PGHOST");
    unsetenv("SOURCE_PGDATABASE");
    assert_false(init(NULL, 0));
    assert_failed(STATUS_USAGE, "nothing names the source");
}

static void sources_that_do_not_go_together_are_refused(void **state)
{
    static const char *const mixed[] = {"a.ndjson", "host=h dbname=d"};
    static const char *const twice[] = {"host=h dbname=d", "postgres://h:5432/d"};
    static const char *const same_file[] = {"in/a.ndjson", "b.ndjson", "in/a.ndjson"};
    static const char *const malformed[] = {"host='"};
    (void)state;
    assert_false(init(mixed, 2));
    assert_failed(STATUS_USAGE, "both files and databases");
    assert_false(init(twice, 2));
    assert_failed(STATUS_USAGE, "\"h:5432/d\" is given twice");
    assert_false(init(same_file, 3));
    assert_failed(STATUS_USAGE, "source \"a.ndjson\" is given twice");
    assert_false(init(malformed, 1));
    assert_int_equal(world.err.status, STATUS_USAGE);
}

static void servers_are_opened_once_and_files_not_at_all(void **state)
{
    static const char *const files[] = {"/tmp/factline-no-such-file"};
    static const char *const nowhere[] = {"host=/tmp/factline-no-such-folder dbname=d"};
    (void)state;
    open_server();
    struct db *opened = list.items[0].db;
    assert_true(source_list_open(&list, &world.err));
    assert_ptr_equal(list.items[0].db, opened);
    assert_true(init(files, 1) && source_list_open(&list, &world.err));
    assert_true(init(nowhere, 1));
    assert_false(source_list_open(&list, &world.err));
    assert_int_equal(world.err.status, STATUS_UNAVAILABLE);
}

/* ---- the ledger ---- */

static void open_batch(struct batch *batch)
{
    bool is_new;
    *batch = (struct batch){.workflow = mem_strdup("form"),
                            .run_key = mem_strdup("key"),
                            .fingerprint = mem_strdup(""),
                            .generation = 1,
                            .since = window.since,
                            .until = window.until};
    if (!batch_open(world.db, batch, &is_new, &world.err) ||
        !source_list_record(&list, world.db, batch, &world.err))
        fail_msg("%s", world.err.message);
}

static void a_retry_has_the_windows_that_were_recorded(void **state)
{
    struct batch batch;
    (void)state;
    open_server();
    assert_chosen(&by_default);
    struct source first = list.items[0];
    open_batch(&batch);
    assert_value("SELECT has_watermark FROM etl.batch_source", "t");
    open_server();
    assert_true(source_list_restore(&list, world.db, &batch, &world.err));
    assert_true(list.items[0].since == first.since && list.items[0].until == first.until);
    batch_release(&batch);
}

static void files_and_backfills_move_no_watermark(void **state)
{
    static const char *const files[] = {"a.ndjson"};
    struct batch batch;
    (void)state;
    assert_true(init(files, 1));
    assert_chosen(&by_default);
    open_batch(&batch);
    assert_value("SELECT has_watermark FROM etl.batch_source", "f");
    open_server();
    assert_chosen(&by_default);
    batch.is_backfill = true;
    assert_true(source_list_record(&list, world.db, &batch, &world.err));
    assert_value("SELECT bool_or(has_watermark) FROM etl.batch_source", "f");
    batch_release(&batch);
}

static void a_source_that_the_batch_does_not_know_is_refused(void **state)
{
    char second[512];
    struct batch batch;
    (void)state;
    open_server();
    assert_chosen(&by_default);
    open_batch(&batch);
    snprintf(second, sizeof second, "%s dbname=postgres", spec);
    const char *const both[] = {spec, second};
    assert_true(init(both, 2));
    assert_false(source_list_restore(&list, world.db, &batch, &world.err));
    assert_failed(STATUS_USAGE, "is none of batch");
    batch_release(&batch);
}

static void a_snapshot_has_its_time_in_the_ledger(void **state)
{
    struct batch batch;
    (void)state;
    open_server();
    assert_chosen(&by_default);
    open_batch(&batch);
    int64_t before = source_now();
    assert_true(source_list_snapshot(&list, world.db, &batch, &world.err));
    assert_true(list.items[0].clock >= before);
    assert_value("SELECT clock > until FROM etl.batch_source", "t");
    world_source_sql("CREATE TABLE public.later ()");
    batch_release(&batch);
}

static void a_clock_that_was_set_back_gives_no_earlier_time(void **state)
{
    struct batch batch;
    (void)state;
    open_server();
    assert_chosen(&by_default);
    open_batch(&batch);
    world_sql("UPDATE etl.batch_source SET clock = clock_timestamp() + interval '1 hour'");
    int64_t before = source_now();
    assert_true(source_list_snapshot(&list, world.db, &batch, &world.err));
    assert_true(list.items[0].clock > before + 59 * MINUTE);
    batch_release(&batch);
}

static void a_file_is_read_at_the_warehouses_time(void **state)
{
    static const char *const files[] = {"a.ndjson"};
    struct batch batch;
    (void)state;
    assert_true(init(files, 1));
    assert_chosen(&by_default);
    open_batch(&batch);
    int64_t before = source_now();
    assert_true(source_list_snapshot(&list, world.db, &batch, &world.err));
    assert_true(list.items[0].clock >= before);
    batch_release(&batch);
}

/* ---- failures ---- */

static bool choose_and_record(void)
{
    struct batch batch = {.workflow = mem_strdup("form"),
                          .run_key = mem_strdup("key"),
                          .fingerprint = mem_strdup(""),
                          .generation = 1};
    bool is_new;
    bool ok = init(&spec, 1) && source_list_open(&list, &world.err) && choose(&by_default) &&
              batch_open(world.db, &batch, &is_new, &world.err) &&
              source_list_record(&list, world.db, &batch, &world.err) &&
              source_list_restore(&list, world.db, &batch, &world.err) &&
              source_list_snapshot(&list, world.db, &batch, &world.err);
    batch_release(&batch);
    return ok;
}

static bool choose_files(void)
{
    static const char *const files[] = {"a.ndjson"};
    return init(files, 1) && choose(&by_default);
}

static void nothing(void)
{
}

static void each_failure_is_told(void **state)
{
    (void)state;
    world_run_with_each_failure(nothing, choose_and_record, nothing);
    world_run_with_each_failure(nothing, choose_files, nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_known_by_its_name_and_a_server_by_its_place),
        TEST(without_specs_the_environment_names_the_source),
        TEST(sources_that_do_not_go_together_are_refused),
        TEST(servers_are_opened_once_and_files_not_at_all),
        TEST(a_retry_has_the_windows_that_were_recorded),
        TEST(files_and_backfills_move_no_watermark),
        TEST(a_source_that_the_batch_does_not_know_is_refused),
        TEST(a_snapshot_has_its_time_in_the_ledger),
        TEST(a_clock_that_was_set_back_gives_no_earlier_time),
        TEST(a_file_is_read_at_the_warehouses_time),
        TEST(each_failure_is_told),
    };
    return cmocka_run_group_tests(tests, begin, world_end);
}

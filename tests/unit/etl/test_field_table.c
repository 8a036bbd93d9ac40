/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=copy_open,--wrap=copy_close,--wrap=copy_row,--wrap=copy_take_back */
/* link: -Wl,--wrap=copy_null,--wrap=copy_int,--wrap=copy_bool,--wrap=copy_time */
/* link: -Wl,--wrap=copy_text,--wrap=copy_bytes,--wrap=copy_jsonb,--wrap=copy_text_list */
/* link: -Wl,--wrap=copy_end */
#include "etl/field_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etl/pipeline.h"
#include "fake_copy.h"

static const char *const types[] = {"Thing", NULL};
static const char *const kinds[] = {"Thing", "Other-Thing", NULL};
static const struct field_filter strict_filters[] = {
    {.path = "doc_type", .values = kinds},
    {.path = "base", .values = types, .may_lack = true},
    {0}};
static const struct field table_fields[] = {
    {.column = "thing_id", .path = "_id|id", .type = FIELD_TEXT, .is_key = true},
    {.column = "size", .path = "how.big", .type = FIELD_INTEGER, .otherwise = "1"},
    {.column = "on", .path = "on", .type = FIELD_BOOLEAN},
    {.column = "modified", .path = "modified|changed", .type = FIELD_TIME, .is_modified = true},
    {.path = "log", .type = FIELD_NEWEST, .element = "date", .is_modified = true},
    {0},
};
static const struct feed table = {.name = "thing", .fields = table_fields};
static const struct feed strict_table = {
    .name = "thing", .fields = table_fields, .filters = strict_filters};

struct world {
    struct field_batch batch;
    struct copy *copy;
    struct field_reject reject;
    struct error err;
};

static int set_up(void **state)
{
    static struct world world;
    world = (struct world){.batch = {.batch_id = 7, .read_number = 3}};
    clock_parse("2024-06-15T12:00:00Z", 20, &world.batch.clock);
    world.batch.read_time = world.batch.clock;
    world.copy = fake_copy_new();
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    fake_copy_free(world->copy);
    return 0;
}

/* Reads all records of a table; what became of each, a letter each: s, k (skipped), r, f. */
static const char *read_table(struct world *world, const struct feed *feed, const char *text)
{
    static char taken[16];
    char path[] = "/tmp/factline-table.XXXXXX";
    struct csv_record record;
    size_t count = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    struct csv *csv = csv_open(path, CSV_COMMA, 1 << 20, &world->err);
    unlink(path);
    assert_non_null(csv);
    struct field_reader *reader = field_reader_new(feed);
    bool ok = field_bind_columns(reader, csv, &world->err);
    while (ok && csv_next(csv, &record, &world->err) == CSV_RECORD)
        taken[count++] = "skrf"[field_read_cells(reader, &world->batch, record.cells, 5,
                                                 world->copy, &world->reject, &world->err)];
    taken[count] = '\0';
    field_reader_free(reader);
    csv_close(csv);
    return taken;
}

static void a_record_of_a_table_is_a_row_of_the_declared_columns(void **state)
{
    struct world *world = *state;
    assert_string_equal(
        read_table(world, &table, "on,other,size,id,changed\nt,x,7,a,2024-01-02\n,,,b,\n"), "ss");
    assert_string_equal(fake_copy_row(world->copy, 0),
                        "7 3 2024-01-02T00:00:00.000000Z 5 false 'a' 7 true "
                        "2024-01-02T00:00:00.000000Z");
    assert_string_equal(fake_copy_row(world->copy, 1), "7 3 -infinity 5 false 'b' 1 null null");
}

static void a_column_is_found_by_its_path_before_its_own_name(void **state)
{
    struct world *world = *state;
    assert_string_equal(read_table(world, &table, "thing_id,size,how.big\na,1,2\n"), "s");
    assert_string_equal(fake_copy_row(world->copy, 0), "7 3 -infinity 5 false 'a' 2 null null");
}

static void a_header_without_a_required_column_is_refused(void **state)
{
    struct world *world = *state;
    assert_string_equal(read_table(world, &table, "size,on\n1,t\n"), "");
    assert_int_equal(world->err.status, STATUS_DATA);
    assert_non_null(strstr(world->err.message, "\"_id\""));
}

static void a_record_of_a_table_is_rejected_by_its_column(void **state)
{
    struct world *world = *state;
    assert_string_equal(read_table(world, &table, "id,size\na,x\n"), "r");
    assert_string_equal(world->reject.reason, "bad_integer");
    assert_string_equal(world->reject.column, "size");
    assert_true(world->reject.is_table);
    assert_false(world->reject.is_parsed);
    assert_string_equal(read_table(world, &table, "id,on\na,x\n"), "r");
    assert_string_equal(world->reject.reason, "bad_boolean");
    assert_string_equal(world->reject.column, "on");
    assert_string_equal(read_table(world, &table, "id,size\n,1\n"), "r");
    assert_string_equal(world->reject.reason, "missing_field");
    assert_string_equal(read_table(world, &table, "id,size\n\"\",1\n"), "r");
    assert_string_equal(world->reject.reason, "missing_field");
    assert_int_equal(fake_copy_count(world->copy), 0);
}

static void a_table_is_filtered_where_it_has_the_column(void **state)
{
    struct world *world = *state;
    assert_string_equal(read_table(world, &strict_table, "id\na\n"), "s");
    assert_string_equal(read_table(world, &strict_table,
                                   "id,doc_type,base\na,Thing,Thing\nb,Thing,\nc,Thing,Other\n"
                                   "d,Other-Thing,\ne,Other,\nf,,\n"),
                        "sskskk");
}

static void a_row_of_a_table_that_cannot_be_sent_is_a_failure(void **state)
{
    struct world *world = *state;
    fake_copy_fail_at(world->copy, 1);
    assert_string_equal(read_table(world, &table, "id\na\n"), "f");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_of_a_table_is_a_row_of_the_declared_columns),
        TEST(a_column_is_found_by_its_path_before_its_own_name),
        TEST(a_header_without_a_required_column_is_refused),
        TEST(a_record_of_a_table_is_rejected_by_its_column),
        TEST(a_table_is_filtered_where_it_has_the_column),
        TEST(a_row_of_a_table_that_cannot_be_sent_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=copy_open,--wrap=copy_close,--wrap=copy_row,--wrap=copy_take_back */
/* link: -Wl,--wrap=copy_null,--wrap=copy_int,--wrap=copy_bool,--wrap=copy_time */
/* link: -Wl,--wrap=copy_text,--wrap=copy_bytes,--wrap=copy_jsonb,--wrap=copy_text_list */
/* link: -Wl,--wrap=copy_end */
#include "etl/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etl/pipeline.h"
#include "fake_copy.h"

/* One of everything. */
static const struct field members[] = {{.column = "m", .path = "m", .type = FIELD_TEXT}, {0}};
static const char *const types[] = {"Thing", NULL};
static const struct field_filter filters[] = {
    {.path = "doc_type", .values = types, .may_lack = true}, {0}};
static const struct field fields[] = {
    {.column = "thing_id", .path = "_id|id", .type = FIELD_TEXT, .is_key = true},
    {.column = "name", .path = "name|old.name", .type = FIELD_TEXT},
    {.column = "size", .path = "size", .type = FIELD_INTEGER, .otherwise = "1"},
    {.column = "weight", .path = "weight", .type = FIELD_DECIMAL},
    {.column = "on", .path = "on", .type = FIELD_BOOLEAN},
    {.column = "seen_on", .path = "seen_on", .type = FIELD_TIME, .is_partition = true},
    {.column = "modified", .path = "modified", .type = FIELD_TIME, .is_modified = true},
    {.column = "tags", .path = "tags", .type = FIELD_TEXT_LIST},
    {.column = "parts", .path = "parts", .type = FIELD_OBJECTS, .elements = members},
    {.path = "log", .type = FIELD_NEWEST, .element = "date", .is_modified = true},
    {.path = "must|may", .type = FIELD_TEXT, .required = true},
    {0},
};
static const struct feed thing = {
    .name = "thing", .fields = fields, .filters = filters, .is_couch = true};

static const struct field plain_fields[] = {
    {.column = "id", .path = "id", .type = FIELD_TEXT, .required = true},
    {.column = "at", .path = "at", .type = FIELD_TIME, .is_modified = true},
    {0},
};
static const struct feed plain = {.name = "plain", .fields = plain_fields};

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

static enum field_taken read_line(struct world *world, const struct feed *feed, const char *text)
{
    struct field_reader *reader = field_reader_new(feed);
    enum field_taken taken = field_read(reader, &world->batch, text, strlen(text), 5, world->copy,
                                        &world->reject, &world->err);
    field_reader_free(reader);
    return taken;
}

static void assert_staged(struct world *world, const struct feed *feed, const char *text,
                          const char *row)
{
    if (read_line(world, feed, text) != FIELD_STAGED)
        fail_msg("not staged: %s %s", world->reject.column, world->reject.reason);
    assert_int_equal(fake_copy_count(world->copy), 1);
    assert_string_equal(fake_copy_row(world->copy, 0), row);
    fake_copy_clear(world->copy);
}

static void assert_rejected(struct world *world, const struct feed *feed, const char *text,
                            const char *reason, const char *column)
{
    assert_int_equal(read_line(world, feed, text), FIELD_REJECTED);
    assert_string_equal(world->reject.reason, reason);
    assert_string_equal(world->reject.column, column);
    assert_int_equal(fake_copy_count(world->copy), 0);
}

/* ---- rows ---- */

static void a_record_is_a_row_of_the_declared_columns(void **state)
{
    assert_staged(
        *state, &thing,
        "{\"_id\":\"t\",\"name\":\"n\",\"size\":2,\"weight\":1.50,\"on\":true,"
        "\"seen_on\":\"2024-01-02T03:04:05Z\",\"modified\":\"2024-01-03\",\"tags\":[\"a\",\"b\"],"
        "\"parts\":[{\"m\":\"p\",\"x\":1}],\"log\":[],\"must\":\"y\"}",
        "7 3 2024-01-03T00:00:00.000000Z 5 false 't' 'n' 2 '1.50' true "
        "2024-01-02T03:04:05.000000Z 2024-01-03T00:00:00.000000Z ['a' 'b'] "
        "j'[{\"m\":\"p\"}]'");
}

static void what_is_absent_has_its_default_or_is_null(void **state)
{
    assert_staged(*state, &thing, "{\"_id\":\"t\",\"may\":\"y\"}",
                  "7 3 -infinity 5 false 't' null 1 null null null null [] j'[]'");
}

static void alternatives_are_tried_in_order(void **state)
{
    struct world *world = *state;
    assert_staged(world, &thing,
                  "{\"id\":\"u\",\"must\":null,\"may\":\"y\",\"old\":{\"name\":\"o\"}}",
                  "7 3 -infinity 5 false 'u' 'o' 1 null null null null [] j'[]'");
    assert_staged(
        world, &thing,
        "{\"_id\":\"t\",\"id\":\"u\",\"must\":\"x\",\"name\":\"n\",\"old\":{\"name\":\"o\"}}",
        "7 3 -infinity 5 false 't' 'n' 1 null null null null [] j'[]'");
}

static void the_version_is_the_greatest_modification_time(void **state)
{
    struct world *world = *state;
    assert_staged(world, &thing,
                  "{\"_id\":\"t\",\"must\":\"y\",\"modified\":\"2024-01-03\","
                  "\"log\":[{\"date\":\"2024-02-01\"},"
                  "{\"date\":\"2023-01-01\"}]}",
                  "7 3 2024-02-01T00:00:00.000000Z 5 false 't' null 1 null null null "
                  "2024-01-03T00:00:00.000000Z [] j'[]'");
    assert_staged(world, &thing,
                  "{\"_id\":\"t\",\"must\":\"y\",\"modified\":\"2024-03-01\","
                  "\"log\":[{\"date\":\"2024-02-01\"}]}",
                  "7 3 2024-03-01T00:00:00.000000Z 5 false 't' null 1 null null null "
                  "2024-03-01T00:00:00.000000Z [] j'[]'");
}

static void a_reader_serves_one_line_after_the_other(void **state)
{
    struct world *world = *state;
    struct field_reader *reader = field_reader_new(&plain);
    static const char *const lines[] = {"{\"id\":\"a\",\"at\":\"2024-01-01\"}", "{\"at\":1}", "",
                                        "{\"id\":\"b\"}"};
    static const enum field_taken expected[] = {FIELD_STAGED, FIELD_REJECTED, FIELD_SKIPPED,
                                                FIELD_STAGED};
    for (int i = 0; i < 4; i++)
        assert_int_equal(field_read(reader, &world->batch, lines[i], strlen(lines[i]), i + 1,
                                    world->copy, &world->reject, &world->err),
                         expected[i]);
    assert_int_equal(fake_copy_count(world->copy), 2);
    assert_string_equal(fake_copy_row(world->copy, 0),
                        "7 3 2024-01-01T00:00:00.000000Z 1 false 'a' 2024-01-01T00:00:00.000000Z");
    assert_string_equal(fake_copy_row(world->copy, 1), "7 3 -infinity 4 false 'b' null");
    field_reader_free(reader);
    field_reader_free(NULL);
}

/* ---- rejects ---- */

static void what_is_required_and_absent_is_named(void **state)
{
    struct world *world = *state;
    assert_rejected(world, &thing, "{\"must\":\"y\"}", "missing_field", "thing_id");
    assert_rejected(world, &thing, "{\"_id\":null,\"must\":\"y\"}", "missing_field", "thing_id");
    assert_rejected(world, &thing, "{\"_id\":\"t\"}", "missing_field", "must|may");
    assert_rejected(world, &plain, "{}", "missing_field", "id");
    assert_true(world->reject.is_parsed);
}

static void a_row_that_is_found_wanting_is_taken_back(void **state)
{
    struct world *world = *state;
    assert_rejected(world, &thing, "{\"_id\":\"\",\"must\":\"y\"}", "missing_field", "thing_id");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"name\":1}", "wrong_type",
                    "name");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"size\":1.5}", "bad_integer",
                    "size");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"weight\":\"x\"}", "bad_number",
                    "weight");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"on\":\"x\"}", "wrong_type",
                    "on");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"tags\":[1]}", "wrong_type",
                    "tags");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"parts\":[1]}", "wrong_type",
                    "parts");
    assert_staged(world, &plain, "{\"id\":\"a\"}", "7 3 -infinity 5 false 'a' null");
}

static void a_time_that_is_none_is_named(void **state)
{
    struct world *world = *state;
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"modified\":\"soon\"}",
                    "bad_timestamp", "modified");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"log\":[{\"date\":\"x\"}]}",
                    "bad_timestamp", "log");
    assert_rejected(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"seen_on\":\"2024-02-30\"}",
                    "time_out_of_range", "seen_on");
}

static void a_text_that_is_no_document_has_no_column(void **state)
{
    struct world *world = *state;
    assert_rejected(world, &thing, "{\"_id\":\"t\"", "bad_json", "");
    assert_false(world->reject.is_parsed);
    assert_rejected(world, &thing, "[]", "wrong_type", "");
    assert_rejected(world, &thing, "{\"results\":[", "wrapped_document", "");
}

static void a_partition_time_is_neither_old_nor_of_the_future(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *time;
        bool is_right;
    } cases[] = {
        {"2004-12-31T23:59:59.999999Z", false},
        {"2005-01-01T00:00:00Z", true},
        {"2024-06-16T12:00:00Z", true},
        {"2024-06-16T12:00:00.000001Z", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128] = "{\"_id\":\"t\",\"must\":\"y\",\"seen_on\":\"";
        strcat(strcat(text, cases[i].time), "\"}");
        if (cases[i].is_right)
            assert_int_equal(read_line(world, &thing, text), FIELD_STAGED);
        else
            assert_int_equal(read_line(world, &thing, text), FIELD_REJECTED);
        if (!cases[i].is_right) {
            assert_string_equal(world->reject.reason, "time_out_of_range");
            assert_string_equal(world->reject.column, "seen_on");
        }
    }
    assert_int_equal(
        read_line(world, &thing, "{\"_id\":\"t\",\"must\":\"y\",\"modified\":\"1999-01-01\"}"),
        FIELD_STAGED);
}

/* ---- windows ---- */

static void a_window_is_exclusive_at_its_start_and_inclusive_at_its_end(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *line;
        enum field_taken taken;
    } cases[] = {
        {"{\"id\":\"a\",\"at\":\"2024-01-01T00:00:00Z\"}", FIELD_SKIPPED},
        {"{\"id\":\"a\",\"at\":\"2024-01-01T00:00:00.000001Z\"}", FIELD_STAGED},
        {"{\"id\":\"a\",\"at\":\"2024-01-31T00:00:00Z\"}", FIELD_STAGED},
        {"{\"id\":\"a\",\"at\":\"2024-01-31T00:00:00.000001Z\"}", FIELD_SKIPPED},
        {"{\"id\":\"a\"}", FIELD_SKIPPED},
        {"{\"at\":\"2025-01-01\"}", FIELD_REJECTED},
    };
    world->batch.is_window = true;
    clock_parse("2024-01-01", 10, &world->batch.since);
    clock_parse("2024-01-31", 10, &world->batch.until);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(read_line(world, &plain, cases[i].line), cases[i].taken);
    assert_int_equal(fake_copy_count(world->copy), 2);
}

/* ---- deletions ---- */

static void a_deletion_is_a_row_of_its_key_and_the_time_of_the_read(void **state)
{
    struct world *world = *state;
    assert_staged(world, &thing, "{\"seq\":1,\"id\":\"t\\u0041\",\"deleted\":true}",
                  "7 3 2024-06-15T12:00:00.000000Z 5 true 'tA' null null null null null null "
                  "null null");
}

static void a_deletion_of_a_key_that_no_index_takes_is_rejected(void **state)
{
    char text[1200];
    snprintf(text, sizeof text, "{\"seq\":1,\"id\":\"%01001d\",\"deleted\":true}", 0);
    assert_rejected(*state, &thing, text, "too_long", "thing_id");
}

static void a_deletion_is_in_the_window_of_its_read(void **state)
{
    struct world *world = *state;
    world->batch.is_window = true;
    world->batch.since = world->batch.clock - CLOCK_SECOND;
    world->batch.until = world->batch.clock;
    assert_int_equal(read_line(world, &thing, "{\"_id\":\"t\",\"_deleted\":true}"), FIELD_STAGED);
    world->batch.since = world->batch.clock;
    world->batch.until = world->batch.clock + CLOCK_SECOND;
    assert_int_equal(read_line(world, &thing, "{\"_id\":\"t\",\"_deleted\":true}"), FIELD_SKIPPED);
}

/* ---- what else ---- */

static void in_a_servers_read_every_version_is_its_time(void **state)
{
    struct world *world = *state;
    world->batch.is_server_read = true;
    assert_staged(world, &plain, "{\"id\":\"a\",\"at\":\"2024-01-01\"}",
                  "7 3 2024-06-15T12:00:00.000000Z 5 false 'a' 2024-01-01T00:00:00.000000Z");
}

static void a_record_of_another_feed_is_skipped(void **state)
{
    struct world *world = *state;
    assert_int_equal(read_line(world, &thing, "{\"_id\":\"t\",\"doc_type\":\"Other\"}"),
                     FIELD_SKIPPED);
    assert_int_equal(fake_copy_count(world->copy), 0);
}

static void a_row_that_cannot_be_sent_is_a_failure(void **state)
{
    struct world *world = *state;
    fake_copy_fail_at(world->copy, 1);
    assert_int_equal(read_line(world, &plain, "{\"id\":\"a\"}"), FIELD_FAILED);
    assert_int_equal(world->err.status, STATUS_TEMPORARY);
    fake_copy_fail_at(world->copy, 1);
    assert_int_equal(read_line(world, &thing, "{\"_id\":\"t\",\"_deleted\":true}"), FIELD_FAILED);
}

/* ---- keys ---- */

static const struct field listed_fields[] = {
    {.column = "id", .path = "id", .type = FIELD_TEXT, .required = true, .is_listed = true},
    {.column = "part", .path = "part", .type = FIELD_INTEGER, .is_listed = true},
    {.column = "at", .path = "at", .type = FIELD_TIME, .required = true, .is_modified = true},
    {.column = "on", .path = "on", .type = FIELD_BOOLEAN, .otherwise = "true"},
    {0},
};
static const struct feed with_keys = {.name = "with_keys", .fields = listed_fields};

static const char *read_key(struct world *world, const char *text)
{
    struct field_reader *reader = field_reader_new(&with_keys);
    field_take_keys(reader);
    fake_copy_clear(world->copy);
    enum field_taken taken = field_read(reader, &world->batch, text, strlen(text), 5, world->copy,
                                        &world->reject, &world->err);
    field_reader_free(reader);
    return taken == FIELD_STAGED ? fake_copy_row(world->copy, 0) : world->reject.column;
}

static void a_key_has_all_of_its_fields_and_no_others(void **state)
{
    assert_string_equal(read_key(*state, "{\"id\":\"t\",\"part\":2,\"at\":5,\"on\":\"x\"}"),
                        "7 3 -infinity 5 false 't' 2 null null");
    assert_string_equal(read_key(*state, "{\"id\":\"t\",\"part\":null}"),
                        "7 3 -infinity 5 false 't' null null null");
    assert_string_equal(read_key(*state, "{\"id\":\"t\"}"), "part");
    assert_string_equal(read_key(*state, "{\"id\":\"\",\"part\":2}"), "id");
    assert_string_equal(read_key(*state, "{\"id\":\"t\",\"part\":\"x\"}"), "part");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_a_row_of_the_declared_columns),
        TEST(what_is_absent_has_its_default_or_is_null),
        TEST(alternatives_are_tried_in_order),
        TEST(the_version_is_the_greatest_modification_time),
        TEST(a_reader_serves_one_line_after_the_other),
        TEST(what_is_required_and_absent_is_named),
        TEST(a_row_that_is_found_wanting_is_taken_back),
        TEST(a_time_that_is_none_is_named),
        TEST(a_text_that_is_no_document_has_no_column),
        TEST(a_partition_time_is_neither_old_nor_of_the_future),
        TEST(a_window_is_exclusive_at_its_start_and_inclusive_at_its_end),
        TEST(a_deletion_is_a_row_of_its_key_and_the_time_of_the_read),
        TEST(a_deletion_of_a_key_that_no_index_takes_is_rejected),
        TEST(a_deletion_is_in_the_window_of_its_read),
        TEST(in_a_servers_read_every_version_is_its_time),
        TEST(a_record_of_another_feed_is_skipped),
        TEST(a_key_has_all_of_its_fields_and_no_others),
        TEST(a_row_that_cannot_be_sent_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

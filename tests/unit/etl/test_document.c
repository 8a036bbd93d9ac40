/* SPDX-License-Identifier: MIT */
#include "etl/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "etl/pipeline.h"

static const char *const types[] = {"Group", "Group-Deleted", NULL};
static const char *const bases[] = {"Base", NULL};
static const struct field_filter filters[] = {
    {.path = "doc_type", .values = types},
    {.path = "base_doc", .values = bases, .may_lack = true},
    {0},
};
static const struct feed couch = {.name = "group", .is_couch = true};
static const struct feed filtered = {.name = "group", .is_couch = true, .filters = filters};
static const struct feed plain = {.name = "form"};
static const struct feed plain_filtered = {.name = "form", .filters = filters};

/* What a line is, as text: "record NAME", "deletion KEY", "skipped", "rejected REASON COLUMN". */
static void assert_read_bytes(const struct feed *feed, const char *text, size_t length,
                              const char *expected)
{
    static const char *const paths[] = {"name", "nested.name"};
    char seen[256];
    struct document_reader *reader = document_reader_new(feed, paths, 2);
    const struct json_value *values;
    struct json_value key;
    struct field_reject reject = {0};

    switch (document_read(reader, text, length, &values, &key, &reject)) {
    case DOCUMENT_RECORD:
        snprintf(seen, sizeof seen, "record %.*s%.*s", (int)values[0].length,
                 values[0].type == JSON_STRING ? values[0].text : "", (int)values[1].length,
                 values[1].type == JSON_STRING ? values[1].text : "");
        break;
    case DOCUMENT_DELETION:
        snprintf(seen, sizeof seen, "deletion %.*s", (int)key.length, key.text);
        break;
    case DOCUMENT_SKIPPED: snprintf(seen, sizeof seen, "skipped"); break;
    case DOCUMENT_REJECTED:
        snprintf(seen, sizeof seen, "rejected %s %s", reject.reason, reject.column);
        break;
    }
    document_reader_free(reader);
    assert_string_equal(seen, expected);
}

static void assert_read(const struct feed *feed, const char *text, const char *expected)
{
    assert_read_bytes(feed, text, strlen(text), expected);
}

/* ---- what is a record ---- */

static void a_plain_document_is_a_record(void **state)
{
    (void)state;
    assert_read(&couch, "{\"_id\":\"g\",\"name\":\"n\"}", "record n");
    assert_read(&couch, " \t{\"_id\":\"g\",\"nested\":{\"name\":\"m\"}}\r", "record m");
    assert_read(&plain, "{\"form_id\":\"f\",\"name\":\"n\"}", "record n");
    assert_read(&plain, "{}", "record ");
}

static void a_change_with_its_document_is_a_record(void **state)
{
    (void)state;
    assert_read(&couch,
                "{\"seq\":\"5-g1\",\"id\":\"g\",\"changes\":[{\"rev\":\"1\"}],"
                "\"doc\":{\"_id\":\"g\",\"name\":\"inner\",\"nested\":{\"name\":\"2\"}},"
                "\"name\":\"outer\"}",
                "record inner2");
    assert_read(&couch, "{\"seq\":5,\"id\":\"g\",\"doc\":{\"name\":\"n\"}}", "record n");
}

static void a_row_with_its_document_is_a_record(void **state)
{
    (void)state;
    assert_read(&couch,
                "{\"id\":\"g\",\"key\":\"g\",\"value\":{\"rev\":\"1\"},\"doc\":{\"name\":\"n\"}}",
                "record n");
}

static void a_document_with_the_names_of_a_wrapper_is_a_record(void **state)
{
    (void)state;
    assert_read(&couch,
                "{\"_id\":\"g\",\"seq\":1,\"key\":2,\"doc\":{\"name\":\"no\"},\"name\":\"n\"}",
                "record n");
    assert_read(&couch, "{\"_id\":\"g\",\"last_seq\":1,\"error\":\"e\",\"name\":\"n\"}",
                "record n");
}

static void a_plain_feed_knows_no_wrapper_of_couch(void **state)
{
    (void)state;
    assert_read(&plain, "{\"seq\":1,\"deleted\":true,\"key\":\"k\",\"error\":\"e\",\"name\":\"n\"}",
                "record n");
    assert_read(&plain, "{\"_deleted\":true,\"last_seq\":1,\"name\":\"n\"}", "record n");
}

/* ---- deletions ---- */

static void a_deleted_document_is_a_deletion_of_its_key(void **state)
{
    (void)state;
    assert_read(&couch, "{\"_id\":\"g\",\"_deleted\":true}", "deletion g");
    assert_read(&couch, "{\"seq\":1,\"id\":\"g\",\"deleted\":true,\"changes\":[]}", "deletion g");
    assert_read(&couch, "{\"seq\":1,\"id\":\"g\",\"doc\":{\"_id\":\"g\",\"_deleted\":true}}",
                "deletion g");
    assert_read(
        &couch,
        "{\"id\":\"g\",\"key\":\"g\",\"value\":{\"rev\":\"2\",\"deleted\":true},\"doc\":null}",
        "deletion g");
    assert_read(&filtered, "{\"_id\":\"g\",\"_deleted\":true,\"doc_type\":\"Other\"}",
                "deletion g");
}

static void a_mark_that_is_not_true_is_no_deletion(void **state)
{
    (void)state;
    assert_read(&couch, "{\"_id\":\"g\",\"_deleted\":false,\"name\":\"n\"}", "record n");
    assert_read(&couch, "{\"_id\":\"g\",\"deleted\":true,\"name\":\"n\"}", "record n");
    assert_read(&couch, "{\"seq\":1,\"id\":\"g\",\"deleted\":false,\"doc\":{\"name\":\"n\"}}",
                "record n");
}

static void a_deletion_without_key_is_rejected(void **state)
{
    (void)state;
    assert_read(&couch, "{\"seq\":1,\"deleted\":true}", "rejected missing_field id");
    assert_read(&couch, "{\"seq\":1,\"id\":7,\"deleted\":true}", "rejected missing_field id");
    assert_read(&couch, "{\"_id\":\"\",\"_deleted\":true}", "rejected missing_field id");
    assert_read(&couch, "{\"_deleted\":true}", "rejected missing_field id");
    assert_read(&couch, "{\"key\":\"k\",\"value\":{\"deleted\":true}}", "deletion k");
}

/* ---- what is skipped ---- */

static void a_heartbeat_is_skipped(void **state)
{
    (void)state;
    assert_read(&couch, "", "skipped");
    assert_read(&plain, " \t\r\n", "skipped");
    assert_read_bytes(&plain, " \0", 2, "rejected nul_character ");
}

static void the_end_of_a_feed_is_skipped(void **state)
{
    (void)state;
    assert_read(&couch, "{\"last_seq\":\"99-x\",\"pending\":0}", "skipped");
}

static void an_id_that_is_not_there_is_skipped(void **state)
{
    (void)state;
    assert_read(&couch, "{\"key\":\"g\",\"error\":\"not_found\"}", "skipped");
}

static void a_design_document_is_skipped(void **state)
{
    (void)state;
    assert_read(&couch, "{\"_id\":\"_design/views\",\"views\":{}}", "skipped");
    assert_read(&couch, "{\"seq\":1,\"id\":\"_design/x\",\"deleted\":true}", "skipped");
    assert_read(&couch, "{\"id\":\"_design/x\",\"key\":\"_design/x\",\"doc\":{}}", "skipped");
    assert_read(&couch, "{\"_id\":\"_design\",\"name\":\"n\"}", "record n");
}

static void a_record_of_another_type_is_skipped(void **state)
{
    (void)state;
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"Group\",\"name\":\"n\"}", "record n");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"Gro\\u0075p\",\"name\":\"n\"}",
                "record n");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"Group-Deleted\"}", "record ");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"group\"}", "skipped");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"Grou\"}", "skipped");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":7}", "skipped");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":null}", "skipped");
    assert_read(&filtered, "{\"_id\":\"g\"}", "skipped");
    assert_read(&plain_filtered, "{\"doc_type\":\"Group\",\"name\":\"n\"}", "record n");
    assert_read(&plain_filtered, "{\"doc_type\":\"X\"}", "skipped");
}

static void a_filter_that_may_lack_lets_records_without_it_pass(void **state)
{
    (void)state;
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"Group\",\"base_doc\":\"Base\"}",
                "record ");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"Group\",\"base_doc\":null}", "record ");
    assert_read(&filtered, "{\"_id\":\"g\",\"doc_type\":\"Group\",\"base_doc\":\"Other\"}",
                "skipped");
}

static void filters_look_inside_of_the_wrapper(void **state)
{
    (void)state;
    assert_read(&filtered,
                "{\"seq\":1,\"id\":\"g\",\"doc_type\":\"X\",\"doc\":{\"doc_type\":\"Group\","
                "\"name\":\"n\"}}",
                "record n");
    assert_read(&filtered,
                "{\"seq\":1,\"id\":\"g\",\"doc_type\":\"Group\",\"doc\":{\"doc_type\":\"X\"}}",
                "skipped");
}

/* ---- what is rejected ---- */

static void a_change_without_its_document_is_rejected(void **state)
{
    (void)state;
    assert_read(&couch, "{\"seq\":1,\"id\":\"g\",\"changes\":[]}", "rejected missing_field doc");
    assert_read(&couch, "{\"id\":\"g\",\"key\":\"g\",\"doc\":null}", "rejected missing_field doc");
    assert_read(&couch, "{\"id\":\"g\",\"key\":\"g\",\"doc\":[]}", "rejected missing_field doc");
}

static void what_is_no_object_is_rejected(void **state)
{
    static const char *const documents[] = {"[]",  "[{\"_id\":\"g\"}]", "1", "\"x\"", "null",
                                            "true"};
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        assert_read(&couch, documents[i], "rejected wrong_type ");
        assert_read(&plain, documents[i], "rejected wrong_type ");
    }
}

static void each_problem_of_a_text_has_its_reason(void **state)
{
    (void)state;
    assert_read(&plain, "{\"a\":1", "rejected bad_json ");
    assert_read(&plain, "nonsense", "rejected bad_json ");
    assert_read(&plain, "{\"a\":01}", "rejected bad_json ");
    assert_read(&plain, "{\"a\":1},", "rejected trailing_text ");
    assert_read(&plain, "{\"a\":1}{\"a\":1}", "rejected trailing_text ");
    assert_read(&plain, "{\"a\":1,\"\\u0061\":2}", "rejected duplicate_key ");
    assert_read(&plain, "{\"a\":\"\\u0000\"}", "rejected nul_character ");
    assert_read_bytes(&plain, "{\"a\":\"\0\"}", 9, "rejected nul_character ");
    assert_read(&plain, "{\"a\":\"\xff\"}", "rejected bad_encoding ");
    assert_read(&plain, "{\"a\":\"\\x\"}", "rejected bad_escape ");
    assert_read(&plain, "{\"a\":\"\\ud800\"}", "rejected bad_escape ");
}

static void an_answer_in_a_wrapper_is_rejected_as_such(void **state)
{
    static const char *const documents[] = {
        "{\"results\":[",
        "{\"results\" : [",
        " { \"rows\":[{\"id\":1}",
        "{\"total_rows\":3,\"offset\":0,\"rows\":[",
        "{\"meta\":{\"limit\":20},",
        "{\"objects\":[{}]",
        "{\"results\":[{\"_id\":\"g\"}],\"last_seq\":9}",
        "{\"total_rows\":0,\"rows\":[]}",
        "{\"meta\":{},\"objects\":[]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        assert_read(&couch, documents[i], "rejected wrapped_document ");
        assert_read(&plain, documents[i], "rejected wrapped_document ");
    }
    assert_read(&plain, "{\"resu", "rejected bad_json ");
    assert_read(&plain, "{\"results\":1,\"rows\":{},\"objects\":null,\"name\":\"n\"}", "record n");
}

static void secrets_can_be_found_where_the_text_was_sound(void **state)
{
    static const char *const no_paths[] = {NULL};
    struct document_reader *reader = document_reader_new(&plain, no_paths, 0);
    const struct json_value *values;
    struct json_value key;
    struct field_reject reject = {.is_parsed = true};

    (void)state;
    document_read(reader, "{", 1, &values, &key, &reject);
    assert_false(reject.is_parsed);
    document_read(reader, "[]", 2, &values, &key, &reject);
    assert_true(reject.is_parsed);
    document_reader_free(reader);
    document_reader_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_document_is_a_record),
        cmocka_unit_test(a_change_with_its_document_is_a_record),
        cmocka_unit_test(a_row_with_its_document_is_a_record),
        cmocka_unit_test(a_document_with_the_names_of_a_wrapper_is_a_record),
        cmocka_unit_test(a_plain_feed_knows_no_wrapper_of_couch),
        cmocka_unit_test(a_deleted_document_is_a_deletion_of_its_key),
        cmocka_unit_test(a_mark_that_is_not_true_is_no_deletion),
        cmocka_unit_test(a_deletion_without_key_is_rejected),
        cmocka_unit_test(a_heartbeat_is_skipped),
        cmocka_unit_test(the_end_of_a_feed_is_skipped),
        cmocka_unit_test(an_id_that_is_not_there_is_skipped),
        cmocka_unit_test(a_design_document_is_skipped),
        cmocka_unit_test(a_record_of_another_type_is_skipped),
        cmocka_unit_test(a_filter_that_may_lack_lets_records_without_it_pass),
        cmocka_unit_test(filters_look_inside_of_the_wrapper),
        cmocka_unit_test(a_change_without_its_document_is_rejected),
        cmocka_unit_test(what_is_no_object_is_rejected),
        cmocka_unit_test(each_problem_of_a_text_has_its_reason),
        cmocka_unit_test(an_answer_in_a_wrapper_is_rejected_as_such),
        cmocka_unit_test(secrets_can_be_found_where_the_text_was_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

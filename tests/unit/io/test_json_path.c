/* SPDX-License-Identifier: MIT
 *
 * What io/json cuts out of a document that it accepts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/json.h"

static void assert_scan(const char *const *paths, size_t count, const char *text,
                        struct json_value *values)
{
    struct json_plan *with_paths = json_plan_new(paths, count);

    assert_int_equal(json_scan(with_paths, text, strlen(text), values), JSON_OK);
    json_plan_free(with_paths);
}

static void assert_value(const struct json_value *value, enum json_type type, const char *text)
{
    assert_int_equal(value->type, type);
    assert_int_equal(value->length, strlen(text));
    assert_memory_equal(value->text, text, value->length);
}

static void a_path_leads_to_its_value(void **state)
{
    static const char *const paths[] = {"id", "a.b.c", "a", "a.@x-y#z_", "none", "a.none"};
    struct json_value values[6];

    (void)state;
    assert_scan(paths, 6, "{\"id\":\"x\\ty\",\"a\":{\"b\":{\"c\":1.10},\"@x-y#z_\":[1, 2]}}",
                values);
    assert_value(&values[0], JSON_STRING, "x\\ty");
    assert_true(values[0].has_escape);
    assert_value(&values[1], JSON_NUMBER, "1.10");
    assert_false(values[1].has_escape);
    assert_value(&values[2], JSON_OBJECT, "{\"b\":{\"c\":1.10},\"@x-y#z_\":[1, 2]}");
    assert_value(&values[3], JSON_ARRAY, "[1, 2]");
    assert_int_equal(values[4].type, JSON_ABSENT);
    assert_int_equal(values[5].type, JSON_ABSENT);
}

static void every_type_is_told(void **state)
{
    static const char *const paths[] = {"n", "f", "t", "i", "s", "a", "o"};
    struct json_value values[7];

    (void)state;
    assert_scan(
        paths, 7,
        " { \"n\" : null , \"f\":false,\"t\":true , \"i\":\t-0\n,\"s\":\"\",\"a\":[ ],\"o\":{}}",
        values);
    assert_value(&values[0], JSON_NULL, "null");
    assert_value(&values[1], JSON_FALSE, "false");
    assert_value(&values[2], JSON_TRUE, "true");
    assert_value(&values[3], JSON_NUMBER, "-0");
    assert_value(&values[4], JSON_STRING, "");
    assert_value(&values[5], JSON_ARRAY, "[ ]");
    assert_value(&values[6], JSON_OBJECT, "{}");
}

static void only_objects_have_paths(void **state)
{
    static const char *const paths[] = {"a", "a.b", "c.d"};
    struct json_value values[3];

    (void)state;
    assert_scan(paths, 3, "[{\"a\":1}]", values);
    assert_int_equal(values[0].type, JSON_ABSENT);
    assert_scan(paths, 3, "{\"a\":[{\"b\":1}],\"c.d\":1,\"x\":{\"c\":{\"d\":1}}}", values);
    assert_value(&values[0], JSON_ARRAY, "[{\"b\":1}]");
    assert_int_equal(values[1].type, JSON_ABSENT);
    assert_int_equal(values[2].type, JSON_ABSENT);
}

static void keys_are_matched_by_case_and_decoded(void **state)
{
    static const char *const paths[] = {"userID", "caf\xc3\xa9.x", "userid2"};
    struct json_value values[3];

    (void)state;
    assert_scan(paths, 3, "{\"userid\":1,\"USERID2\":1,\"caf\\u00e9\":{\"\\u0078\":2}}", values);
    assert_int_equal(values[0].type, JSON_ABSENT);
    assert_value(&values[1], JSON_NUMBER, "2");
    assert_int_equal(values[2].type, JSON_ABSENT);
}

static void keys_that_begin_and_end_alike_are_told_apart(void **state)
{
    static const char *const paths[] = {"question-A-question", "aaaa", "ab"};
    struct json_value values[3];

    (void)state;
    assert_scan(paths, 3, "{\"question-B-question\":1,\"aaa\":2,\"aaaaa\":3,\"abb\":4}", values);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(values[i].type, JSON_ABSENT);
    }
}

static void a_path_given_twice_is_set_twice(void **state)
{
    static const char *const paths[] = {"a.b", "a.b", ""};
    struct json_value values[3];

    (void)state;
    assert_scan(paths, 3, " {\"a\":{\"b\":true}} ", values);
    assert_value(&values[0], JSON_TRUE, "true");
    assert_value(&values[1], JSON_TRUE, "true");
    assert_value(&values[2], JSON_OBJECT, "{\"a\":{\"b\":true}}"); /* the document itself */
}

static void a_plan_forgets_the_document_before(void **state)
{
    static const char *const paths[] = {"a"};
    struct json_plan *one = json_plan_new(paths, 1);
    struct json_value value = {.type = JSON_TRUE};

    (void)state;
    assert_int_equal(json_scan(one, "{\"a\":1,\"a\":1}", 15, &value), JSON_DUPLICATE_KEY);
    assert_int_equal(value.type, JSON_TRUE); /* set with JSON_OK only */
    assert_int_equal(json_scan(one, "{\"b\":{\"a\":[", 11, &value), JSON_BAD);
    assert_int_equal(json_scan(one, "{\"b\":1}", 7, &value), JSON_OK);
    assert_int_equal(value.type, JSON_ABSENT);
    json_plan_free(one);
    json_plan_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_leads_to_its_value),
        cmocka_unit_test(every_type_is_told),
        cmocka_unit_test(only_objects_have_paths),
        cmocka_unit_test(keys_are_matched_by_case_and_decoded),
        cmocka_unit_test(keys_that_begin_and_end_alike_are_told_apart),
        cmocka_unit_test(a_path_given_twice_is_set_twice),
        cmocka_unit_test(a_plan_forgets_the_document_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

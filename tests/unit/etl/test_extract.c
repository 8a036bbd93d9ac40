/* SPDX-License-Identifier: MIT */
#include "etl/extract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct field elements[] = {
    {.column = "position", .path = "position", .type = FIELD_INTEGER},
    {.column = "chosen", .path = "inner.chosen", .type = FIELD_LIST},
    {0},
};

/* expected NULL: no object. */
static void assert_built(const char *text, const char *expected)
{
    struct extract *extract = extract_new(elements);
    struct str built;
    str_init(&built);
    bool is_object = extract_build(extract, text, strlen(text), &built);
    assert_int_equal(is_object, expected != NULL);
    if (expected)
        assert_string_equal(built.text, expected);
    str_release(&built);
    extract_free(extract);
}

static void the_declared_members_are_taken_and_no_other(void **state)
{
    (void)state;
    assert_built(" {\"position\": 3, \"secret\": \"s\", \"inner\": {\"chosen\": [[\"a\", \"b\"]]}}",
                 "{\"position\":3,\"chosen\":[[\"a\", \"b\"]]}");
}

static void a_member_of_another_type_is_null(void **state)
{
    (void)state;
    assert_built("{\"position\": \"3\", \"inner\": {\"chosen\": {}}}",
                 "{\"position\":null,\"chosen\":null}");
    assert_built("{\"position\": 1.5}", "{\"position\":null,\"chosen\":null}");
}

/* The numbers that jsonb cannot keep would fail the whole load. */
static void an_array_with_numbers_beyond_all_measure_is_null(void **state)
{
    char text[1100] = "{\"inner\":{\"chosen\":[";
    (void)state;
    assert_built("{\"inner\":{\"chosen\":[1e99, -2.5E-10,{\"a\":\"9e999\\\"9e999\"},12e3,e]}}",
                 NULL);
    assert_built("{\"inner\":{\"chosen\":[1e99, -2.5E-10,{\"a\":\"9e999\\\"9e999\"},12e3]}}",
                 "{\"position\":null,\"chosen\":[1e99, -2.5E-10,{\"a\":\"9e999\\\"9e999\"},12e3]}");
    assert_built("{\"inner\":{\"chosen\":[1,[2e100]]}}", "{\"position\":null,\"chosen\":null}");
    assert_built("{\"inner\":{\"chosen\":[1e-999999]}}", "{\"position\":null,\"chosen\":null}");
    memset(text + strlen(text), '1', 1001);
    strcat(text, "]}}");
    assert_built(text, "{\"position\":null,\"chosen\":null}");
}

static void an_empty_object_stays_empty(void **state)
{
    (void)state;
    assert_built("{}", "{}");
    assert_built(" { \n } ", "{}");
    assert_built("{\"a\":1}", "{\"position\":null,\"chosen\":null}");
}

static void what_is_no_sound_object_is_refused(void **state)
{
    (void)state;
    assert_built("", NULL);
    assert_built("  ", NULL);
    assert_built("[1]", NULL);
    assert_built("null", NULL);
    assert_built("{\"a\": NaN}", NULL);
    assert_built("{\"a\": 1", NULL);
    extract_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_declared_members_are_taken_and_no_other),
        cmocka_unit_test(a_member_of_another_type_is_null),
        cmocka_unit_test(an_array_with_numbers_beyond_all_measure_is_null),
        cmocka_unit_test(an_empty_object_stays_empty),
        cmocka_unit_test(what_is_no_sound_object_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * What is done with values that a scan has cut out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/json.h"

/* The whole document as a value. */
static struct json_value value_of(const char *text)
{
    static const char *const paths[] = {""};
    struct json_plan *plan = json_plan_new(paths, 1);
    struct json_value value;

    assert_int_equal(json_scan(plan, text, strlen(text), &value), JSON_OK);
    json_plan_free(plan);
    return value;
}

static void assert_text(const char *document, const char *expected)
{
    struct json_value value = value_of(document);
    struct str scratch;
    const char *text;
    size_t length;

    str_init(&scratch);
    str_add_text(&scratch, "left over");
    text = json_text(&value, &scratch, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
    str_release(&scratch);
}

static void a_text_is_decoded_where_it_is_escaped(void **state)
{
    (void)state;
    assert_text("\"\"", "");
    assert_text("\"plain \xc3\xa9\"", "plain \xc3\xa9");
    assert_text("\"\\u0041\\n\\t\\\\\\\"\\/\"", "A\n\t\\\"/");
    assert_text("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80");
    assert_text("\"\\\\u0000\"", "\\u0000");
    assert_text("\"\\\\.\\t;'--\"", "\\.\t;'--");
}

static void a_plain_text_is_not_copied(void **state)
{
    static const char document[] = "\"plain\"";
    struct json_value value = value_of(document);
    struct str scratch;
    size_t length;

    (void)state;
    str_init(&scratch);
    assert_ptr_equal(json_text(&value, &scratch, &length), document + 1);
    assert_int_equal(length, 5);
    str_release(&scratch);
}

static void a_megabyte_is_decoded(void **state)
{
    size_t size = 1024 * 1024;
    char *document = malloc(size + 1);
    struct json_value value;
    struct str scratch;
    size_t length;

    (void)state;
    memset(document, 'x', size);
    memcpy(document, "\"\\u00e9", 7);
    memcpy(document + size - 1, "\"", 2);
    value = value_of(document);
    str_init(&scratch);
    assert_memory_equal(json_text(&value, &scratch, &length), "\xc3\xa9xx", 4);
    assert_int_equal(length, size - 8 + 2);
    str_release(&scratch);
    free(document);
}

static void assert_integer(const char *document, int64_t expected)
{
    struct json_value value = value_of(document);
    int64_t number = 77;

    assert_true(json_integer(&value, &number));
    assert_true(number == expected);
}

static void assert_no_integer(const char *document)
{
    struct json_value value = value_of(document);
    int64_t number = 77;

    assert_false(json_integer(&value, &number));
    assert_true(number == 77);
}

static void an_integer_is_exact_up_to_2_to_the_53(void **state)
{
    (void)state;
    assert_integer("0", 0);
    assert_integer("-0", 0);
    assert_integer("-17", -17);
    assert_integer("9007199254740991", INT64_C(9007199254740991));
    assert_integer("9007199254740992", INT64_C(9007199254740992));
    assert_integer("-9007199254740992", -INT64_C(9007199254740992));
    assert_no_integer("9007199254740993");
    assert_no_integer("-9007199254740993");
    assert_no_integer("-9223372036854775808");
    assert_no_integer("18446744073709551616");
    assert_no_integer("99999999999999999999999999999999999999999");
}

static void what_is_no_integer_is_not_rounded(void **state)
{
    (void)state;
    assert_no_integer("1.0");
    assert_no_integer("1.10");
    assert_no_integer("1e3");
    assert_no_integer("1e400");
    assert_no_integer("\"1\"");
    assert_no_integer("true");
    assert_no_integer("null");
    assert_no_integer("[1]");
}

struct seen {
    struct str text;
    int left;
};

/* Notes type, escape and text of an element; stops when none is left to see. */
static bool see(const struct json_value *element, void *data)
{
    struct seen *seen = data;

    str_add_format(&seen->text, "%d%s:%.*s;", (int)element->type, element->has_escape ? "e" : "",
                   (int)element->length, element->text);
    return --seen->left > 0;
}

static void assert_each(const char *document, int left, bool is_done, const char *expected)
{
    struct json_value array = value_of(document);
    struct seen seen = {.left = left};

    str_init(&seen.text);
    assert_int_equal(json_each(&array, see, &seen), is_done);
    assert_string_equal(seen.text.text, expected);
    str_release(&seen.text);
}

static void elements_come_in_order(void **state)
{
    (void)state;
    assert_each("[]", 9, true, "");
    assert_each(" [ ] ", 9, true, "");
    assert_each("[1]", 9, true, "4:1;");
    assert_each("[ null , false,true ,-1.5e3,\"a]\\\",\", [1,[2]] ,{\"a\":[]} ]", 9, true,
                "1:null;2:false;3:true;4:-1.5e3;5e:a]\\\",;6:[1,[2]];7:{\"a\":[]};");
    assert_each("[\"\",\"x\"]", 9, true, "5:;5:x;");
}

static void elements_end_where_the_caller_wants(void **state)
{
    (void)state;
    assert_each("[1,2,3]", 2, false, "4:1;4:2;");
    assert_each("[1,2,3]", 3, false, "4:1;4:2;4:3;");
}

static void other_types_have_no_elements(void **state)
{
    struct json_value absent = {.type = JSON_ABSENT};

    (void)state;
    assert_each("{\"a\":1}", 9, true, "");
    assert_each("\"[1]\"", 9, true, "");
    assert_true(json_each(&absent, see, NULL));
}

static void assert_member(const char *document, const char *name, enum json_type type,
                          const char *expected)
{
    struct json_value object = value_of(document);
    struct json_value member = json_member(&object, name);

    assert_int_equal(member.type, type);
    assert_int_equal(member.length, strlen(expected));
    assert_memory_equal(member.text != NULL ? member.text : "", expected, member.length);
}

static void a_member_is_found_by_its_name(void **state)
{
    static const char text[] =
        "{ \"a\" : 1 ,\"b\":{\"c\":2},\"\\u0063\" : \"x\\ny\", \"D\":[3],\"\":null}";

    (void)state;
    assert_member(text, "a", JSON_NUMBER, "1");
    assert_member(text, "b", JSON_OBJECT, "{\"c\":2}");
    assert_member(text, "c", JSON_STRING, "x\\ny");
    assert_member(text, "D", JSON_ARRAY, "[3]");
    assert_member(text, "", JSON_NULL, "null");
    assert_member(text, "d", JSON_ABSENT, "");
    assert_member(text, "ab", JSON_ABSENT, "");
    assert_member("{}", "a", JSON_ABSENT, "");
}

static void other_types_have_no_members(void **state)
{
    struct json_value absent = {.type = JSON_ABSENT};

    (void)state;
    assert_member("[{\"a\":1}]", "a", JSON_ABSENT, "");
    assert_member("\"a\"", "a", JSON_ABSENT, "");
    assert_int_equal(json_member(&absent, "a").type, JSON_ABSENT);
}

static void assert_blank(const char *document, const char *expected)
{
    static const char *const names[] = {"password", "phone_numbers", NULL};
    struct str to;

    str_init(&to);
    str_add_text(&to, ">");
    json_blank(document, strlen(document), names, &to);
    assert_string_equal(to.text + 1, expected);
    assert_int_equal(to.text[0], '>');
    str_release(&to);
}

static void named_members_are_blanked_at_any_depth(void **state)
{
    (void)state;
    assert_blank("{\"password\":\"s3cret\"}", "{\"password\":null}");
    assert_blank(
        "{\"a\":[{\"password\" : {\"x\":\"}\"} , \"b\":1}],\"phone_numbers\":[\"+1\",\"2\"]}",
        "{\"a\":[{\"password\" : null , \"b\":1}],\"phone_numbers\":null}");
    assert_blank("{\"pass\\u0077ord\":\"s3cret\\\"\"}", "{\"pass\\u0077ord\":null}");
    assert_blank("{\"password\":true,\"phone_numbers\":-1.5}",
                 "{\"password\":null,\"phone_numbers\":null}");
}

static void the_rest_stays_byte_for_byte(void **state)
{
    (void)state;
    assert_blank("{}", "{}");
    assert_blank(" [1.10, \"\\u0041\"] ", " [1.10, \"\\u0041\"] ");
    assert_blank("\"password\"", "\"password\"");
    assert_blank("{\"a\":\"password\",\"Password\":1,\"b\":[\"password\"]}",
                 "{\"a\":\"password\",\"Password\":1,\"b\":[\"password\"]}");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_decoded_where_it_is_escaped),
        cmocka_unit_test(a_plain_text_is_not_copied),
        cmocka_unit_test(a_megabyte_is_decoded),
        cmocka_unit_test(an_integer_is_exact_up_to_2_to_the_53),
        cmocka_unit_test(what_is_no_integer_is_not_rounded),
        cmocka_unit_test(elements_come_in_order),
        cmocka_unit_test(elements_end_where_the_caller_wants),
        cmocka_unit_test(other_types_have_no_elements),
        cmocka_unit_test(a_member_is_found_by_its_name),
        cmocka_unit_test(other_types_have_no_members),
        cmocka_unit_test(named_members_are_blanked_at_any_depth),
        cmocka_unit_test(the_rest_stays_byte_for_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

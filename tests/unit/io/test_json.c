/* SPDX-License-Identifier: MIT
 *
 * What io/json accepts, refuses and cuts out. Each document lies at the end of
 * memory of its own, so that the sanitizers see a read past it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "io/json.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct document {
    const char *text;
    enum json_problem problem;
};

static struct json_plan *plan; /* of no paths */
static struct json_value none[1];

static int set_up(void **state)
{
    (void)state;
    plan = json_plan_new(NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_plan_free(plan);
    return 0;
}

static enum json_problem scan_bytes(const char *text, size_t length)
{
    char *copy = mem_resize(NULL, length);
    enum json_problem problem;

    memcpy(copy, text, length);
    problem = json_scan(plan, copy, length, none);
    free(copy);
    return problem;
}

static void assert_problems(const struct document *documents, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum json_problem problem = scan_bytes(documents[i].text, strlen(documents[i].text));

        if (problem != documents[i].problem) {
            fail_msg("%s: problem %d, not %d", documents[i].text, (int)problem,
                     (int)documents[i].problem);
        }
    }
}

static void assert_all(const char *const *texts, size_t count, enum json_problem problem)
{
    for (size_t i = 0; i < count; i++) {
        assert_problems(&(struct document){texts[i], problem}, 1);
    }
}

static void a_document_may_be_of_any_type(void **state)
{
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "null",
                                        "true",
                                        "false",
                                        "0",
                                        "\"\"",
                                        "\"x\"",
                                        " { } ",
                                        "\t[\r\n]\n",
                                        "[1,[2],{}]",
                                        "{\"a\":{\"b\":[]}}",
                                        "\"\\u0041\"",
                                        "[ 1 , 2 ]",
                                        "{ \"a\" : 1 , \"b\" : 2 }",
                                        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"};

    (void)state;
    assert_all(texts, COUNT(texts), JSON_OK);
}

static void text_that_is_no_json_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "\n",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        "[1",
                                        "[1,",
                                        "[1,]",
                                        "[,1]",
                                        "[1 2]",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "{\"a\":1",
                                        "{\"a\":1,",
                                        "{\"a\":1,}",
                                        "{,}",
                                        "{a:1}",
                                        "{1:1}",
                                        "{\"a\" 1}",
                                        "{\"a\":}",
                                        "{\"a\":1 \"b\":2}",
                                        "[1}",
                                        "{\"a\":1]",
                                        "'x'",
                                        "\"x",
                                        "\"",
                                        "\"\\",
                                        "\"\\u00",
                                        "tru",
                                        "truE",
                                        "nul",
                                        "falsey",
                                        "nulll",
                                        "True",
                                        "undefined",
                                        ":",
                                        ",",
                                        "/* */1",
                                        "\"a\nb\"",
                                        "\"a\tb\"",
                                        "\"\x1f\"",
                                        "\"\\ud83d",
                                        "\"\\ud83d\\",
                                        "\\",
                                        "\"\\ud83d\\ude",
                                        "\v1"};

    (void)state;
    assert_all(texts, COUNT(texts), JSON_BAD);
}

static void the_rules_for_numbers_and_strings_hold_everywhere(void **state)
{
    static const struct document documents[] = {
        {"[-0, 1.10, 1e400, 9007199254740993, -9223372036854775808]", JSON_OK},
        {"18446744073709551616", JSON_OK},
        {"01", JSON_BAD},
        {"[01]", JSON_BAD},
        {"NaN", JSON_BAD},
        {"{\"a\":NaN}", JSON_BAD},
        {"+1", JSON_BAD},
        {"{\"a\":1.}", JSON_BAD},
        {"{\"\xe0\xa4\xa8\xe0\xa4\xbe\xe0\xa4\xae\":1}", JSON_OK},
        {"{\"\xff\":1}", JSON_BAD_ENCODING},
        {"[\"\xc0\xaf\"]", JSON_BAD_ENCODING},
        {"\xff", JSON_BAD_ENCODING},
        {"[1,\xff]", JSON_BAD_ENCODING},
        {"{\xff}", JSON_BAD_ENCODING},
        {"{}\xff", JSON_BAD_ENCODING},
        {"1\xff", JSON_BAD_ENCODING},
        {"{\"\\ud800\":1}", JSON_BAD_ESCAPE},
        {"{\"a\":{\"b\":\"\\ud800\"}}", JSON_BAD_ESCAPE},
        {"[\"\\x\"]", JSON_BAD_ESCAPE},
    };

    (void)state;
    assert_problems(documents, COUNT(documents));
}

static void a_byte_order_mark_is_no_white_space(void **state)
{
    (void)state;
    assert_int_equal(scan_bytes("\xef\xbb\xbf{}", 5), JSON_BAD);
    assert_int_equal(scan_bytes("\xff\xfe{\0}\0", 6), JSON_BAD_ENCODING);
}

static void nothing_may_follow_the_value(void **state)
{
    static const char *const texts[] = {"{}{}",       "{} {}", "[]]", "{}}", "1 2", "null null",
                                        "\"a\"\"b\"", "{}x",   "1{}", "1,",  "[1],"};

    (void)state;
    assert_all(texts, COUNT(texts), JSON_TRAILING_TEXT);
}

static void a_key_stands_once_in_its_object(void **state)
{
    static const struct document documents[] = {
        {"{\"a\":1,\"a\":2}", JSON_DUPLICATE_KEY},
        {"{\"\":1,\"\":2}", JSON_DUPLICATE_KEY},
        {"{\"a\":1,\"b\":2,\"a\":3}", JSON_DUPLICATE_KEY},
        {"{\"a\":1,\"\\u0061\":2}", JSON_DUPLICATE_KEY},
        {"{\"\\u0061\":1,\"a\":2}", JSON_DUPLICATE_KEY},
        {"{\"\\u0061b\":1,\"a\\u0062\":2}", JSON_DUPLICATE_KEY},
        {"{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\ude00\":2}", JSON_DUPLICATE_KEY},
        {"{\"/\":1,\"\\/\":2}", JSON_DUPLICATE_KEY},
        {"[[{\"x\":[{\"a\":1,\"a\":1}]}]]", JSON_DUPLICATE_KEY},
        {"{\"a\":{\"b\":1},\"a\":1}", JSON_DUPLICATE_KEY},
        {"{\"a\":1,\"A\":2}", JSON_OK},
        {"{\"a\":{\"a\":{\"a\":1}}}", JSON_OK},
        {"[{\"a\":1},{\"a\":1}]", JSON_OK},
        {"{\"a\":{\"b\":1},\"c\":{\"b\":1}}", JSON_OK},
        {"{\"a\":{\"\\u0062\":1},\"c\":{\"\\u0062\":1},\"\\u0062\":1}", JSON_OK},
        {"{\"a\":\"a\"}", JSON_OK},
        /* U+00E9 and e with U+0301 look alike and are two keys */
        {"{\"\xc3\xa9\":1,\"e\xcc\x81\":2}", JSON_OK},
    };

    (void)state;
    assert_problems(documents, COUNT(documents));
}

static void no_nul_gets_through(void **state)
{
    static const char *const escaped[] = {"\"\\u0000\"", "{\"\\u0000\":1}",
                                          "{\"a\":[\"x\\u0000y\"]}", "\"\\u00000\""};
    static const struct {
        const char *text;
        size_t length;
    } raw[] = {
        {"\0", 1},          {"\"a\0b\"", 5}, {"{\0}", 3},        {"[1\0]", 4},
        {"1\0", 2},         {"true\0", 5},   {"{}\0", 3},        {"\"\\\0\"", 4},
        {"-\0", 2},         {"1.\0", 3},     {"1e\0", 3},        {"tr\0e", 4},
        {"\"\\u00\0\"", 7}, {"{\"a\"\0", 5}, {"{\"a\":1,\0", 8}, {"{\"a\0b\":1}", 9},
        {"12345678\0", 9},
    };

    (void)state;
    assert_all(escaped, COUNT(escaped), JSON_NUL_CHARACTER);
    for (size_t i = 0; i < COUNT(raw); i++) {
        if (scan_bytes(raw[i].text, raw[i].length) != JSON_NUL_CHARACTER) {
            fail_msg("raw NUL number %zu", i);
        }
    }
}

static void the_first_problem_is_told(void **state)
{
    static const struct document documents[] = {
        {"{\"a\":1,\"a\":\"\xff\"}", JSON_DUPLICATE_KEY},
        {"{\"a\":\"\xff\",\"a\":1}", JSON_BAD_ENCODING},
        {"[\"\\q\",\"\\u0000\"]", JSON_BAD_ESCAPE},
        {"[\"\\u0000\",\"\\q\"]", JSON_NUL_CHARACTER},
        {"[1,,\"\xff\"]", JSON_BAD},
        {"{} \"\xff\"", JSON_TRAILING_TEXT},
        {"{\"a\":1,\"a\"", JSON_DUPLICATE_KEY},
    };

    (void)state;
    assert_problems(documents, COUNT(documents));
}

/* So many opening texts, the middle, so many closing ones. */
static enum json_problem scan_nested(size_t depth, const char *opening, const char *middle,
                                     const char *closing)
{
    struct str text;
    enum json_problem problem;

    str_init(&text);
    for (size_t i = 0; i < depth; i++) {
        str_add_text(&text, opening);
    }
    str_add_text(&text, middle);
    for (size_t i = 0; i < depth; i++) {
        str_add_text(&text, closing);
    }
    problem = scan_bytes(text.text, text.length);
    str_release(&text);
    return problem;
}

static void depth_ends_at_a_thousand(void **state)
{
    (void)state;
    assert_int_equal(scan_nested(1000, "[", "", "]"), JSON_OK);
    assert_int_equal(scan_nested(1001, "[", "", "]"), JSON_BAD);
    assert_int_equal(scan_nested(1000, "{\"a\":", "1", "}"), JSON_OK);
    assert_int_equal(scan_nested(1001, "{\"a\":", "1", "}"), JSON_BAD);
    assert_int_equal(scan_nested(500, "[{\"a\":", "1", "}]"), JSON_OK);
    assert_int_equal(scan_nested(1000000, "[", "", ""), JSON_BAD);
    assert_int_equal(scan_nested(500, "[[", "{\"a\":1,\"a\":2}", "]]"), JSON_BAD);
    assert_int_equal(scan_nested(499, "[[", "{\"a\":1,\"a\":2}", "]]"), JSON_DUPLICATE_KEY);
}

static void a_document_cut_anywhere_is_refused(void **state)
{
    static const char text[] =
        "{\"key\\u00e9\":[1.5e+3,true,false,null,\"\xc3\xa9\\ud83d\\ude00\"],"
        "\"other key, longer\":{\"a\":\"plain text\",\"b\":-0.1}}";

    (void)state;
    assert_int_equal(scan_bytes(text, sizeof(text) - 1), JSON_OK);
    for (size_t length = 0; length < sizeof(text) - 1; length++) {
        assert_int_not_equal(scan_bytes(text, length), JSON_OK);
    }
}

static void a_hundred_megabytes_are_one_document(void **state)
{
    size_t length = 100 * 1000 * 1000;
    char *text = mem_resize(NULL, length);

    (void)state;
    memset(text, 'x', length);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + length - 2, "\"}", 2);
    assert_int_equal(json_scan(plan, text, length, none), JSON_OK);
    text[length - 2] = '\0';
    assert_int_equal(json_scan(plan, text, length, none), JSON_NUL_CHARACTER);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_may_be_of_any_type),
        cmocka_unit_test(text_that_is_no_json_is_refused),
        cmocka_unit_test(the_rules_for_numbers_and_strings_hold_everywhere),
        cmocka_unit_test(a_byte_order_mark_is_no_white_space),
        cmocka_unit_test(nothing_may_follow_the_value),
        cmocka_unit_test(a_key_stands_once_in_its_object),
        cmocka_unit_test(no_nul_gets_through),
        cmocka_unit_test(the_first_problem_is_told),
        cmocka_unit_test(depth_ends_at_a_thousand),
        cmocka_unit_test(a_document_cut_anywhere_is_refused),
        cmocka_unit_test(a_hundred_megabytes_are_one_document),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

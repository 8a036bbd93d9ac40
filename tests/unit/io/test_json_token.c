/* SPDX-License-Identifier: MIT
 *
 * The rules for numbers, words and strings. Each text lies at the end of memory
 * of its own, so that the sanitizers see a read past it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/json_token.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Checks one token: a string where it begins with a quote, true where with a "t", else a number. */
static enum json_problem check(const char *text, size_t length, size_t *used)
{
    char *copy = mem_resize(NULL, length);
    const char *at = copy;
    enum json_problem problem;
    bool has_escape;

    memcpy(copy, text, length);
    if (*at == '"') {
        at++;
        problem = json_token_string(&at, copy + length, &has_escape);
        if (problem == JSON_OK) {
            assert_int_equal(has_escape, memchr(text, '\\', (size_t)(at - copy)) != NULL);
        }
    } else if (*at == 't') {
        problem = json_token_word(&at, copy + length, "true");
    } else {
        problem = json_token_number(&at, copy + length);
    }
    *used = (size_t)(at - copy);
    free(copy);
    return problem;
}

static void assert_all(const char *const *texts, size_t count, enum json_problem expected)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(texts[i]);
        size_t used;
        enum json_problem problem = check(texts[i], length, &used);

        if (problem != expected || (problem == JSON_OK && used != length)) {
            fail_msg("%s: problem %d, not %d", texts[i], (int)problem, (int)expected);
        }
    }
}

static void a_number_keeps_to_the_grammar(void **state)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "1",
                                       "-1",
                                       "10",
                                       "1.10",
                                       "0.5",
                                       "1e5",
                                       "1E5",
                                       "1e+5",
                                       "1e-5",
                                       "1e400",
                                       "-0.0e-0",
                                       "9007199254740993",
                                       "-9223372036854775808",
                                       "18446744073709551616"};
    static const char *const wrong[] = {"01",  "-01",  "+1",       "1.",        ".5",    "-",
                                        "1e",  "1e+",  "1.e5",     "0x10",      "1.5.2", "NaN",
                                        "nan", "-NaN", "Infinity", "-Infinity", "1_000", "1a",
                                        "--1", "1-2",  "1e5.5",    "0-",        "-a"};

    (void)state;
    assert_all(good, COUNT(good), JSON_OK);
    assert_all(wrong, COUNT(wrong), JSON_BAD);
}

static void only_utf8_is_text(void **state)
{
    static const char *const good[] = {"\"\x7f\"",
                                       "\"\xc2\x80\"",
                                       "\"\xdf\xbf\"",
                                       "\"\xe0\xa0\x80\"",
                                       "\"\xed\x9f\xbf\"",
                                       "\"\xee\x80\x80\"",
                                       "\"\xef\xbf\xbf\"",
                                       "\"\xf0\x90\x80\x80\"",
                                       "\"\xf4\x8f\xbf\xbf\"",
                                       "\"e\xcc\x81\"",

                                       "\"plain then \xc3\xa9 and plain again\""};
    static const char *const wrong[] = {"\"\x80\"",
                                        "\"\xbf\"",
                                        "\"\xc0\x80\"",
                                        "\"\xc1\xbf\"",
                                        "\"\xc2\"",
                                        "\"\xc2",
                                        "\"\xc2\x41\"",
                                        "\"\xe0\x80\x80\"",
                                        "\"\xe0\x9f\xbf\"",
                                        "\"\xed\xa0\x80\"",
                                        "\"\xed\xbf\xbf\"",
                                        "\"\xe2\x82\"",
                                        "\"\xe2\x82",
                                        "\"\xe2\x82\x28\"",
                                        "\"\xf0\x8f\xbf\xbf\"",
                                        "\"\xf0\x9f\x98\"",
                                        "\"\xf0\x9f\x98",
                                        "\"\xf4\x90\x80\x80\"",
                                        "\"\xf5\x80\x80\x80\"",
                                        "\"\xff\"",
                                        "\"\xf0\x9f\x98\x28\"",
                                        "\"\xf0\x9f\x28\x80\"",

                                        "\"\\\xff\"",
                                        "\"1234567\xff\"",
                                        "\"\xc3\xa9\xff\"",
                                        "\"12345678901\xe9\"",

                                        "1\xff"};

    (void)state;
    assert_all(good, COUNT(good), JSON_OK);
    assert_all(wrong, COUNT(wrong), JSON_BAD_ENCODING);
}

static void only_known_escapes_are_taken(void **state)
{
    static const char *const good[] = {"\"\\uFFFF\"",        "\"\\uabCD\"", "\"\\ud83d\\ude00\"",
                                       "\"\\uDBFF\\uDFFF\"", "\"\\u0001\"", "\"\\\\u0000\""};
    static const char *const wrong[] = {"\"\\x41\"",
                                        "\"\\a\"",
                                        "\"\\'\"",
                                        "\"\\U0041\"",
                                        "\"\\u004g\"",
                                        "\"\\u00\"",
                                        "\"\\u\"",
                                        "\"\\ud800\"",
                                        "\"\\udc00\"",
                                        "\"\\ud800\\ud800\"",
                                        "\"\\ud800x\"",
                                        "\"\\ud800\\n\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\ud800\\ue000\"",
                                        "\"\\udfff\\ud800\"",

                                        "\"\\0\"",
                                        "\"\\ud800\\u00g0\"",
                                        "\"\\ \"",
                                        "\"\\N\""};

    (void)state;
    assert_all(good, COUNT(good), JSON_OK);
    assert_all(wrong, COUNT(wrong), JSON_BAD_ESCAPE);
}

static void every_stop_in_a_string_is_seen_at_every_place(void **state)
{
    char text[40];
    size_t used;
    bool is_good;

    (void)state;
    for (size_t place = 1; place < 38; place++) {
        for (int byte = 0; byte < 256; byte++) {
            bool is_plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

            memset(text, 'a', sizeof(text));
            text[0] = text[39] = '"';
            text[place] = (char)byte;
            is_good = check(text, sizeof(text), &used) == JSON_OK;
            assert_int_equal(is_good, is_plain || byte == '"');
            assert_true(!is_good || used == (byte == '"' ? place + 1 : sizeof(text)));
        }
    }
}

static void a_token_ends_where_its_value_ends(void **state)
{
    static const struct {
        const char *text;
        size_t used;
    } tokens[] = {
        {"1,2", 1},   {"-10.5e1]", 7}, {"0}", 1},     {"5 ", 1},          {"1:", 1},
        {"true,", 4}, {"true\n", 4},   {"\"a\"b", 3}, {"\"\\\"\" \"", 4}, {"\"\"", 2},
    };
    size_t used;

    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        assert_int_equal(check(tokens[i].text, strlen(tokens[i].text), &used), JSON_OK);
        assert_int_equal(used, tokens[i].used);
    }
}

static void a_word_is_spelled_out(void **state)
{
    static const char *const wrong[] = {"t", "tru", "trUe", "truex", "true1", "true.", "true-"};

    (void)state;
    assert_all(wrong, COUNT(wrong), JSON_BAD);
}

static void a_nul_is_told_wherever_it_stands(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } tokens[] = {{"\"a\0b\"", 5},    {"\"\\\0\"", 4},       {"\"\\u00\0\"", 7},
                  {"-\0", 2},         {"1.\0", 3},           {"1e\0", 3},
                  {"1e+\0", 4},       {"tr\0e", 4},          {"\"12345678\0\"", 11},
                  {"\"\\u0000\"", 8}, {"\"a\\u00000\"", 10}, {"\"\\ud83d\\u0\0\"", 12}};
    size_t used;

    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        assert_int_equal(check(tokens[i].text, tokens[i].length, &used), JSON_NUL_CHARACTER);
    }
}

static void an_unexpected_byte_is_called_by_what_it_is(void **state)
{
    static const char text[] = "x\xff\xc3\xa9\0";

    (void)state;
    assert_int_equal(json_token_refuse(text, text + 5, JSON_TRAILING_TEXT), JSON_TRAILING_TEXT);
    assert_int_equal(json_token_refuse(text + 1, text + 5, JSON_BAD), JSON_BAD_ENCODING);
    assert_int_equal(json_token_refuse(text + 2, text + 5, JSON_BAD_ESCAPE), JSON_BAD_ESCAPE);
    assert_int_equal(json_token_refuse(text + 2, text + 3, JSON_BAD_ESCAPE), JSON_BAD_ENCODING);
    assert_int_equal(json_token_refuse(text + 4, text + 5, JSON_BAD), JSON_NUL_CHARACTER);
    assert_int_equal(json_token_refuse(text + 5, text + 5, JSON_BAD_ESCAPE), JSON_BAD);
}

static void a_string_that_is_cut_has_no_end(void **state)
{
    static const char *const cut[] = {"\"",    "\"x",     "\"12345678", "\"\\",
                                      "\"\\u", "\"\\u00", "\"\\ud83d",  "\"\\ud83d\\ude0"};

    (void)state;
    assert_all(cut, COUNT(cut), JSON_BAD);
}

static void a_value_is_passed_whole(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } values[] = {{"1,2", 1},
                  {"true]", 4},
                  {"null", 4},
                  {"-1.5e3 ,", 6},
                  {"\"a\\\"]}\",1", 7},
                  {"[1,[2,\"]\"],{}],3", 14},
                  {"{\"}\":{\"a\":[]},\"b\":\"\\\\\"}}", 23},
                  {"[]]", 2},
                  {"{}", 2},
                  {"false\r", 5},
                  {"1\t", 1},
                  {"1}", 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        const char *text = values[i].text;

        assert_int_equal(json_token_pass(text, text + strlen(text)) - text, values[i].length);
    }
}

static void a_decoded_text_is_added(void **state)
{
    static const char text[] = "a\\n\\u00e9\\ud83d\\ude00\\\\\\/\\\"\\b\\f\\r\\t\xc3\xa9";
    struct str to;

    (void)state;
    str_init(&to);
    str_add_text(&to, "before ");
    json_token_decode(text, sizeof(text) - 1, &to);
    assert_string_equal(to.text, "before a\n\xc3\xa9\xf0\x9f\x98\x80\\/\"\b\f\r\t\xc3\xa9");
    assert_int_equal(to.length, strlen(to.text));
    json_token_decode("", 0, &to);
    assert_int_equal(to.length, strlen(to.text));
    str_release(&to);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_keeps_to_the_grammar),
        cmocka_unit_test(only_utf8_is_text),
        cmocka_unit_test(only_known_escapes_are_taken),
        cmocka_unit_test(every_stop_in_a_string_is_seen_at_every_place),
        cmocka_unit_test(a_token_ends_where_its_value_ends),
        cmocka_unit_test(a_word_is_spelled_out),
        cmocka_unit_test(a_nul_is_told_wherever_it_stands),
        cmocka_unit_test(a_string_that_is_cut_has_no_end),
        cmocka_unit_test(an_unexpected_byte_is_called_by_what_it_is),
        cmocka_unit_test(a_value_is_passed_whole),
        cmocka_unit_test(a_decoded_text_is_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

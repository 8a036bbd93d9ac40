/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "child.h"

static void a_new_string_is_empty_text(void **state)
{
    struct str str;

    (void)state;
    str_init(&str);
    assert_string_equal(str.text, "");
    assert_int_equal(str.length, 0);
    str_clear(&str);
    assert_string_equal(str.text, "");
    str_release(&str);
}

static void a_zeroed_string_can_be_added_to(void **state)
{
    struct str str = {0};

    (void)state;
    str_add_text(&str, "abc");
    assert_string_equal(str.text, "abc");
    str_release(&str);
}

static void text_bytes_and_characters_are_added_in_order(void **state)
{
    struct str str;

    (void)state;
    str_init(&str);
    str_add_text(&str, "ab");
    str_add_char(&str, 'c');
    str_add(&str, "d\0e", 3);
    str_add(&str, NULL, 0);
    str_add_format(&str, "%d-%s", 12, "x");
    assert_int_equal(str.length, 10);
    assert_memory_equal(str.text, "abcd\0e12-x", 11);
    str_release(&str);
}

static void clearing_keeps_the_memory(void **state)
{
    struct str str;

    (void)state;
    str_init(&str);
    str_add_text(&str, "something");
    size_t capacity = str.capacity;
    str_clear(&str);
    assert_string_equal(str.text, "");
    assert_int_equal(str.length, 0);
    assert_int_equal(str.capacity, capacity);
    str_release(&str);
}

static void releasing_twice_does_no_harm(void **state)
{
    struct str str;

    (void)state;
    str_init(&str);
    str_add_text(&str, "something");
    str_release(&str);
    str_release(&str);
    assert_string_equal(str.text, "");
    assert_int_equal(str.capacity, 0);
}

static void reserved_room_may_be_written_by_the_caller(void **state)
{
    struct str str;

    (void)state;
    str_init(&str);
    str_add_text(&str, "x");
    str_reserve(&str, 100000);
    memset(str.text + str.length, 'y', 100000);
    str.length += 100000;
    str.text[str.length] = '\0';
    str_add_char(&str, 'z');
    assert_int_equal(strlen(str.text), 100002);
    str_release(&str);
}

static void room_that_is_there_is_not_asked_for_again(void **state)
{
    struct str str;

    (void)state;
    str_init(&str);
    str_reserve(&str, 1000);
    size_t capacity = str.capacity;
    for (int i = 0; i < 1000; i++)
        str_add_char(&str, 'x');
    assert_int_equal(str.capacity, capacity);
    str_release(&str);
}

static int reserve_everything(const void *data)
{
    struct str str;

    (void)data;
    str_init(&str);
    str_add_text(&str, "x");
    str_reserve(&str, SIZE_MAX - 1);
    return 0;
}

static int format_the_impossible(const void *data)
{
    struct str str;

    (void)data;
    str_init(&str);
    str_add_format(&str, "%ls", L"\u00e9"); /* which the C locale cannot spell */
    return 0;
}

static void what_no_string_can_hold_is_a_bug(void **state)
{
    struct child child;

    (void)state;
    child_run(reserve_everything, NULL, &child);
    assert_non_null(strstr(child.err, "mistake in the program"));
    child_run(format_the_impossible, NULL, &child);
    assert_non_null(strstr(child.err, "mistake in the program"));
}

static void json_is(const char *text, size_t length, const char *expected)
{
    struct str str;

    str_init(&str);
    str_add_json(&str, text, length);
    assert_string_equal(str.text, expected);
    str_release(&str);
}

static void json_keeps_plain_ascii(void **state)
{
    (void)state;
    json_is("", 0, "\"\"");
    json_is("a b/{}~", 7, "\"a b/{}~\"");
}

static void json_escapes_quotes_and_controls(void **state)
{
    (void)state;
    json_is("\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    json_is("\x01\x1f\x7f", 3, "\"\\u0001\\u001f\\u007f\"");
    json_is("a\0b", 3, "\"a\\u0000b\"");
}

static void json_writes_what_is_beyond_ascii_as_escapes(void **state)
{
    (void)state;
    json_is("\xc3\xa9", 2, "\"\\u00e9\"");
    json_is("\xe2\x82\xac", 3, "\"\\u20ac\"");
    json_is("\xf0\x9f\x98\x80", 4, "\"\\ud83d\\ude00\"");
    json_is("\xf4\x8f\xbf\xbf", 4, "\"\\udbff\\udfff\"");
}

static void json_replaces_each_byte_that_is_not_utf8(void **state)
{
    (void)state;
    json_is("\xff", 1, "\"\\ufffd\"");                       /* no such byte */
    json_is("\x80", 1, "\"\\ufffd\"");                       /* a rest without beginning */
    json_is("\xc3", 1, "\"\\ufffd\"");                       /* a beginning without rest */
    json_is("\xc3x", 2, "\"\\ufffdx\"");                     /* the rest is another's */
    json_is("\xc0\xaf", 2, "\"\\ufffd\\ufffd\"");            /* overlong */
    json_is("\xe0\x80\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* overlong */
    json_is("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
    json_is("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* beyond all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_string_is_empty_text),
        cmocka_unit_test(a_zeroed_string_can_be_added_to),
        cmocka_unit_test(text_bytes_and_characters_are_added_in_order),
        cmocka_unit_test(clearing_keeps_the_memory),
        cmocka_unit_test(releasing_twice_does_no_harm),
        cmocka_unit_test(reserved_room_may_be_written_by_the_caller),
        cmocka_unit_test(room_that_is_there_is_not_asked_for_again),
        cmocka_unit_test(what_no_string_can_hold_is_a_bug),
        cmocka_unit_test(json_keeps_plain_ascii),
        cmocka_unit_test(json_escapes_quotes_and_controls),
        cmocka_unit_test(json_writes_what_is_beyond_ascii_as_escapes),
        cmocka_unit_test(json_replaces_each_byte_that_is_not_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

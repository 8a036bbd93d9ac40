/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/utf8.h"

/* As many bytes as length of this character are one, and none of what is shorter. */
static void assert_character(const char *text, size_t length)
{
    assert_int_equal(utf8_length(text, text + strlen(text)), length);
    for (size_t i = 1; i < length; i++) {
        assert_int_equal(utf8_length(text, text + i), 0);
    }
}

static void the_first_and_last_character_of_each_length_are_such(void **state)
{
    (void)state;
    assert_character("\x01", 1);
    assert_character("\x7f", 1);
    assert_character("\xc2\x80", 2);
    assert_character("\xdf\xbf", 2);
    assert_character("\xe0\xa0\x80", 3);
    assert_character("\xed\x9f\xbf", 3);
    assert_character("\xee\x80\x80", 3);
    assert_character("\xef\xbf\xbf", 3);
    assert_character("\xf0\x90\x80\x80", 4);
    assert_character("\xf4\x8f\xbf\xbf", 4);
    assert_int_equal(utf8_length("", "" + 1), 1);
}

static void what_is_no_character_has_no_length(void **state)
{
    static const char *const wrong[] = {
        "\x80", /* begins in the middle */
        "\xbf\x80",
        "\xc0\x80", /* overlong */
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3(", /* goes on wrongly */
        "\xc3\xc3",
        "\xe2(\xa1",
        "\xe2\x82(",
        "\xe2\x82\xc0",
        "\xf0(\x8c\xbc",
        "\xf0\x90(\xbc",
        "\xf0\x90\x8c(",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(utf8_length(wrong[i], wrong[i] + strlen(wrong[i])), 0);
    }
}

/* Wherever in a text, and however long the text is. */
static void assert_ends_at(const char *wrong, size_t length)
{
    char text[40];

    for (size_t size = length; size <= sizeof(text); size++) {
        for (size_t at = 0; at + length <= size; at++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + at, wrong, length);
            assert_int_equal(utf8_text_end(text, text + size) - text, at);
        }
    }
}

static void a_text_ends_at_the_first_byte_that_is_none(void **state)
{
    (void)state;
    assert_ends_at("\0", 1);
    assert_ends_at("\xff", 1);
    assert_ends_at("\xc3(", 2);
    assert_ends_at("\0\xff", 2);
    assert_ends_at("\xff\0", 2);
    assert_ends_at("\xed\xa0\x80", 3);
}

static void a_text_of_whole_characters_has_no_such_byte(void **state)
{
    static const char *const characters[] = {"\x7f", "\xc3\xa9", "\xe2\x82\xac",
                                             "\xf0\x9f\x98\x80"};
    char text[40] = "";

    (void)state;
    assert_ptr_equal(utf8_text_end(text, text), text);
    for (size_t i = 0; i < 4; i++) {
        size_t length = strlen(characters[i]);

        for (size_t at = 0; at + 2 * length <= sizeof(text); at++) {
            memset(text, 1, sizeof(text));
            memcpy(text + at, characters[i], length);
            memcpy(text + at + length, characters[i], length);
            assert_ptr_equal(utf8_text_end(text, text + sizeof(text)), text + sizeof(text));
            if (length > 1) {
                /* cut at the end of the text */
                assert_int_equal(utf8_text_end(text, text + at + 2 * length - 1) - text,
                                 at + length);
            }
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_and_last_character_of_each_length_are_such),
        cmocka_unit_test(what_is_no_character_has_no_length),
        cmocka_unit_test(a_text_ends_at_the_first_byte_that_is_none),
        cmocka_unit_test(a_text_of_whole_characters_has_no_such_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "etl/opaque_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct part part_of(const char *text)
{
    return (struct part){text, strlen(text)};
}

static void a_part_is_made_of_letters_digits_and_what_else_is_allowed(void **state)
{
    (void)state;
    assert_true(part_is_of(part_of("aZ09_"), ""));
    assert_true(part_is_of(part_of("a-b"), "-"));
    assert_false(part_is_of(part_of("a-b"), "."));
    assert_false(part_is_of(part_of(""), "-"));
    assert_true(part_is_of(part_of("\xe0\xa4\x85\xf0\xa0\x80\x80\xc2\xb2"), ""));
    assert_false(part_is_of(part_of("\xcc\x81"), ""));
    assert_false(part_is_of(part_of("\xf3\xa0\x84\x80"), ""));
    assert_false(part_is_of((struct part){"a\0b", 3}, "."));
    part_is_of((struct part){"\xf0\x9f\x98\x80", 2}, ""); /* looks no further than its length */
}

static void parts_are_cut_at_each_separator(void **state)
{
    struct part parts[PARTS_MAX];
    (void)state;
    assert_int_equal(part_split(part_of("a++b"), '+', parts), 3);
    assert_true(part_is_same(parts[2], part_of("b")));
    assert_int_equal(parts[1].length, 0);
    assert_int_equal(part_split(part_of("1+2+3+4+5+6+7+8+9"), '+', parts), 9);
    assert_int_equal(part_split(part_of("1+2+3+4+5+6+7+8+9+10"), '+', parts), 0);
}

static void a_part_begins_with_a_prefix_and_goes_on_after_it(void **state)
{
    (void)state;
    assert_true(part_begins(part_of("type@x"), "type@"));
    assert_false(part_begins(part_of("typ"), "type@"));
    assert_true(part_is_same(part_after(part_of("type@x"), 5), part_of("x")));
}

static void an_escaped_key_comes_back_as_it_was(void **state)
{
    struct str text, scratch, key;
    struct part rest;
    (void)state;
    str_init(&text);
    str_init(&scratch);
    str_init(&key);
    str_add_text(&text, "head a:b$c");
    part_escape(&text, 5, &scratch);
    assert_string_equal(text.text, "head a$:b$$c");
    str_add_text(&text, "::as");
    assert_true(part_unescape(part_after(part_of(text.text), 5), &key, &rest));
    assert_string_equal(key.text, "a:b$c");
    assert_true(part_is_same(rest, part_of("as")));
    str_release(&text);
    str_release(&scratch);
    str_release(&key);
}

static void the_last_pair_of_colons_ends_a_plain_key(void **state)
{
    struct str key;
    struct part rest;
    (void)state;
    str_init(&key);
    assert_true(part_cut_last(part_of("a::b::c"), &key, &rest));
    assert_string_equal(key.text, "a::b");
    assert_true(part_is_same(rest, part_of("c")));
    assert_false(part_cut_last(part_of("a:b"), &key, &rest));
    str_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_made_of_letters_digits_and_what_else_is_allowed),
        cmocka_unit_test(parts_are_cut_at_each_separator),
        cmocka_unit_test(a_part_begins_with_a_prefix_and_goes_on_after_it),
        cmocka_unit_test(an_escaped_key_comes_back_as_it_was),
        cmocka_unit_test(the_last_pair_of_colons_ends_a_plain_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

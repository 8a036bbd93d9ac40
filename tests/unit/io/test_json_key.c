/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/json.h"
#include "io/json_key.h"

static struct json_keys keys;

static int set_up(void **state)
{
    (void)state;
    json_keys_init(&keys);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_keys_release(&keys);
    return 0;
}

static bool add(size_t first, const char *text)
{
    struct json_key key;

    return json_keys_add(&keys, first, text, strlen(text), strchr(text, '\\') != NULL, &key);
}

/* Scans an object of so many keys made from format, with one more in the end. */
static enum json_problem scan_object(size_t count, const char *format, const char *last)
{
    struct json_plan *plan = json_plan_new(NULL, 0);
    struct json_value none[1];
    enum json_problem problem;
    struct str text;

    str_init(&text);
    for (size_t i = 0; i < count; i++) {
        char number[24];

        snprintf(number, sizeof(number), "%08zu", i);
        str_add_text(&text, i == 0 ? "{\"" : ",\"");
        str_add(&text, format, strcspn(format, "#"));
        str_add_text(&text, number);
        str_add_text(&text, format + strcspn(format, "#") + 1);
        str_add_text(&text, "\":1");
    }
    str_add_text(&text, ",\"");
    str_add_text(&text, last);
    str_add_text(&text, "\":1}");
    problem = json_scan(plan, text.text, text.length, none);
    str_release(&text);
    json_plan_free(plan);
    return problem;
}

static void a_key_comes_back_decoded(void **state)
{
    struct json_key key;

    (void)state;
    assert_true(json_keys_add(&keys, 0, "name", 4, false, &key));
    assert_int_equal(key.length, 4);
    assert_string_equal(key.text, "name");
    assert_true(json_keys_add(&keys, 0, "caf\\u00e9", 9, true, &key));
    assert_int_equal(key.length, 5);
    assert_memory_equal(key.text, "caf\xc3\xa9", 5);
    assert_true(key.tag == json_key_tag("caf\xc3\xa9", 5));
}

static void texts_that_differ_have_other_tags(void **state)
{
    static const char *const texts[] = {"",         "a",        "b",         "ab",       "ba",
                                        "aab",      "aba",      "abcd",      "abdc",     "abcde",
                                        "abcd5678", "abcd5679", "abcd5678x", "xbcd5678x"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof *texts; i++) {
        for (size_t j = 0; j < sizeof(texts) / sizeof *texts; j++) {
            assert_int_equal(json_key_tag(texts[i], strlen(texts[i])) ==
                                 json_key_tag(texts[j], strlen(texts[j])),
                             i == j);
        }
    }
}

static void equal_tags_do_not_make_equal_keys(void **state)
{
    /* begin and end alike, and are of one length */
    static const char one[] = "question-A-question";
    static const char other[] = "question-B-question";

    (void)state;
    assert_true(json_key_tag(one, sizeof(one) - 1) == json_key_tag(other, sizeof(other) - 1));
    assert_true(add(0, one));
    assert_true(add(0, other));
    assert_false(add(0, one));
}

static void few_keys_and_many_are_told_apart_alike(void **state)
{
    (void)state;
    for (size_t count = 1; count < 200; count++) {
        char last[32];

        assert_int_equal(scan_object(count, "key#", "key"), JSON_OK);
        assert_int_equal(scan_object(count, "key#", "key00000000"), JSON_DUPLICATE_KEY);
        snprintf(last, sizeof(last), "key%08zu", count - 1);
        assert_int_equal(scan_object(count, "key#", last), JSON_DUPLICATE_KEY);
        assert_int_equal(scan_object(count, "\\u006bey#", last), JSON_DUPLICATE_KEY);
    }
}

static void hundreds_of_thousands_of_keys_are_no_trouble(void **state)
{
    (void)state;
    assert_int_equal(scan_object(200000, "the same beginning # and the same end", "x"), JSON_OK);
    assert_int_equal(scan_object(200000, "#", "00000000"), JSON_DUPLICATE_KEY);
    assert_int_equal(scan_object(20000, "\\u0041#", "A00019999"), JSON_DUPLICATE_KEY);
}

static void large_objects_lie_within_each_other(void **state)
{
    char texts[300][16];
    size_t outer = json_keys_open(&keys);
    size_t inner;

    (void)state;
    for (int i = 0; i < 300; i++) {
        snprintf(texts[i], sizeof(texts[i]), "k%d", i);
    }
    for (int i = 0; i < 100; i++) {
        assert_true(add(outer, texts[i]));
    }
    for (int round = 0; round < 3; round++) {
        inner = json_keys_open(&keys);
        for (int i = 0; i < 300; i++) {
            assert_true(add(inner, texts[i]));
        }
        assert_false(add(inner, texts[299]));
        json_keys_close(&keys, inner);
    }
    for (int i = 100; i < 300; i++) {
        assert_true(add(outer, texts[i]));
    }
    assert_false(add(outer, texts[0]));
    json_keys_close(&keys, outer);
    assert_true(add(json_keys_open(&keys), texts[0]));
}

static void closing_leaves_no_decoded_text(void **state)
{
    size_t outer = json_keys_open(&keys);
    size_t inner;

    (void)state;
    assert_true(add(outer, "\\u0061"));
    inner = json_keys_open(&keys);
    assert_true(add(inner, "\\u0061"));
    assert_true(add(inner, "b"));
    assert_false(add(inner, "a"));
    json_keys_close(&keys, inner);
    assert_int_equal(keys.decoded.length, 1);
    assert_false(add(outer, "a"));
    json_keys_finish(&keys);
    assert_int_equal(keys.decoded.length, 0);
    assert_int_equal(keys.count, 0);
}

static void memory_of_an_unusual_document_is_given_back(void **state)
{
    static char texts[10000][16];
    char *long_key = calloc(1, 100001);

    (void)state;
    for (int i = 0; i < 10000; i++) {
        snprintf(texts[i], sizeof(texts[i]), "k%d", i);
        assert_true(add(0, texts[i]));
    }
    memset(long_key, 'a', 100000);
    memcpy(long_key, "\\n", 2);
    assert_true(add(0, long_key));
    assert_true(keys.slots_used == keys.count);
    json_keys_finish(&keys);
    assert_int_equal(keys.capacity, 0);
    assert_int_equal(keys.slot_count, 0);
    assert_int_equal(keys.slots_used, 0);
    assert_int_equal(keys.decoded.capacity, 0);
    for (int i = 0; i < 100; i++) {
        assert_true(add(0, texts[i]));
    }
    json_keys_finish(&keys);
    assert_int_not_equal(keys.capacity, 0);
    assert_int_not_equal(keys.slot_count, 0);
    free(long_key);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_comes_back_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_that_differ_have_other_tags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_tags_do_not_make_equal_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_keys_and_many_are_told_apart_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hundreds_of_thousands_of_keys_are_no_trouble, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(large_objects_lie_within_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_leaves_no_decoded_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_of_an_unusual_document_is_given_back, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

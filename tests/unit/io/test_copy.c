/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=db_copy_in,--wrap=db_copy_put,--wrap=db_copy_in_end */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "copy_wire.h"

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define HEADER_LENGTH ((size_t)19)
#define TRAILER "\377\377"

/* What was sent is the header, these bytes, the trailer. */
static void assert_sent(struct copy *copy, const char *bytes, size_t length)
{
    int64_t rows = 0;
    wire.counted = 1;
    assert_true(copy_end(copy, &rows, &err));
    copy_close(copy);
    assert_int_equal(rows, 1);
    assert_int_equal(wire.taken.length, HEADER_LENGTH + length + 2);
    assert_memory_equal(wire.taken.text, HEADER, HEADER_LENGTH);
    assert_memory_equal(wire.taken.text + HEADER_LENGTH, bytes, length);
    assert_memory_equal(wire.taken.text + HEADER_LENGTH + length, TRAILER, 2);
}

#define assert_sent_literal(copy, literal) assert_sent(copy, literal, sizeof literal - 1)

static struct copy *begin_row(int columns)
{
    struct copy *copy = copy_open(NULL, &in, NULL, &err);
    assert_non_null(copy);
    assert_true(copy_row(copy, columns, &err));
    return copy;
}

static void an_empty_copy_is_header_and_trailer(void **state)
{
    (void)state;
    assert_sent(copy_open(NULL, &in, NULL, &err), "", 0);
}

static void integers_are_eight_bytes(void **state)
{
    (void)state;
    struct copy *copy = begin_row(3);
    copy_int(copy, 258);
    copy_int(copy, -1);
    copy_null(copy);
    assert_sent_literal(copy, "\0\3"
                              "\0\0\0\10\0\0\0\0\0\0\1\2"
                              "\0\0\0\10\377\377\377\377\377\377\377\377"
                              "\377\377\377\377");
}

static void booleans_are_a_byte(void **state)
{
    (void)state;
    struct copy *copy = begin_row(2);
    copy_bool(copy, true);
    copy_bool(copy, false);
    assert_sent_literal(copy, "\0\2\0\0\0\1\1\0\0\0\1\0");
}

static void times_count_from_the_year_2000(void **state)
{
    (void)state;
    struct copy *copy = begin_row(3);
    copy_time(copy, INT64_C(946684800000001));
    copy_time(copy, INT64_C(946684799999999));
    copy_time(copy, CLOCK_BEGINNING);
    assert_sent_literal(copy, "\0\3"
                              "\0\0\0\10\0\0\0\0\0\0\0\1"
                              "\0\0\0\10\377\377\377\377\377\377\377\377"
                              "\0\0\0\10\200\0\0\0\0\0\0\0");
}

static void texts_and_bytes_are_taken_as_they_are(void **state)
{
    (void)state;
    struct copy *copy = begin_row(3);
    copy_text(copy, "\\N\t", 3);
    copy_bytes(copy, "\0\377", 2);
    copy_text(copy, "", 0);
    assert_sent_literal(copy, "\0\3\0\0\0\3\\N\t\0\0\0\2\0\377\0\0\0\0");
}

static void jsonb_has_a_version(void **state)
{
    (void)state;
    struct copy *copy = begin_row(1);
    copy_jsonb(copy, "{}", 2);
    assert_sent_literal(copy, "\0\1\0\0\0\3\1{}");
}

static void a_list_has_the_length_of_its_elements(void **state)
{
    (void)state;
    struct copy *copy = begin_row(2);
    copy_text_list(copy, 2);
    copy_text(copy, "a", 1);
    copy_text(copy, "bc", 2);
    copy_text(copy, "d", 1);
    assert_sent_literal(copy, "\0\2"
                              "\0\0\0\37\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\2\0\0\0\1"
                              "\0\0\0\1a\0\0\0\2bc"
                              "\0\0\0\1d");
}

static void an_empty_list_has_no_dimension(void **state)
{
    (void)state;
    struct copy *copy = begin_row(2);
    copy_text_list(copy, 0);
    copy_text(copy, "d", 1);
    assert_sent_literal(copy, "\0\2"
                              "\0\0\0\14\0\0\0\0\0\0\0\0\0\0\0\31"
                              "\0\0\0\1d");
}

static void a_row_taken_back_leaves_nothing(void **state)
{
    (void)state;
    struct copy *copy = begin_row(1);
    copy_text_list(copy, 3);
    copy_text(copy, "a", 1);
    copy_take_back(copy);
    copy_take_back(copy);
    assert_true(copy_row(copy, 1, &err));
    copy_text(copy, "b", 1);
    assert_sent_literal(copy, "\0\1\0\0\0\1b");
}

static void rows_are_sent_in_chunks(void **state)
{
    (void)state;
    struct copy *copy = copy_open(NULL, &in, NULL, &err);
    for (int i = 0; i < 100000; i++) {
        assert_true(copy_row(copy, 1, &err));
        copy_int(copy, i);
    }
    assert_in_range(wire.puts, 85, 100); /* 1.4 MB in chunks of 15 KiB */
    int64_t rows;
    assert_true(copy_end(copy, &rows, &err));
    assert_int_equal(wire.taken.length, HEADER_LENGTH + 100000 * 14 + 2);
    copy_close(copy);
}

static void a_long_value_is_sent_whole(void **state)
{
    (void)state;
    size_t length = 3 << 20;
    char *text = mem_alloc(length);
    memset(text, 'x', length);
    struct copy *copy = begin_row(1);
    copy_text(copy, text, length);
    assert_true(copy_row(copy, 1, &err)); /* sends it, and gives the memory back */
    copy_int(copy, 1);
    int64_t rows;
    assert_true(copy_end(copy, &rows, &err));
    assert_int_equal(wire.taken.length, HEADER_LENGTH + 6 + length + 14 + 2);
    assert_memory_equal(wire.taken.text + HEADER_LENGTH + 6, text, length);
    copy_close(copy);
    free(text);
}

static void a_connection_that_fails_fails_the_row(void **state)
{
    (void)state;
    wire.fail_from = 1;
    struct copy *copy = copy_open(NULL, &in, NULL, &err);
    while (copy_row(copy, 1, &err))
        copy_int(copy, 1);
    assert_string_equal(err.message, "put");
    assert_int_equal(wire.puts, 0);
    copy_close(copy);
}

static void a_copy_that_is_refused_is_not_opened(void **state)
{
    (void)state;
    wire.fail_in = true;
    assert_null(copy_open(NULL, &in, NULL, &err));
    assert_string_equal(err.message, "in");
    copy_close(NULL);
}

static void an_end_that_fails_says_so(void **state)
{
    (void)state;
    int64_t rows;
    wire.fail_in_end = true;
    struct copy *copy = begin_row(0);
    assert_false(copy_end(copy, &rows, &err));
    assert_string_equal(err.message, "in end");
    copy_close(copy);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(an_empty_copy_is_header_and_trailer),
        TEST(integers_are_eight_bytes),
        TEST(booleans_are_a_byte),
        TEST(times_count_from_the_year_2000),
        TEST(texts_and_bytes_are_taken_as_they_are),
        TEST(jsonb_has_a_version),
        TEST(a_list_has_the_length_of_its_elements),
        TEST(an_empty_list_has_no_dimension),
        TEST(a_row_taken_back_leaves_nothing),
        TEST(rows_are_sent_in_chunks),
        TEST(a_long_value_is_sent_whole),
        TEST(a_connection_that_fails_fails_the_row),
        TEST(a_copy_that_is_refused_is_not_opened),
        TEST(an_end_that_fails_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

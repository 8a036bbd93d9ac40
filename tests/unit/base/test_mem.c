/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "child.h"

/* The address sanitizer ends the program by itself where memory is refused; here malloc's
 * answer is the test. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* More than any machine has. Not constant, or the compiler would refuse it. */
static volatile size_t too_much = SIZE_MAX / 4;

static void new_memory_is_zeroed(void **state)
{
    char *memory = mem_alloc(1000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(memory[i], 0);
    free(memory);
}

static void no_bytes_are_memory_too(void **state)
{
    char *memory = mem_alloc(0);

    (void)state;
    assert_non_null(memory);
    memory = mem_resize(memory, 0);
    assert_non_null(memory);
    free(memory);
}

static void resizing_keeps_what_was_there(void **state)
{
    char *memory = mem_resize(NULL, 4);

    (void)state;
    memcpy(memory, "abc", 4);
    memory = mem_resize(memory, 100000);
    assert_string_equal(memory, "abc");
    free(memory);
}

static void a_copy_ends_with_a_nul_and_may_hold_others(void **state)
{
    char *copy = mem_copy("a\0bcd", 3);

    (void)state;
    assert_memory_equal(copy, "a\0b", 4);
    free(copy);
}

static void a_copy_of_nothing_is_empty(void **state)
{
    char *copy = mem_copy(NULL, 0);

    (void)state;
    assert_string_equal(copy, "");
    free(copy);
}

static void a_text_is_copied_and_null_stays_null(void **state)
{
    char *copy = mem_strdup("text");

    (void)state;
    assert_string_equal(copy, "text");
    assert_null(mem_strdup(NULL));
    free(copy);
}

static int ask_new(const void *data)
{
    (void)data;
    free(mem_alloc(too_much));
    return 0;
}

static int ask_more(const void *data)
{
    (void)data;
    free(mem_resize(NULL, too_much));
    return 0;
}

static void memory_that_is_not_there_ends_the_program_with_75(void **state)
{
    int (*const asks[])(const void *) = {ask_new, ask_more};
    struct child child;

    (void)state;
    for (int i = 0; i < 2; i++) {
        child_run(asks[i], NULL, &child);
        assert_int_equal(child.status, 75);
        assert_non_null(strstr(child.err, "factline: error: the system has no memory for "));
        assert_non_null(strstr(child.err, "; run again when it has\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed),
        cmocka_unit_test(no_bytes_are_memory_too),
        cmocka_unit_test(resizing_keeps_what_was_there),
        cmocka_unit_test(a_copy_ends_with_a_nul_and_may_hold_others),
        cmocka_unit_test(a_copy_of_nothing_is_empty),
        cmocka_unit_test(a_text_is_copied_and_null_stays_null),
        cmocka_unit_test(memory_that_is_not_there_ends_the_program_with_75),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

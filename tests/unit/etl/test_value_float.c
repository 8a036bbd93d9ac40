/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=copy_open,--wrap=copy_close,--wrap=copy_row,--wrap=copy_take_back */
/* link: -Wl,--wrap=copy_null,--wrap=copy_int,--wrap=copy_bool,--wrap=copy_time */
/* link: -Wl,--wrap=copy_text,--wrap=copy_bytes,--wrap=copy_jsonb,--wrap=copy_text_list */
/* link: -Wl,--wrap=copy_end,--wrap=copy_float */
#include "etl/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_copy.h"

/* What becomes of a value: its column, or "!" and the reason. */
static const char *put(enum json_type type, const char *text)
{
    static const struct field field = {.type = FIELD_FLOAT};
    static char said[64];
    struct value value = {.field = &field,
                          .json = {.type = type, .text = text, .length = strlen(text)}};
    struct value_buffer buffer;
    struct copy *copy = fake_copy_new();
    str_init(&buffer.text);
    str_init(&buffer.built);
    const char *reason = value_put_float(&value, &buffer, copy);
    snprintf(said, sizeof said, "%s%s", reason ? "!" : "",
             reason ? reason : fake_copy_columns(copy));
    str_release(&buffer.text);
    str_release(&buffer.built);
    fake_copy_free(copy);
    return said;
}

static void a_number_or_what_spells_one_is_a_float(void **state)
{
    (void)state;
    assert_string_equal(put(JSON_NUMBER, "2.5"), put(JSON_STRING, "2.5"));
    assert_string_not_equal(put(JSON_NUMBER, "-1e2"), "!bad_number");
    assert_string_not_equal(put(JSON_STRING, "+3"), "!bad_number");
}

static void what_is_no_finite_number_is_told(void **state)
{
    static const char *const texts[] = {"", "nan", "inf", "0x10", "1e999", "-1e999", "1,5", "1e"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(put(JSON_STRING, texts[i]), "!bad_number");
    assert_string_equal(put(JSON_TRUE, "true"), "!wrong_type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_or_what_spells_one_is_a_float),
        cmocka_unit_test(what_is_no_finite_number_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

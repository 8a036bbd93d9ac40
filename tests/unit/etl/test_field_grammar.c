/* SPDX-License-Identifier: MIT
 *
 * Fields with a grammar, extracts, agents, numbers and deletions of records without true deletions.
 */
/* link: -Wl,--wrap=copy_open,--wrap=copy_close,--wrap=copy_row,--wrap=copy_take_back */
/* link: -Wl,--wrap=copy_null,--wrap=copy_int,--wrap=copy_bool,--wrap=copy_time */
/* link: -Wl,--wrap=copy_text,--wrap=copy_bytes,--wrap=copy_jsonb,--wrap=copy_text_list */
/* link: -Wl,--wrap=copy_end,--wrap=copy_float,--wrap=log_event */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "etl/field.h"
#include "etl/opaque_key.h"
#include "etl/pipeline.h"
#include "fake_copy.h"

static const struct field state_fields[] = {
    {.column = "n", .path = "n", .type = FIELD_INTEGER},
    {0},
};
static const struct field fields[] = {
    {.column = "usage",
     .path = "usage",
     .type = FIELD_TEXT,
     .grammar = &opaque_usage_key,
     .within = "course"},
    {.column = "course",
     .path = "course",
     .type = FIELD_TEXT,
     .required = true,
     .grammar = &opaque_context_key},
    {.column = "grade", .path = "grade", .type = FIELD_FLOAT},
    {.column = "state",
     .path = "state",
     .type = FIELD_EXTRACT,
     .elements = state_fields,
     .reason = "state_not_json"},
    {.column = "other", .path = "other", .type = FIELD_EXTRACT, .elements = state_fields},
    {.column = "gone",
     .path = "gone",
     .type = FIELD_BOOLEAN,
     .or_number = true,
     .is_deletion = true,
     .otherwise = "false"},
    {.path = "modified", .type = FIELD_TIME, .is_modified = true},
    {.path = "agent", .type = FIELD_TEXT, .is_agent = true},
    {0},
};
static const struct feed feed = {.name = "thing", .fields = fields};

static struct copy *copy;
static struct field_reader *reader;
static struct field_reject reject;
static char logged[256];

void __wrap_log_event(enum log_level level, const char *name, const char *format, ...);
void __wrap_log_event(enum log_level level, const char *name, const char *format, ...)
{
    char text[128];
    va_list args;
    (void)level;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s %s;", name, text);
}

static int set_up(void **state)
{
    (void)state;
    copy = fake_copy_new();
    reader = field_reader_new(&feed);
    logged[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    field_reader_free(reader);
    fake_copy_free(copy);
    return 0;
}

static enum field_taken take(const char *text)
{
    struct error err = {0};
    struct field_batch batch = {.batch_id = 1, .read_number = 2};
    clock_parse("2026-04-12", 10, &batch.read_time);
    fake_copy_clear(copy);
    return field_read(reader, &batch, text, strlen(text), 3, copy, &reject, &err);
}

static void assert_row(const char *text, const char *row)
{
    if (take(text) != FIELD_STAGED)
        fail_msg("not staged: %s %s", reject.column, reject.reason);
    assert_string_equal(fake_copy_row(copy, 0), row);
}

static void assert_reject(const char *text, const char *reason, const char *column)
{
    assert_int_equal(take(text), FIELD_REJECTED);
    assert_string_equal(reject.reason, reason);
    assert_string_equal(reject.column, column);
}

#define COURSE "\"course\":\"course-v1:a+b+c\""

static void the_canonical_text_is_staged_and_its_notes_are_counted(void **state)
{
    (void)state;
    assert_row(
        "{\"usage\":\"block-v1:a+b+c+branch@x+type@p+block@q\",\"course\":\"slashes:a+b+c \"}",
        "1 2 -infinity 3 false 'block-v1:a+b+c+type@p+block@q' 'course-v1:a+b+c' null null null "
        "false");
    field_log_notes(reader);
    assert_string_equal(logged, "key_version_dropped column=usage rows=1;"
                                "key_trimmed column=course rows=1;");
}

static void a_text_that_does_not_fit_is_rejected_with_the_reason_of_the_grammar(void **state)
{
    (void)state;
    assert_reject("{\"usage\":\"x\"," COURSE "}", "invalid_usage_key", "usage");
    assert_reject("{\"usage\":\"lb:a:b:c:d\"," COURSE "}", "context_mismatch", "usage");
    assert_reject("{\"usage\":7," COURSE "}", "wrong_type", "usage");
    assert_reject("{\"course\":\"\"}", "missing_field", "course");
    field_log_notes(reader);
    assert_string_equal(logged, "");
}

static void an_optional_key_may_be_empty(void **state)
{
    (void)state;
    assert_row("{\"usage\":\"\"," COURSE "}",
               "1 2 -infinity 3 false '' 'course-v1:a+b+c' null null null false");
}

static void a_number_is_taken_as_it_is_spelled_where_it_is_finite(void **state)
{
    (void)state;
    assert_row("{" COURSE ",\"grade\":2.5}",
               "1 2 -infinity 3 false null 'course-v1:a+b+c' 2.5 null null false");
    assert_row("{" COURSE ",\"grade\":\"-1e-3\"}",
               "1 2 -infinity 3 false null 'course-v1:a+b+c' -0.001 null null false");
    assert_reject("{" COURSE ",\"grade\":1e999}", "bad_number", "grade");
    assert_reject("{" COURSE ",\"grade\":\"-1e999\"}", "bad_number", "grade");
    assert_reject("{" COURSE ",\"grade\":\"NaN\"}", "bad_number", "grade");
    assert_reject("{" COURSE ",\"grade\":\"\"}", "bad_number", "grade");
    assert_reject("{" COURSE ",\"grade\":\"1.2.3\"}", "bad_number", "grade");
    assert_reject("{" COURSE ",\"grade\":true}", "wrong_type", "grade");
}

static void of_a_state_the_declared_members_are_taken(void **state)
{
    (void)state;
    assert_row("{" COURSE ",\"state\":\"{\\\"n\\\": 4, \\\"x\\\": 1}\",\"other\":{\"n\":5}}",
               "1 2 -infinity 3 false null 'course-v1:a+b+c' null j'{\"n\":4}' j'{\"n\":5}' false");
    assert_reject("{" COURSE ",\"state\":\"[]\"}", "state_not_json", "state");
    assert_reject("{" COURSE ",\"other\":\"[]\"}", "wrong_type", "other");
    assert_reject("{" COURSE ",\"other\":1}", "wrong_type", "other");
}

static void a_deletion_without_time_has_that_of_the_read(void **state)
{
    (void)state;
    assert_row("{" COURSE ",\"gone\":1}", "1 2 2026-04-12T00:00:00.000000Z 3 false null "
                                          "'course-v1:a+b+c' null null null true");
    assert_row(
        "{" COURSE ",\"gone\":true,\"modified\":\"2026-01-02\"}",
        "1 2 2026-01-02T00:00:00.000000Z 3 false null 'course-v1:a+b+c' null null null true");
    assert_row("{" COURSE ",\"gone\":0}",
               "1 2 -infinity 3 false null 'course-v1:a+b+c' null null null false");
    assert_reject("{" COURSE ",\"gone\":2}", "wrong_type", "gone");
}

static void records_of_the_named_agents_are_skipped(void **state)
{
    (void)state;
    assert_int_equal(take("{" COURSE ",\"agent\":\"bot/1\"}"), FIELD_STAGED);
    field_skip_agents(reader, "spider, bot ,,");
    assert_int_equal(take("{" COURSE ",\"agent\":\"bot/1\"}"), FIELD_SKIPPED);
    assert_int_equal(take("{" COURSE ",\"agent\":\"spider\"}"), FIELD_SKIPPED);
    assert_int_equal(take("{" COURSE ",\"agent\":\"Bot/1\"}"), FIELD_STAGED);
    assert_int_equal(take("{" COURSE ",\"agent\":\"bo\"}"), FIELD_STAGED);
    assert_int_equal(take("{" COURSE ",\"agent\":\"\"}"), FIELD_STAGED);
    assert_int_equal(take("{" COURSE "}"), FIELD_STAGED);
    assert_int_equal(take("{\"agent\":\"bot/1\"}"), FIELD_SKIPPED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_canonical_text_is_staged_and_its_notes_are_counted),
        TEST(a_text_that_does_not_fit_is_rejected_with_the_reason_of_the_grammar),
        TEST(an_optional_key_may_be_empty),
        TEST(a_number_is_taken_as_it_is_spelled_where_it_is_finite),
        TEST(of_a_state_the_declared_members_are_taken),
        TEST(a_deletion_without_time_has_that_of_the_read),
        TEST(records_of_the_named_agents_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=copy_open,--wrap=copy_close,--wrap=copy_row,--wrap=copy_take_back */
/* link: -Wl,--wrap=copy_null,--wrap=copy_int,--wrap=copy_bool,--wrap=copy_time */
/* link: -Wl,--wrap=copy_text,--wrap=copy_bytes,--wrap=copy_jsonb,--wrap=copy_text_list */
/* link: -Wl,--wrap=copy_end,--wrap=tmpfile */
#include "etl/reject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fake_copy.h"

#define MIB (1024 * 1024)

/* ---- a temporary file that a test can break ---- */

static enum { FILE_GOOD, FILE_NONE, FILE_FULL } next_file;
static FILE *latest_file;

FILE *__wrap_tmpfile(void);
FILE *__real_tmpfile(void);

FILE *__wrap_tmpfile(void)
{
    latest_file = NULL;
    if (next_file == FILE_GOOD)
        latest_file = __real_tmpfile();
    else if (next_file == FILE_FULL)
        latest_file = fopen("/dev/full", "w+");
    return latest_file;
}

/* ---- budgets ---- */

static bool is_within(const char *budget, int64_t rejected, int64_t read, bool is_end)
{
    struct error err = {0};
    struct reject_budget parsed;
    assert_true(reject_parse_budget(budget, &parsed, &err));
    bool ok = reject_is_within(&parsed, rejected, read, is_end, &err);
    assert_int_equal(err.status, ok ? STATUS_OK : STATUS_DATA);
    return ok;
}

static void a_plain_number_is_judged_at_once(void **state)
{
    (void)state;
    assert_true(is_within("0", 0, 0, false));
    assert_false(is_within("0", 1, 1, false));
    assert_true(is_within("5", 5, 5, false));
    assert_false(is_within("5", 6, 1000000, false));
    assert_false(is_within("5", 6, 1000000, true));
}

static void a_percentage_is_judged_at_the_end(void **state)
{
    (void)state;
    assert_true(is_within("2%", 100, 100, false));
    assert_true(is_within("2%", 2, 100, true));
    assert_false(is_within("2%", 3, 100, true));
    assert_true(is_within("0.5%", 1, 200, true));
    assert_false(is_within("0.5%", 1, 199, true));
    assert_false(is_within("0%", 1, 100, true));
    assert_true(is_within("100%", 7, 7, true));
}

static void the_default_is_the_greater_of_ten_and_one_percent(void **state)
{
    (void)state;
    assert_true(is_within(NULL, 11, 11, false));
    assert_true(is_within(NULL, 10, 10, true));
    assert_false(is_within(NULL, 11, 1099, true));
    assert_true(is_within(NULL, 11, 1100, true));
    assert_true(is_within(NULL, 1000, 100000, true));
    assert_false(is_within(NULL, 1001, 100000, true));
}

static void the_message_names_counts_and_the_remedy(void **state)
{
    struct error err = {0};
    const struct reject_budget none = {0};
    (void)state;
    assert_false(reject_is_within(&none, 3, 9, true, &err));
    assert_non_null(strstr(err.message, "3 of 9 records"));
    assert_non_null(strstr(err.message, "etl.rejected_row"));
}

static void what_is_no_budget_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "%",
                                        "-1",
                                        "1.5",
                                        "101%",
                                        "1.2.3%",
                                        "five",
                                        "1 %",
                                        " 1",
                                        "5%%",
                                        "1e3",
                                        ".%",
                                        "+5",
                                        "nan%",
                                        "inf%",
                                        "0x5",
                                        "1000000000000000000"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error err = {0};
        struct reject_budget budget;
        if (reject_parse_budget(texts[i], &budget, &err))
            fail_msg("taken: \"%s\"", texts[i]);
        assert_int_equal(err.status, STATUS_USAGE);
    }
}

/* ---- the spool ---- */

struct world {
    struct reject_spool *spool;
    struct copy *copy;
    struct batch batch;
    struct error err;
};

static int set_up(void **state)
{
    static struct world world;
    static char workflow[] = "form";
    world = (struct world){.batch = {.id = 42, .workflow = workflow}};
    next_file = FILE_GOOD;
    world.copy = fake_copy_new();
    world.spool = reject_open(&world.err);
    *state = &world;
    return world.spool ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    reject_close(world->spool);
    fake_copy_free(world->copy);
    return 0;
}

static bool add_line(struct world *world, const char *text, size_t length, bool is_parsed)
{
    const struct file_line line = {
        .text = text, .length = length, .number = 9, .full_length = (int64_t)length};
    const struct field_reject reject = {
        .reason = "wrong_type", .column = "name", .is_parsed = is_parsed};
    return reject_add(world->spool, "forms.ndjson", &line, &reject, &world->err);
}

static void add_text(struct world *world, const char *text, bool is_parsed)
{
    assert_true(add_line(world, text, strlen(text), is_parsed));
}

static bool write_all(struct world *world, int64_t limit)
{
    return reject_write(world->spool, NULL, &world->batch, limit, &world->err);
}

static void a_reject_is_written_with_all_that_is_known(void **state)
{
    struct world *world = *state;
    add_text(world, "{\"name\":1}", true);
    add_text(world, "{\xff", false);
    add_text(world, "", false);
    assert_int_equal(reject_count(world->spool), 3);
    assert_true(write_all(world, -1));
    assert_int_equal(fake_copy_count(world->copy), 3);
    assert_string_equal(
        fake_copy_row(world->copy, 0),
        "42 'form' 'forms.ndjson' 9 'name' 'wrong_type' x'{\"name\":1}' 10 null false");
    assert_string_equal(fake_copy_row(world->copy, 1),
                        "42 'form' 'forms.ndjson' 9 'name' 'wrong_type' x'{\xff' 2 null false");
    assert_string_equal(fake_copy_row(world->copy, 2),
                        "42 'form' 'forms.ndjson' 9 'name' 'wrong_type' x'' 0 null false");
}

static void secrets_are_blanked_where_the_record_parsed(void **state)
{
    struct world *world = *state;
    static const char document[] =
        "{\"password\":\"s3cret\",\"a\":[{\"phone_numbers\":[\"s3cret\"],"
        "\"b\":{\"phone_number\":\"s3cret\","
        "\"default_phone_number\":\"s3cret\",\"pass\\u0077ord\":{\"x\":\"s3cret\"},"
        "\"kept\":\"k\"}}]}";
    add_text(world, document, true);
    assert_true(write_all(world, -1));
    const char *row = fake_copy_row(world->copy, 0);
    assert_null(strstr(row, "s3cret"));
    assert_non_null(strstr(row, "\"password\":null"));
    assert_non_null(strstr(row, "\"kept\":\"k\""));
}

static void a_text_that_did_not_parse_is_kept_as_it_was(void **state)
{
    struct world *world = *state;
    add_text(world, "{\"password\":\"x\"", false);
    assert_true(write_all(world, -1));
    assert_non_null(strstr(fake_copy_row(world->copy, 0), "x'{\"password\":\"x\"'"));
}

/* A text of so many bytes, yours. */
static char *make_long(size_t length)
{
    char *text = mem_alloc(length + 1);
    memset(text, 'a', length);
    return text;
}

static size_t kept_bytes(const char *row)
{
    const char *start = strstr(row, "x'");
    assert_non_null(start);
    return strcspn(start + 2, "'");
}

static void up_to_a_mebibyte_is_kept_whole(void **state)
{
    struct world *world = *state;
    char *text = make_long(MIB);
    assert_true(add_line(world, text, MIB, false));
    assert_true(write_all(world, -1));
    const char *row = fake_copy_row(world->copy, 0);
    assert_int_equal(kept_bytes(row), MIB);
    assert_string_equal(row + strlen(row) - 18, "1048576 null false");
    free(text);
}

static void a_longer_record_is_its_head_its_length_and_its_digest(void **state)
{
    struct world *world = *state;
    char *text = make_long(MIB + 1), hex[65], end[96];
    assert_true(add_line(world, text, MIB + 1, false));
    add_text(world, "{}", true);
    assert_true(write_all(world, -1));
    const char *row = fake_copy_row(world->copy, 0);
    assert_int_equal(kept_bytes(row), FILE_HEAD);
    file_sha256(text, MIB + 1, hex);
    snprintf(end, sizeof end, "1048577 '%s' false", hex);
    assert_string_equal(row + strlen(row) - strlen(end), end);
    assert_non_null(strstr(fake_copy_row(world->copy, 1), "x'{}'"));
    free(text);
}

static void a_line_beyond_the_limit_has_the_digest_that_was_taken_while_reading(void **state)
{
    struct world *world = *state;
    struct file_line line = {
        .text = "head", .length = 4, .number = 3, .is_too_long = true, .full_length = 99999999};
    const struct field_reject reject = {.reason = "too_long", .column = ""};
    memset(line.sha256, 'f', 64);
    assert_true(reject_add(world->spool, "-", &line, &reject, &world->err));
    assert_true(write_all(world, -1));
    assert_string_equal(fake_copy_row(world->copy, 0),
                        "42 'form' '-' 3 '' 'too_long' x'head' 99999999 "
                        "'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff' false");
}

static void a_record_of_a_table_is_marked(void **state)
{
    struct world *world = *state;
    const struct file_line line = {.text = "1,2", .length = 3, .number = 2, .full_length = 3};
    const struct field_reject reject = {.reason = "field_count", .column = "", .is_table = true};
    assert_true(reject_add(world->spool, "t.csv", &line, &reject, &world->err));
    assert_true(write_all(world, -1));
    assert_string_equal(fake_copy_row(world->copy, 0),
                        "42 'form' 't.csv' 2 '' 'field_count' x'1,2' 3 null true");
}

static void kept_bytes_come_back_from_their_digits(void **state)
{
    struct str bytes;
    (void)state;
    str_init(&bytes);
    reject_add_bytes("", &bytes);
    assert_int_equal(bytes.length, 0);
    reject_add_bytes("7b00ff0a", &bytes);
    assert_int_equal(bytes.length, 4);
    assert_memory_equal(bytes.text, "{\0\xff\n", 4);
    str_release(&bytes);
}

static void a_limit_keeps_the_first(void **state)
{
    struct world *world = *state;
    add_text(world, "1", false);
    add_text(world, "2", false);
    add_text(world, "3", false);
    assert_true(write_all(world, 2));
    assert_int_equal(fake_copy_count(world->copy), 2);
    assert_non_null(strstr(fake_copy_row(world->copy, 1), "x'2'"));
    fake_copy_clear(world->copy);
    assert_true(write_all(world, REJECT_SAMPLE));
    assert_int_equal(fake_copy_count(world->copy), 3);
}

static void no_reject_needs_no_copy(void **state)
{
    struct world *world = *state;
    fake_copy_fail_at(world->copy, 1);
    assert_true(write_all(world, -1));
    fake_copy_fail_at(world->copy, 0);
}

/* ---- failures ---- */

static void a_copy_that_fails_is_told(void **state)
{
    struct world *world = *state;
    add_text(world, "1", false);
    for (int n = 1; n <= 3; n++) { /* open, row, end */
        world->err = (struct error){0};
        fake_copy_fail_at(world->copy, n);
        assert_false(write_all(world, -1));
        assert_int_equal(world->err.status, STATUS_TEMPORARY);
    }
}

static void without_a_temporary_file_nothing_begins(void **state)
{
    struct error err = {0};
    (void)state;
    next_file = FILE_NONE;
    assert_null(reject_open(&err));
    assert_int_equal(err.status, STATUS_IO);
    assert_non_null(strstr(err.message, "TMPDIR"));
    reject_close(NULL);
}

static void a_full_disk_is_told_when_adding_or_when_writing(void **state)
{
    struct world *world = *state;
    char *text = make_long(MIB);
    reject_close(world->spool);
    next_file = FILE_FULL;
    world->spool = reject_open(&world->err);
    assert_non_null(world->spool);
    add_text(world, "1", false); /* still in the buffer */
    assert_false(write_all(world, -1));
    assert_int_equal(world->err.status, STATUS_IO);
    world->err = (struct error){0};
    assert_false(add_line(world, text, MIB, false));
    assert_int_equal(world->err.status, STATUS_IO);
    free(text);
}

static void a_spool_that_lost_its_end_is_told(void **state)
{
    struct world *world = *state;
    add_text(world, "some bytes", false);
    fflush(latest_file);
    assert_int_equal(ftruncate(fileno(latest_file), 4), 0);
    assert_false(write_all(world, -1));
    assert_int_equal(world->err.status, STATUS_IO);
    assert_int_equal(fake_copy_count(world->copy), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_number_is_judged_at_once),
        cmocka_unit_test(a_percentage_is_judged_at_the_end),
        cmocka_unit_test(the_default_is_the_greater_of_ten_and_one_percent),
        cmocka_unit_test(the_message_names_counts_and_the_remedy),
        cmocka_unit_test(what_is_no_budget_is_refused),
        TEST(a_reject_is_written_with_all_that_is_known),
        TEST(secrets_are_blanked_where_the_record_parsed),
        TEST(a_text_that_did_not_parse_is_kept_as_it_was),
        TEST(up_to_a_mebibyte_is_kept_whole),
        TEST(a_longer_record_is_its_head_its_length_and_its_digest),
        TEST(a_line_beyond_the_limit_has_the_digest_that_was_taken_while_reading),
        TEST(a_record_of_a_table_is_marked),
        cmocka_unit_test(kept_bytes_come_back_from_their_digits),
        TEST(a_limit_keeps_the_first),
        TEST(no_reject_needs_no_copy),
        TEST(a_copy_that_fails_is_told),
        cmocka_unit_test(without_a_temporary_file_nothing_begins),
        TEST(a_full_disk_is_told_when_adding_or_when_writing),
        TEST(a_spool_that_lost_its_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

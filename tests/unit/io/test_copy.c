/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=db_copy_in,--wrap=db_copy_put,--wrap=db_copy_in_end */
/* link: -Wl,--wrap=db_copy_out,--wrap=db_copy_get,--wrap=db_copy_out_end */
/* link: -Wl,--wrap=clock_monotonic,--wrap=log_event */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/copy.h"

/* ---- in place of the connection ---- */

static struct {
    struct str taken;
    size_t puts;      /* calls that were made */
    size_t fail_from; /* the put that fails first, 0 for none */
    bool fail_in, fail_out, fail_in_end, fail_out_end, fail_get;
    int64_t sent, counted; /* rows, as the two servers count */
    size_t row_length, rows_left;
    char *row;
} wire;

bool __wrap_db_copy_in(struct db *db, const struct sql *sql, const struct db_value *values,
                       struct error *err);
bool __wrap_db_copy_put(struct db *db, const void *bytes, size_t length, struct error *err);
bool __wrap_db_copy_in_end(struct db *db, int64_t *rows, struct error *err);
bool __wrap_db_copy_out(struct db *db, const struct sql *sql, const struct db_value *values,
                        struct error *err);
bool __wrap_db_copy_get(struct db *db, const char **bytes, size_t *length, struct error *err);
bool __wrap_db_copy_out_end(struct db *db, int64_t *rows, struct error *err);

bool __wrap_db_copy_in(struct db *db, const struct sql *sql, const struct db_value *values,
                       struct error *err)
{
    (void)db, (void)sql, (void)values;
    return !wire.fail_in || error_set(err, STATUS_CONFIG, "in");
}

bool __wrap_db_copy_put(struct db *db, const void *bytes, size_t length, struct error *err)
{
    (void)db;
    if (wire.fail_from && wire.puts + 1 >= wire.fail_from)
        return error_set(err, STATUS_TEMPORARY, "put");
    wire.puts++;
    str_add(&wire.taken, bytes, length);
    return true;
}

bool __wrap_db_copy_in_end(struct db *db, int64_t *rows, struct error *err)
{
    (void)db;
    *rows = wire.counted;
    return !wire.fail_in_end || error_set(err, STATUS_TEMPORARY, "in end");
}

bool __wrap_db_copy_out(struct db *db, const struct sql *sql, const struct db_value *values,
                        struct error *err)
{
    (void)db, (void)sql, (void)values;
    return !wire.fail_out || error_set(err, STATUS_CONFIG, "out");
}

bool __wrap_db_copy_get(struct db *db, const char **bytes, size_t *length, struct error *err)
{
    (void)db;
    *bytes = wire.row;
    *length = wire.rows_left > 0 ? wire.row_length : 0;
    wire.rows_left -= wire.rows_left > 0;
    return !wire.fail_get || error_set(err, STATUS_TEMPORARY, "get");
}

bool __wrap_db_copy_out_end(struct db *db, int64_t *rows, struct error *err)
{
    (void)db;
    *rows = wire.sent;
    return !wire.fail_out_end || error_set(err, STATUS_DATA, "out end");
}

/* ---- in place of time and log ---- */

static int64_t now, tick; /* each look at the clock takes a tick */
static size_t heartbeats;

int64_t __wrap_clock_monotonic(void);
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int64_t __wrap_clock_monotonic(void)
{
    now += tick;
    return now;
}

void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
{
    assert_int_equal(level, LOG_INFO);
    assert_string_equal(event, "copy");
    assert_string_equal(format, "sql=%s bytes=%lld");
    heartbeats++;
}

static int set_up(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof wire);
    heartbeats = 0;
    tick = 0;
    str_init(&wire.taken);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    str_release(&wire.taken);
    free(wire.row);
    return 0;
}

/* ---- rows ---- */

static const struct sql in = {.name = "rows_in", .text = "", .is_copy = true};
static const struct sql out = {.name = "rows_out", .text = "", .is_copy = true};
static struct error err;

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
    assert_in_range(wire.puts, 15, 22); /* 1.4 MB in chunks of 64 KiB */
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

/* ---- the relay ---- */

static void send_rows(size_t count, size_t length)
{
    wire.row = mem_alloc(length);
    memset(wire.row, 'r', length);
    wire.row_length = length;
    wire.rows_left = count;
    wire.sent = wire.counted = (int64_t)count;
}

static bool relay(int64_t *rows, int64_t *bytes)
{
    return copy_relay(NULL, &out, NULL, NULL, &in, NULL, rows, bytes, &err);
}

static void a_relay_passes_all_bytes_in_few_pieces(void **state)
{
    (void)state;
    int64_t rows = 0, bytes = 0;
    send_rows(10000, 100);
    assert_true(relay(&rows, &bytes));
    assert_int_equal(rows, 10000);
    assert_int_equal(bytes, 1000000);
    assert_int_equal(wire.taken.length, 1000000);
    assert_in_range(wire.puts, 15, 17);
}

static void a_relay_passes_long_rows_at_once(void **state)
{
    (void)state;
    int64_t rows = 0, bytes = 0;
    send_rows(3, 1 << 20);
    assert_true(relay(&rows, &bytes));
    assert_int_equal(bytes, 3 << 20);
    assert_int_equal(wire.taken.length, 3 << 20);
}

static void a_relay_of_nothing_is_no_failure(void **state)
{
    (void)state;
    int64_t rows = 7, bytes = 7;
    assert_true(relay(&rows, &bytes));
    assert_int_equal(rows, 0);
    assert_int_equal(bytes, 0);
}

static void servers_that_count_otherwise_fail_the_relay(void **state)
{
    (void)state;
    int64_t rows = 7, bytes = 7;
    send_rows(3, 10);
    wire.counted = 2;
    assert_false(relay(&rows, &bytes));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_string_equal(err.message, "the source sent 3 rows for \"rows_in\", the warehouse took "
                                     "2; run the step again");
    assert_int_equal(rows, 7);
}

static void each_failure_ends_the_relay(void **state)
{
    (void)state;
    bool *const failures[] = {&wire.fail_out, &wire.fail_in, &wire.fail_get, &wire.fail_out_end,
                              &wire.fail_in_end};
    static const char *const messages[] = {"out", "in", "get", "out end", "in end"};
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        int64_t rows, bytes;
        *failures[i] = true;
        assert_false(relay(&rows, &bytes));
        assert_string_equal(err.message, messages[i]);
        *failures[i] = false;
    }
}

static void a_piece_that_is_refused_ends_the_relay(void **state)
{
    (void)state;
    int64_t rows, bytes;
    send_rows(10000, 100);
    wire.fail_from = 3;
    assert_false(relay(&rows, &bytes));
    assert_string_equal(err.message, "put");
    assert_int_equal(wire.puts, 2);
    assert_true(wire.rows_left > 0);

    free(wire.row);
    send_rows(10, 1 << 20);
    wire.fail_from = wire.puts + 2;
    assert_false(relay(&rows, &bytes));
    assert_string_equal(err.message, "put");
}

static void a_relay_tells_of_itself_every_half_minute(void **state)
{
    (void)state;
    int64_t rows, bytes;
    send_rows(10000, 1000); /* 10 MB in pieces of 64 KiB: 153 looks at the clock, and two more */
    tick = CLOCK_SECOND;
    assert_true(relay(&rows, &bytes));
    assert_in_range(heartbeats, 4, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(a_relay_passes_all_bytes_in_few_pieces),
        TEST(a_relay_passes_long_rows_at_once),
        TEST(a_relay_of_nothing_is_no_failure),
        TEST(servers_that_count_otherwise_fail_the_relay),
        TEST(each_failure_ends_the_relay),
        TEST(a_relay_tells_of_itself_every_half_minute),
        TEST(a_piece_that_is_refused_ends_the_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=db_copy_in,--wrap=db_copy_put,--wrap=db_copy_in_end */
/* link: -Wl,--wrap=db_copy_out,--wrap=db_copy_try,--wrap=db_copy_wait,--wrap=db_copy_out_end */
/* link: -Wl,--wrap=db_give_up,--wrap=clock_monotonic,--wrap=log_event */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "copy_wire.h"

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define END "\377\377"

static const struct sql out = {.name = "rows_out", .text = "", .is_copy = true};

/* ---- in place of sessions, time and log ---- */

/* A session's messages. One that is not there yet comes after a wait. */
struct message {
    const char *bytes;
    size_t length;
    bool is_late;
};
struct fake_session {
    const struct message *messages;
    size_t next;
    bool fail, was_given_up;
} sessions[2];

static struct db *session(size_t index)
{
    return (struct db *)(void *)&sessions[index];
}

static struct fake_session *of(struct db *db)
{
    return (struct fake_session *)(void *)db;
}

static size_t waits, heartbeats;
static bool is_stopped;
static int64_t now, tick;

int64_t __wrap_clock_monotonic(void);
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool __wrap_db_copy_try(struct db *db, const char **bytes, size_t *length, bool *is_there,
                        struct error *err);
bool __wrap_db_copy_wait(struct db *const *dbs, size_t count, struct error *err);
void __wrap_db_give_up(struct db *db);

int64_t __wrap_clock_monotonic(void)
{
    return now += tick;
}

void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
{
    assert_int_equal(level, LOG_INFO);
    assert_string_equal(event, "copy");
    assert_string_equal(format, "%s");
    heartbeats++;
}

static bool is_awaited[2];

bool __wrap_db_copy_try(struct db *db, const char **given, size_t *length, bool *is_there,
                        struct error *to)
{
    struct fake_session *own = of(db);
    const struct message *message = &own->messages[own->next];
    bool *may_come = &is_awaited[own - sessions];
    *is_there = !message->is_late || *may_come;
    *given = message->bytes;
    *length = message->length;
    own->next += *is_there && message->bytes;
    *may_come = false;
    return !own->fail || error_set(to, STATUS_TEMPORARY, "try");
}

bool __wrap_db_copy_wait(struct db *const *dbs, size_t count, struct error *to)
{
    (void)dbs;
    assert_in_range(count, 1, 2);
    waits++;
    is_awaited[0] = is_awaited[1] = true;
    return !is_stopped || error_set(to, STATUS_INTERRUPTED, "wait");
}

void __wrap_db_give_up(struct db *db)
{
    of(db)->was_given_up = true;
}

/* ---- relays ---- */

static struct copy_stream streams[2];
static int64_t bytes_passed;

/* two: NULL for a single stream */
static bool relay(const struct message *one, const struct message *two)
{
    streams[0] = (struct copy_stream){.db = session(0), .lead = streams[0].lead};
    streams[1] = (struct copy_stream){.db = session(1), .lead = streams[1].lead};
    sessions[0] = (struct fake_session){.messages = one, .fail = sessions[0].fail};
    sessions[1] = (struct fake_session){.messages = two};
    bytes_passed = 0;
    waits = 0;
    str_clear(&wire.taken);
    return copy_relay(streams, two ? 2 : 1, &out, NULL, &in, &bytes_passed, &err);
}

static const struct message two_rows[] = {
    {HEADER "row a", 24, false}, {"row b", 5, true}, {END, 2, false}, {0}};
static const struct message a_row_and_a_row[] = {
    {HEADER "row c", 24, true}, {"row d", 5, false}, {END, 2, false}, {0}};

static void assert_fails(enum status status, const char *message)
{
    assert_false(relay(two_rows, a_row_and_a_row));
    assert_int_equal(err.status, status);
    assert_string_equal(err.message, message);
    assert_true(sessions[0].was_given_up && sessions[1].was_given_up);
}

static void rows_of_all_streams_are_one_copy(void **state)
{
    (void)state;
    wire.sent = 2;
    wire.counted = 4;
    assert_true(relay(two_rows, a_row_and_a_row));
    assert_int_equal(wire.taken.length, 19 + 20 + 2);
    assert_memory_equal(wire.taken.text, HEADER "row arow brow crow d" END, 41);
    assert_int_equal(bytes_passed, 41);
    assert_int_equal(streams[0].rows, 2);
    assert_int_equal(streams[1].rows, 2);
    assert_int_equal(waits, 1);
    assert_false(sessions[0].was_given_up);
}

static void streams_may_be_empty(void **state)
{
    static const struct message nothing[] = {{HEADER END, 21, false}, {0}},
                                apart[] = {{HEADER, 19, false}, {END, 2, true}, {0}};
    (void)state;
    assert_true(relay(nothing, apart));
    assert_memory_equal(wire.taken.text, HEADER END, 21);
    assert_int_equal(wire.taken.length, 21);
}

static void a_long_row_goes_past_the_buffer(void **state)
{
    static char row[100000];
    static const struct message with_long[] = {
        {HEADER, 19, false}, {"short", 5, false}, {row, sizeof row, false}, {END, 2, false}, {0}};
    static const struct message many[] = {
        {HEADER, 19, false}, {row, 60000, false}, {row, 60000, false}, {0}};
    (void)state;
    memset(row, 'r', sizeof row);
    wire.sent = 2;
    wire.counted = 4;
    assert_true(relay(with_long, many));
    assert_int_equal(wire.taken.length, 19 + 5 + 100000 + 120000 + 2);
    assert_int_equal(wire.puts, 7);
}

static struct message *many_rows(size_t count, size_t length)
{
    static char row[1 << 20];
    struct message *messages = mem_alloc((count + 3) * sizeof *messages);
    memset(row, 'r', length);
    messages[0] = (struct message){HEADER, 19, false};
    for (size_t i = 1; i <= count; i++)
        messages[i] = (struct message){row, length, false};
    messages[count + 1] = (struct message){END, 2, false};
    wire.sent = wire.counted = (int64_t)count;
    return messages;
}

static void rows_go_on_in_few_pieces(void **state)
{
    struct message *messages = many_rows(10000, 100);
    (void)state;
    assert_true(relay(messages, NULL));
    assert_int_equal(streams[0].rows, 10000);
    assert_int_equal(bytes_passed, 1000021);
    assert_int_equal(wire.taken.length, 1000021);
    assert_in_range(wire.puts, 65, 70);
    free(messages);
}

static void a_relay_tells_of_itself_every_half_minute(void **state)
{
    struct message *messages = many_rows(10000, 1000);
    (void)state;
    heartbeats = 0;
    tick = CLOCK_SECOND; /* 10 MB in pieces of 15 KiB: 667 looks at the clock, and two more */
    assert_true(relay(messages, NULL));
    assert_in_range(heartbeats, 21, 22);
    tick = 0;
    free(messages);
}

static void a_piece_that_is_refused_ends_the_relay(void **state)
{
    struct message *messages = many_rows(10000, 100);
    (void)state;
    wire.fail_from = 3;
    assert_false(relay(messages, NULL));
    assert_string_equal(err.message, "put");
    assert_int_equal(wire.puts, 2);
    assert_in_range(sessions[0].next, 300, 1000);
    free(messages);

    messages = many_rows(10, 1 << 20);
    wire.fail_from = wire.puts + 2;
    assert_false(relay(messages, NULL));
    assert_string_equal(err.message, "put");
    free(messages);
}

/* Two columns before the three of each row. */
static void a_lead_comes_before_each_row(void **state)
{
    static const struct message rows[] = {
        {HEADER "\0\3row a", 26, false}, {"\0\3row b", 7, false}, {END, 2, false}, {0}};
    static const char led[] = HEADER "\0\5\0\0\0\10\0\0\0\0\0\0\0\7\377\377\377\377row a"
                                     "\0\5\0\0\0\10\0\0\0\0\0\0\0\7\377\377\377\377row b" END;
    struct copy *lead = copy_new_lead(2);
    (void)state;
    copy_int(lead, 7);
    copy_null(lead);
    streams[0].lead = lead;
    wire.sent = wire.counted = 2;
    assert_true(relay(rows, NULL));
    assert_int_equal(wire.taken.length, sizeof led - 1);
    assert_memory_equal(wire.taken.text, led, sizeof led - 1);
    copy_close(lead);

    streams[0].lead = lead = copy_new_lead(1);
    copy_bool(lead, true);
    assert_true(relay(rows, NULL));
    assert_memory_equal(wire.taken.text + 19, "\0\4\0\0\0\1\1row a\0\4\0\0\0\1\1row b", 24);
    copy_close(lead);
    streams[0].lead = NULL;
}

static void counts_that_differ_fail_the_relay(void **state)
{
    (void)state;
    wire.sent = 3;
    wire.counted = 4;
    assert_fails(STATUS_TEMPORARY,
                 "the source sent 3 rows for \"rows_in\", 2 came; run the step again");
    wire.sent = 2;
    wire.counted = 3;
    assert_fails(STATUS_TEMPORARY, "the source sent 4 rows for \"rows_in\", the warehouse took 3; "
                                   "run the step again");
}

static void what_is_no_copy_is_not_passed_on(void **state)
{
    static const struct message text[] = {{"a line of text format\n", 22, false}, {0}},
                                cut[] = {{"PGCOPY", 6, false}, {0}},
                                a_byte[] = {{HEADER "r", 20, false}, {0}};
    (void)state;
    assert_false(relay(text, text));
    assert_int_equal(err.status, STATUS_BUG);
    assert_false(relay(cut, cut));
    assert_int_equal(err.status, STATUS_BUG);
    assert_false(relay(a_byte, a_byte));
    assert_int_equal(err.status, STATUS_BUG);
}

static void each_failure_ends_all_streams(void **state)
{
    bool *const failures[] = {&wire.fail_out,    &wire.fail_in, &wire.fail_out_end,
                              &wire.fail_in_end, &is_stopped,   &sessions[0].fail};
    static const char *const messages[] = {"out", "in", "out end", "in end", "wait", "try"};
    static const enum status statuses[] = {STATUS_CONFIG,    STATUS_CONFIG,      STATUS_DATA,
                                           STATUS_TEMPORARY, STATUS_INTERRUPTED, STATUS_TEMPORARY};
    (void)state;
    wire.sent = 2;
    wire.counted = 4;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        *failures[i] = true;
        assert_fails(statuses[i], messages[i]);
        *failures[i] = false;
    }
    wire.fail_from = 1;
    assert_fails(STATUS_TEMPORARY, "put");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(rows_of_all_streams_are_one_copy),
        TEST(streams_may_be_empty),
        TEST(a_long_row_goes_past_the_buffer),
        TEST(rows_go_on_in_few_pieces),
        TEST(a_lead_comes_before_each_row),
        TEST(a_relay_tells_of_itself_every_half_minute),
        TEST(a_piece_that_is_refused_ends_the_relay),
        TEST(counts_that_differ_fail_the_relay),
        TEST(what_is_no_copy_is_not_passed_on),
        TEST(each_failure_ends_all_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

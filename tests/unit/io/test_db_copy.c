/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/interrupt.h"
#include "expect_bug.h"
#include "fake_db.h"

static const struct sql copy_in = {.name = "rows_in", .text = "COPY in", .is_copy = true};
static const struct sql copy_out = {.name = "rows_out", .text = "COPY out", .is_copy = true};
static const struct sql no_copy = {.name = "no_copy", .text = "SELECT 1"};

static char piece[256 * 1024];

static void begin_copy(int fd, char type)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_send(fd, type, "\1\0\0", 3);
}

/* ---- in ---- */

static void count_rows(int fd)
{
    begin_copy(fd, 'G');
    fake_read_message(fd, "c");
    fake_complete(fd, "COPY 12", 'I');
    fake_wait_for_end(fd);
}

static void rows_are_counted_by_the_server(void **state)
{
    (void)state;
    int64_t rows = 0;
    struct db *db = open_fake(count_rows);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    assert_true(db_copy_put(db, piece, sizeof piece, &err));
    assert_true(db_copy_put(db, piece, 0, &err));
    assert_true(db_copy_in_end(db, &rows, &err));
    assert_int_equal(rows, 12);
    close_fake(db);
}

static void refuse_in_the_middle(int fd)
{
    begin_copy(fd, 'G');
    fake_read_message(fd, "d");
    fake_error(fd, "ERROR", "22P04", "s3cret", "", 0);
    fake_read_message(fd, "f");
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_refusal_in_the_middle_ends_the_sending(void **state)
{
    (void)state;
    struct db *db = open_fake(refuse_in_the_middle);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    while (db_copy_put(db, piece, sizeof piece, &err))
        continue;
    assert_string_equal(err.sqlstate, "22P04");
    assert_string_equal(err.message,
                        "warehouse refused statement \"rows_in\" (SQLSTATE 22P04); report it");
    close_fake(db);
}

static void refuse_without_reading(int fd)
{
    begin_copy(fd, 'G');
    char type;
    if (read(fd, &type, 1) != 1) /* the client sends */
        _exit(0);
    fake_error(fd, "ERROR", "53100", "s3cret", "", 0);
    fake_read(fd, 4); /* the rest of the first message's head */
    fake_read(fd, 2 * 8192 - 5);
    fake_read_message(fd, "f");
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_refusal_is_noticed_while_the_socket_is_full(void **state)
{
    (void)state;
    struct db *db = open_fake(refuse_without_reading);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    while (db_copy_put(db, piece, sizeof piece, &err))
        continue;
    if (strcmp(err.sqlstate, "53100") != 0)
        fail_msg("%s", err.message);
    assert_int_equal(err.status, STATUS_TEMPORARY);
    close_fake(db);
}

static void vanish_in_the_middle(int fd)
{
    begin_copy(fd, 'G');
    fake_read(fd, 100000);
}

static void a_server_lost_while_sending_is_temporary(void **state)
{
    (void)state;
    struct db *db = open_fake(vanish_in_the_middle);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    while (db_copy_put(db, piece, sizeof piece, &err))
        continue;
    assert_int_equal(err.status, STATUS_TEMPORARY);
    close_fake(db);
}

static void vanish_at_the_end(int fd)
{
    begin_copy(fd, 'G');
    fake_read_message(fd, "c");
}

static void a_server_lost_at_the_end_is_temporary(void **state)
{
    (void)state;
    int64_t rows = 7;
    struct db *db = open_fake(vanish_at_the_end);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    assert_false(db_copy_in_end(db, &rows, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_int_equal(rows, 7);
    close_fake(db);
}

static void signal_and_take(int fd)
{
    begin_copy(fd, 'G');
    fake_read_message(fd, "d");
    fake_signal_client();
    fake_read_message(fd, "f");
    fake_take_cancel();
    _exit(0);
}

static void a_stop_is_noticed_between_two_pieces(void **state)
{
    (void)state;
    struct db *db = open_fake(signal_and_take);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    while (db_copy_put(db, piece, 1024, &err))
        continue;
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    close_fake(db);
}

static void signal_and_be_full(int fd)
{
    begin_copy(fd, 'G');
    char type;
    if (read(fd, &type, 1) != 1)
        _exit(0);
    fake_signal_client();
    fake_take_cancel();
}

static void a_stop_is_noticed_while_the_socket_is_full(void **state)
{
    (void)state;
    struct db *db = open_fake(signal_and_be_full);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    while (db_copy_put(db, piece, sizeof piece, &err))
        continue;
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    close_fake(db);
}

/* ---- out ---- */

static void send_three_rows(int fd)
{
    begin_copy(fd, 'H');
    fake_send(fd, 'd', "one", 3);
    fake_send(fd, 'd', "", 0);
    fake_send(fd, 'd', "three", 5);
    fake_send(fd, 'c', "", 0);
    fake_complete(fd, "COPY 2", 'I');
    fake_wait_for_end(fd);
}

static void rows_come_until_the_length_is_zero(void **state)
{
    (void)state;
    int64_t rows = 0;
    const char *bytes;
    size_t length;
    struct db *db = open_fake(send_three_rows);
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    assert_true(db_copy_get(db, &bytes, &length, &err));
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "one", 3);
    assert_true(db_copy_get(db, &bytes, &length, &err));
    assert_int_equal(length, 5);
    assert_memory_equal(bytes, "three", 5);
    assert_true(db_copy_get(db, &bytes, &length, &err));
    assert_int_equal(length, 0);
    assert_true(db_copy_out_end(db, &rows, &err));
    assert_int_equal(rows, 2);
    close_fake(db);
}

static void fail_in_the_middle(int fd)
{
    begin_copy(fd, 'H');
    fake_send(fd, 'd', "one", 3);
    fake_error(fd, "ERROR", "22012", "s3cret", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_source_that_fails_tells_at_the_end(void **state)
{
    (void)state;
    int64_t rows = 0;
    const char *bytes;
    size_t length;
    struct db *db = open_fake(fail_in_the_middle);
    db->is_source = true;
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    do
        assert_true(db_copy_get(db, &bytes, &length, &err));
    while (length > 0);
    assert_false(db_copy_out_end(db, &rows, &err));
    assert_int_equal(err.status, STATUS_DATA);
    close_fake(db);
}

static void vanish_after_a_row(int fd)
{
    begin_copy(fd, 'H');
    fake_send(fd, 'd', "one", 3);
}

static void a_source_that_vanishes_is_temporary(void **state)
{
    (void)state;
    const char *bytes;
    size_t length = 1;
    bool ok;
    struct db *db = open_fake(vanish_after_a_row);
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    while ((ok = db_copy_get(db, &bytes, &length, &err)) && length > 0)
        continue;
    assert_false(ok && db_copy_out_end(db, NULL, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    close_fake(db);
}

static void send_a_row_and_be_cancelled(int fd)
{
    begin_copy(fd, 'H');
    fake_send(fd, 'd', "one", 3);
    fake_take_cancel();
    fake_error(fd, "ERROR", "57014", "", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_stop_is_noticed_while_the_source_is_silent(void **state)
{
    (void)state;
    const char *bytes;
    size_t length;
    struct db *db = open_fake(send_a_row_and_be_cancelled);
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    assert_true(db_copy_get(db, &bytes, &length, &err));
    raise(SIGTERM);
    assert_false(db_copy_get(db, &bytes, &length, &err));
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    close_fake(db);
}

static void refuse_the_start(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_error(fd, "ERROR", "42P01", "s3cret", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_copy_that_is_refused_does_not_begin(void **state)
{
    (void)state;
    struct db *db = open_fake(refuse_the_start);
    assert_false(db_copy_in(db, &copy_in, NULL, &err));
    assert_int_equal(err.status, STATUS_CONFIG);
    close_fake(db);
}

/* ---- mistakes ---- */

static void just_greet(int fd)
{
    fake_greet(fd);
    fake_wait_for_end(fd);
}

static void put_nowhere(void *db)
{
    db_copy_put(db, piece, 1, &err);
}

static void get_from_nowhere(void *db)
{
    const char *bytes;
    size_t length;
    db_copy_get(db, &bytes, &length, &err);
}

static void end_no_copy_in(void *db)
{
    db_copy_in_end(db, NULL, &err);
}

static void end_no_copy_out(void *db)
{
    db_copy_out_end(db, NULL, &err);
}

static void copy_undeclared(void *db)
{
    db_copy_in(db, &no_copy, NULL, &err);
}

static void copying_without_a_copy_is_a_bug(void **state)
{
    (void)state;
    struct db *db = open_fake(just_greet);
    expect_bug(put_nowhere, db, "without a COPY");
    expect_bug(get_from_nowhere, db, "without a COPY");
    expect_bug(end_no_copy_in, db, "did not run");
    expect_bug(end_no_copy_out, db, "before all of it was read");
    expect_bug(copy_undeclared, db, "\"no_copy\" is not declared");
    close_fake(db);
}

static void copy_the_other_way(void *db)
{
    db_copy_in(db, &copy_in, NULL, &err);
}

static void run_a_copy(void *db)
{
    db_run(db, &no_copy, NULL, NULL, &err);
}

static void a_copy_that_is_not_what_was_declared_is_a_bug(void **state)
{
    (void)state;
    struct db *db = open_fake(send_three_rows);
    expect_bug(copy_the_other_way, db, "\"rows_in\" copies the other way");
    close_fake(db);
    db = open_fake(send_three_rows);
    expect_bug(run_a_copy, db, "\"no_copy\" copies");
    close_fake(db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_counted_by_the_server),
        cmocka_unit_test(a_refusal_in_the_middle_ends_the_sending),
        cmocka_unit_test(a_refusal_is_noticed_while_the_socket_is_full),
        cmocka_unit_test(a_server_lost_while_sending_is_temporary),
        cmocka_unit_test(a_server_lost_at_the_end_is_temporary),
        cmocka_unit_test(a_stop_is_noticed_between_two_pieces),
        cmocka_unit_test(a_stop_is_noticed_while_the_socket_is_full),
        cmocka_unit_test(rows_come_until_the_length_is_zero),
        cmocka_unit_test(a_source_that_fails_tells_at_the_end),
        cmocka_unit_test(a_source_that_vanishes_is_temporary),
        cmocka_unit_test(a_stop_is_noticed_while_the_source_is_silent),
        cmocka_unit_test(a_copy_that_is_refused_does_not_begin),
        cmocka_unit_test(copying_without_a_copy_is_a_bug),
        cmocka_unit_test(a_copy_that_is_not_what_was_declared_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

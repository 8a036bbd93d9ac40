/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "expect_bug.h"
#include "fake_db.h"

static const struct sql_param text_param[] = {{"value", "text"}};
static const struct sql statement = {.name = "form_fact", .text = "SELECT 1"};
static const struct sql with_value = {
    .name = "with_value", .text = "SELECT $1", .params = text_param, .param_count = 1};
static const struct sql copy_in = {.name = "rows_in", .text = "COPY in", .is_copy = true};
static const struct sql copy_out = {.name = "rows_out", .text = "COPY out", .is_copy = true};

static void begin_copy(int fd, char type)
{
    fake_read_query(fd);
    fake_send(fd, type, "\1\0\0", 3); /* binary, no columns */
}

/* ---- stops ---- */

static void signal_and_be_cancelled(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_signal_client();
    fake_take_cancel();
    fake_error(fd, "ERROR", "57014", "s3cret", "", 0);
    fake_ready(fd, 'I');
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_wait_for_end(fd);
}

static void a_stop_cancels_the_statement(void **state)
{
    (void)state;
    struct db *db = open_fake(signal_and_be_cancelled);
    assert_false(db_run(db, &statement, NULL, NULL, &err));
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    assert_string_equal(err.message, "stopped while waiting for the warehouse; run the step again");
    assert_true(db_run(db, &statement, NULL, NULL, &err)); /* nothing of it is left over */
    close_fake(db);
}

static void signal_and_ignore_the_cancel(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_signal_client();
    fake_take_cancel();
    fake_wait_for_end(fd);
}

static void a_server_that_does_not_cancel_is_given_up(void **state)
{
    (void)state;
    struct db *db = open_fake(signal_and_ignore_the_cancel);
    int64_t started = clock_monotonic();
    assert_false(db_run(db, &statement, NULL, NULL, &err));
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    assert_in_range(clock_monotonic() - started, 1900000, 9000000);
    assert_false(db_run(db, &statement, NULL, NULL, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_string_equal(err.message,
                        "connection to the warehouse was given up; run the step again");
    db_rollback(db);
    close_fake(db);
}

static void signal_and_vanish(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_signal_client();
    fake_take_cancel();
}

static void a_server_that_vanishes_is_given_up_at_once(void **state)
{
    (void)state;
    struct db *db = open_fake(signal_and_vanish);
    assert_false(db_run(db, &statement, NULL, NULL, &err));
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    close_fake(db);
}

/* ---- large statements ---- */

/* Speaks while the client waits for room, and waits until it was heard. */
static void notice_then_read(int fd)
{
    fake_greet(fd);
    for (int i = 0; i < 3; i++) {
        fake_send(fd, 'N', "SNOTICE\0VNOTICE\0C00000\0Ms3cret\0", 32);
        fake_wait_until_full(fd);
        fake_wait_until_heard(fd);
    }
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_wait_for_end(fd);
}

static void a_value_larger_than_the_socket_arrives(void **state)
{
    (void)state;
    size_t length = 8 << 20;
    char *text = mem_alloc(length + 1);
    memset(text, 'x', length);
    struct db *db = open_fake(notice_then_read);
    const struct db_value values[] = {{"value", text}, {0}};
    assert_true(db_run(db, &with_value, values, NULL, &err));
    close_fake(db);
    free(text);
}

static void signal_without_reading(int fd)
{
    fake_greet(fd);
    char type;
    if (read(fd, &type, 1) != 1) /* the client is sending now */
        _exit(0);
    fake_signal_client();
    fake_take_cancel();
}

static void a_stop_is_noticed_while_sending(void **state)
{
    (void)state;
    size_t length = 8 << 20;
    char *text = mem_alloc(length + 1);
    memset(text, 'x', length);
    struct db *db = open_fake(signal_without_reading);
    const struct db_value values[] = {{"value", text}, {0}};
    assert_false(db_run(db, &with_value, values, NULL, &err));
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    close_fake(db);
    free(text);
}

static void vanish_while_reading(int fd)
{
    fake_greet(fd);
    fake_read(fd, 1 << 20);
}

static void a_connection_lost_while_sending_is_temporary(void **state)
{
    (void)state;
    size_t length = 8 << 20;
    char *text = mem_alloc(length + 1);
    memset(text, 'x', length);
    struct db *db = open_fake(vanish_while_reading);
    const struct db_value values[] = {{"value", text}, {0}};
    assert_false(db_run(db, &with_value, values, NULL, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_false(db_run(db, &with_value, values, NULL, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    close_fake(db);
    free(text);
}

/* ---- abandoned COPYs ---- */

static void take_copy_fail(int fd)
{
    fake_greet(fd);
    begin_copy(fd, 'G');
    if (!fake_read_message(fd, "f"))
        _exit(0);
    fake_error(fd, "ERROR", "57014", "COPY failed", "", 0);
    fake_ready(fd, 'E');
    fake_read_query(fd);
    fake_complete(fd, "ROLLBACK", 'I');
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_wait_for_end(fd);
}

static void a_copy_in_is_abandoned_by_telling_the_server(void **state)
{
    (void)state;
    struct db *db = open_fake(take_copy_fail);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    db_rollback(db);
    assert_int_equal(PQtransactionStatus(db->conn), PQTRANS_IDLE);
    assert_true(db_run(db, &statement, NULL, NULL, &err));
    close_fake(db);
}

static void need_a_cancel(int fd)
{
    fake_greet(fd);
    begin_copy(fd, 'G');
    fake_take_cancel();
    fake_error(fd, "ERROR", "57014", "cancelled", "", 0);
    fake_read_message(fd, "f");
    fake_ready(fd, 'I');
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_wait_for_end(fd);
}

static void a_copy_in_that_hangs_is_cancelled(void **state)
{
    (void)state;
    struct db *db = open_fake(need_a_cancel);
    assert_true(db_copy_in(db, &copy_in, NULL, &err));
    db_rollback(db);
    assert_true(db_run(db, &statement, NULL, NULL, &err));
    close_fake(db);
}

static void send_rows_until_cancelled(int fd)
{
    fake_greet(fd);
    begin_copy(fd, 'H');
    fake_send(fd, 'd', "row", 3);
    fake_take_cancel();
    fake_send(fd, 'd', "row", 3);
    fake_error(fd, "ERROR", "57014", "cancelled", "", 0);
    fake_ready(fd, 'I');
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_wait_for_end(fd);
}

static void a_copy_out_is_abandoned_by_cancelling(void **state)
{
    (void)state;
    struct db *db = open_fake(send_rows_until_cancelled);
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    db_rollback(db);
    assert_true(db_run(db, &statement, NULL, NULL, &err));
    close_fake(db);
}

/* ---- mistakes ---- */

static void wait_for_end(int fd)
{
    fake_greet(fd);
    begin_copy(fd, 'G');
    fake_wait_for_end(fd);
}

static void run_within_copy(void *db)
{
    db_copy_in(db, &copy_in, NULL, &err);
    db_run(db, &statement, NULL, NULL, &err);
}

static void a_statement_within_a_copy_is_a_bug(void **state)
{
    (void)state;
    struct db *db = open_fake(wait_for_end);
    expect_bug(run_within_copy, db, "while another one runs");
    close_fake(db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_cancels_the_statement),
        cmocka_unit_test(a_server_that_does_not_cancel_is_given_up),
        cmocka_unit_test(a_server_that_vanishes_is_given_up_at_once),
        cmocka_unit_test(a_value_larger_than_the_socket_arrives),
        cmocka_unit_test(a_stop_is_noticed_while_sending),
        cmocka_unit_test(a_connection_lost_while_sending_is_temporary),
        cmocka_unit_test(a_copy_in_is_abandoned_by_telling_the_server),
        cmocka_unit_test(a_copy_in_that_hangs_is_cancelled),
        cmocka_unit_test(a_copy_out_is_abandoned_by_cancelling),
        cmocka_unit_test(a_statement_within_a_copy_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * Sessions as a server sees them that refuses in odd places. What a real one
 * does is in tests/integration/test_db.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/interrupt.h"
#include "expect_bug.h"
#include "fake_server.h"
#include "io/db_private.h"

static struct error err;

static struct db *open_fake(void (*script)(int fd))
{
    memset(&err, 0, sizeof err);
    interrupt_install();
    fake_start(script);
    return db_open(&err);
}

static void refuse_session(int fd)
{
    fake_read_startup(fd);
    fake_welcome(fd);
    fake_read_query(fd);
    fake_error(fd, "ERROR", "42501", "s3cret", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_session_that_cannot_be_strict_is_not_opened(void **state)
{
    (void)state;
    assert_null(open_fake(refuse_session));
    fake_stop();
    assert_int_equal(err.status, STATUS_PERMISSION);
    assert_string_equal(err.sqlstate, "42501");
}

static void refuse_check_interval(int fd)
{
    fake_read_startup(fd);
    fake_welcome(fd);
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_read_query(fd);
    fake_error(fd, "ERROR", "22023", "s3cret", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_platform_without_connection_checks_is_served(void **state)
{
    (void)state;
    struct db *db = open_fake(refuse_check_interval);
    assert_non_null(db);
    assert_int_equal(err.status, STATUS_OK);
    db_close(db);
    fake_stop();
}

static void vanish_in_session(int fd)
{
    fake_read_startup(fd);
    fake_welcome(fd);
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_read_query(fd);
}

static void a_server_lost_while_opening_is_temporary(void **state)
{
    (void)state;
    assert_null(open_fake(vanish_in_session));
    fake_stop();
    assert_int_equal(err.status, STATUS_TEMPORARY);
}

static void signal_in_session(int fd)
{
    fake_read_startup(fd);
    fake_welcome(fd);
    fake_read_query(fd);
    fake_complete(fd, "SELECT 1", 'I');
    fake_read_query(fd);
    fake_signal_client();
    fake_take_cancel();
    fake_error(fd, "ERROR", "57014", "", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_stop_while_opening_is_noticed(void **state)
{
    (void)state;
    assert_null(open_fake(signal_in_session));
    fake_stop();
    assert_int_equal(err.status, STATUS_INTERRUPTED);
}

static void begin_once(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_complete(fd, "BEGIN", 'T');
    fake_read_query(fd);
    fake_complete(fd, "ROLLBACK", 'I');
    fake_wait_for_end(fd);
}

static void begin_again(void *db)
{
    db_begin(db, &err);
}

static void a_transaction_within_a_transaction_is_a_bug(void **state)
{
    (void)state;
    struct db *db = open_fake(begin_once);
    assert_true(db_begin(db, &err));
    expect_bug(begin_again, db, "inside of another");
    db_close(db);
    fake_stop();
}

static void answer_rollback(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_complete(fd, "BEGIN", 'T');
    fake_read_query(fd);
    fake_complete(fd, "ROLLBACK", 'I');
    fake_wait_for_end(fd);
}

static void a_commit_answered_by_rollback_is_our_mistake(void **state)
{
    (void)state;
    struct db *db = open_fake(answer_rollback);
    assert_true(db_begin(db, &err));
    assert_false(db_commit(db, &err));
    assert_int_equal(err.status, STATUS_BUG);
    db_close(db);
    fake_stop();
}

static void vanish_after_greeting(int fd)
{
    fake_greet(fd);
}

static void a_commit_on_a_lost_connection_fails(void **state)
{
    (void)state;
    struct db *db = open_fake(vanish_after_greeting);
    assert_false(db_begin(db, &err));
    assert_false(db_commit(db, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    db_rollback(db);
    db_close(db);
    fake_stop();
}

static void nothing_is_closed_and_rolled_back(void **state)
{
    (void)state;
    db_rollback(NULL);
    db_close(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_cannot_be_strict_is_not_opened),
        cmocka_unit_test(a_platform_without_connection_checks_is_served),
        cmocka_unit_test(a_server_lost_while_opening_is_temporary),
        cmocka_unit_test(a_stop_while_opening_is_noticed),
        cmocka_unit_test(a_transaction_within_a_transaction_is_a_bug),
        cmocka_unit_test(a_commit_answered_by_rollback_is_our_mistake),
        cmocka_unit_test(a_commit_on_a_lost_connection_fails),
        cmocka_unit_test(nothing_is_closed_and_rolled_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

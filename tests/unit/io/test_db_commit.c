/* SPDX-License-Identifier: MIT
 *
 * The ends of a transaction that go wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_db.h"

static void begin_transaction(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_complete(fd, "BEGIN", 'T');
    fake_read_query(fd);
}

static void vanish_at_commit(int fd)
{
    begin_transaction(fd);
}

static void die_at_commit(int fd)
{
    begin_transaction(fd);
    fake_error(fd, "FATAL", "57P01", "s3cret", "", 0);
}

static void a_connection_lost_at_commit_says_so(void **state)
{
    (void)state;
    void (*const scripts[])(int) = {vanish_at_commit, die_at_commit};
    for (size_t i = 0; i < 2; i++) {
        struct db *db = open_fake(scripts[i]);
        assert_true(db_begin(db, &err));
        assert_false(db_commit(db, &err));
        assert_int_equal(err.status, STATUS_TEMPORARY);
        assert_string_equal(err.message, "connection lost while committing; run the step again, "
                                         "it finds out what happened");
        close_fake(db);
    }
}

static void refuse_commit(int fd)
{
    begin_transaction(fd);
    fake_error(fd, "ERROR", "40001", "s3cret", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_refused_commit_is_told_by_its_sqlstate(void **state)
{
    (void)state;
    struct db *db = open_fake(refuse_commit);
    assert_true(db_begin(db, &err));
    assert_false(db_commit(db, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_string_equal(
        err.message, "warehouse refused statement \"commit\" (SQLSTATE 40001); run the step again");
    close_fake(db);
}

static void signal_then_commit(int fd)
{
    begin_transaction(fd);
    fake_signal_client();
    fake_send(fd, 'C', "COMMIT", 7);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_commit_that_ends_after_a_stop_counts(void **state)
{
    (void)state;
    struct db *db = open_fake(signal_then_commit);
    assert_true(db_begin(db, &err));
    assert_true(db_commit(db, &err));
    assert_true(interrupt_is_asked());
    close_fake(db);
}

static void signal_and_never_commit(int fd)
{
    begin_transaction(fd);
    fake_signal_client();
    fake_wait_for_end(fd);
}

static void a_commit_that_never_ends_is_given_up_after_a_stop(void **state)
{
    (void)state;
    struct db *db = open_fake(signal_and_never_commit);
    assert_true(db_begin(db, &err));
    assert_false(db_commit(db, &err));
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    assert_string_equal(err.message,
                        "stopped while committing; run the step again, it finds out what happened");
    close_fake(db);
}

static void never_roll_back(int fd)
{
    begin_transaction(fd);
    fake_wait_for_end(fd);
}

static void a_rollback_without_answer_gives_the_connection_up(void **state)
{
    (void)state;
    struct db *db = open_fake(never_roll_back);
    assert_true(db_begin(db, &err));
    db_rollback(db);
    assert_false(db_begin(db, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    close_fake(db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_lost_at_commit_says_so),
        cmocka_unit_test(a_refused_commit_is_told_by_its_sqlstate),
        cmocka_unit_test(a_commit_that_ends_after_a_stop_counts),
        cmocka_unit_test(a_commit_that_never_ends_is_given_up_after_a_stop),
        cmocka_unit_test(a_rollback_without_answer_gives_the_connection_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

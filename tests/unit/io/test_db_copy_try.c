/* SPDX-License-Identifier: MIT
 *
 * Rows of a COPY as they come, without waiting, and the wait for several.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "expect_bug.h"
#include "fake_db.h"

static const struct sql copy_out = {.name = "rows_out", .text = "COPY", .is_copy = true};

static const char *bytes;
static size_t length;
static bool is_there;

static void begin_copy(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_send(fd, 'H', "\0\0\0", 3);
}

static bool try(struct db *db)
{
    return db_copy_try(db, &bytes, &length, &is_there, &err);
}

static bool wait_for(struct db *db)
{
    return db_copy_wait(&db, 1, &err);
}

static void send_a_row_when_asked(int fd)
{
    begin_copy(fd);
    fake_take_cancel();
    fake_send(fd, 'd', "one", 3);
    fake_send(fd, 'c', "", 0);
    fake_complete(fd, "COPY 1", 'I');
    fake_wait_for_end(fd);
}

static void nothing_is_there_until_it_comes(void **state)
{
    char reason[256];
    int64_t rows = 0;
    (void)state;
    struct db *db = open_fake(send_a_row_when_asked);
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    assert_true(try(db));
    assert_false(is_there);
    PQcancel(db->cancel, reason, sizeof reason);
    do
        assert_true(wait_for(db) && try(db));
    while (!is_there);
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "one", 3);
    do
        assert_true(try(db));
    while (!is_there);
    assert_int_equal(length, 0);
    assert_true(db_copy_out_end(db, &rows, &err));
    assert_int_equal(rows, 1);
    db_close(db);
    fake_stop();
}

static void vanish(int fd)
{
    begin_copy(fd);
}

static void a_source_that_vanishes_is_temporary(void **state)
{
    bool ok;
    (void)state;
    struct db *db = open_fake(vanish);
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    while ((ok = try(db)) && !is_there)
        assert_true(wait_for(db));
    assert_false(ok && db_copy_out_end(db, NULL, &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
    close_fake(db);
}

static void be_silent(int fd)
{
    begin_copy(fd);
    fake_take_cancel();
    fake_wait_for_end(fd);
}

static void a_stop_is_noticed_and_the_session_given_up(void **state)
{
    (void)state;
    struct db *db = open_fake(be_silent);
    assert_true(db_copy_out(db, &copy_out, NULL, &err));
    assert_true(try(db) && !is_there);
    raise(SIGTERM);
    assert_false(wait_for(db));
    assert_int_equal(err.status, STATUS_INTERRUPTED);
    db_give_up(db);
    assert_true(db->is_lost);
    db_give_up(db); /* once more changes nothing */
    close_fake(db);
}

static void just_greet(int fd)
{
    fake_greet(fd);
    fake_wait_for_end(fd);
}

static void name_no_snapshot(void *db)
{
    db_begin_in_snapshot(db, "0'; --", &err);
}

static void a_snapshot_has_a_name_of_its_own_kind(void **state)
{
    (void)state;
    struct db *db = open_fake(just_greet);
    expect_bug(name_no_snapshot, db, "unknown kind of name");
    close_fake(db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_there_until_it_comes),
        cmocka_unit_test(a_source_that_vanishes_is_temporary),
        cmocka_unit_test(a_stop_is_noticed_and_the_session_given_up),
        cmocka_unit_test(a_snapshot_has_a_name_of_its_own_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

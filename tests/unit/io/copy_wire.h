/* SPDX-License-Identifier: MIT
 *
 * What stands in for the connection where rows are made and relayed: it keeps
 * what is put, gives what a test prepared, and fails where a test says so.
 */
#ifndef TESTS_UNIT_IO_COPY_WIRE_H
#define TESTS_UNIT_IO_COPY_WIRE_H

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "io/copy.h"

static struct {
    struct str taken;
    size_t puts;      /* calls that were made */
    size_t fail_from; /* the put that fails first, 0 for none */
    bool fail_in, fail_out, fail_in_end, fail_out_end;
    int64_t sent, counted; /* rows, as the two servers count */
} wire;

bool __wrap_db_copy_in(struct db *db, const struct sql *sql, const struct db_value *values,
                       struct error *err);
bool __wrap_db_copy_put(struct db *db, const void *bytes, size_t length, struct error *err);
bool __wrap_db_copy_in_end(struct db *db, int64_t *rows, struct error *err);
bool __wrap_db_copy_out(struct db *db, const struct sql *sql, const struct db_value *values,
                        struct error *err);
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

bool __wrap_db_copy_out_end(struct db *db, int64_t *rows, struct error *err)
{
    (void)db;
    *rows = wire.sent;
    return !wire.fail_out_end || error_set(err, STATUS_DATA, "out end");
}

static inline int set_up(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof wire);
    str_init(&wire.taken);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    str_release(&wire.taken);
    return 0;
}

static const struct sql in = {.name = "rows_in", .text = "", .is_copy = true};
static struct error err;

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

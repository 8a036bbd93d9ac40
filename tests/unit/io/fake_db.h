/* SPDX-License-Identifier: MIT
 *
 * A warehouse session with the server of a script (fake_server.h).
 */
#ifndef TESTS_UNIT_IO_FAKE_DB_H
#define TESTS_UNIT_IO_FAKE_DB_H

#include "base/interrupt.h"
#include "fake_server.h"
#include "io/db_private.h"

static struct error err;

static inline struct db *open_fake(void (*script)(int fd))
{
    memset(&err, 0, sizeof err);
    interrupt_install();
    fake_start(script);
    struct db *db = db_open(&err);
    if (!db)
        fail_msg("%s", err.message);
    return db;
}

static inline void close_fake(struct db *db)
{
    db_close(db);
    fake_stop();
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * A batch on its way through etl/batch, for the tests of it.
 */
#ifndef TESTS_INTEGRATION_BATCH_WORLD_H
#define TESTS_INTEGRATION_BATCH_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "etl/batch.h"
#include "etl_world.h"

#define STEP "load-staging"

/* A batch of the workflow "form", opened on db. */
static inline void open_on(struct db *db, struct batch *batch, const char *run_key,
                           int64_t generation, bool *is_new)
{
    *batch = (struct batch){.workflow = mem_strdup("form"),
                            .run_key = mem_strdup(run_key),
                            .fingerprint = mem_strdup("work"),
                            .generation = generation,
                            .since = CLOCK_BEGINNING,
                            .until = 1700000000 * CLOCK_SECOND,
                            .own_times = true};
    if (!db_begin(db, &world.err) || !batch_open(db, batch, is_new, &world.err) ||
        !db_commit(db, &world.err))
        fail_msg("%s", world.err.message);
}

static inline void open_batch(struct batch *batch)
{
    bool is_new;
    open_on(world.db, batch, "key", 1, &is_new);
}

static inline void hold_on(struct db *db, struct batch *batch)
{
    if (!batch_hold(db, batch, STEP, &world.err) || !db_commit(db, &world.err))
        fail_msg("%s", world.err.message);
    assert_true(batch->is_held);
}

static inline void finish_on(struct db *db, struct batch *batch)
{
    batch_report(&world.result, batch, "form", "done", clock_monotonic());
    assert_true(batch_enter(db, batch, &world.err));
    if (!batch_finish(db, batch, &world.result, &world.err))
        fail_msg("%s", world.err.message);
}

#endif

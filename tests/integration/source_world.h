/* SPDX-License-Identifier: MIT
 *
 * The sources of a batch and its window, for the tests of etl/source.
 */
#ifndef TESTS_INTEGRATION_SOURCE_WORLD_H
#define TESTS_INTEGRATION_SOURCE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etl/source.h"
#include "etl_world.h"

#define MINUTE (60 * CLOCK_SECOND)
#define HOUR (60 * MINUTE)

static const struct window_options by_default = {
    .overlap = 15 * MINUTE, .start = CLOCK_BEGINNING, .settle = -1};

static const char *spec;
static struct source_list list;
static struct window window;

static inline int begin(void **state)
{
    world_begin(state);
    spec = world_make_source();
    return 0;
}

static inline int set_up(void **state)
{
    world_set_up(state);
    world.task = "load-staging";
    world_source_sql("SELECT 1");
    return 0;
}

static inline int tear_down(void **state)
{
    source_list_release(&list);
    return world_tear_down(state);
}

static inline bool init(const char *const *specs, size_t count)
{
    const char *items[4] = {0};
    const struct task_list given = {.items = items, .count = count};
    for (size_t i = 0; i < count; i++)
        items[i] = specs[i];
    source_list_release(&list);
    return source_list_init(&list, &given, &world.err);
}

/* One server, connected. */
static inline void open_server(void)
{
    if (!init(&spec, 1) || !source_list_open(&list, &world.err))
        fail_msg("%s", world.err.message);
}

static inline bool choose(const struct window_options *options)
{
    return source_list_choose(&list, world.db, "form", options, &window, &world.err);
}

static inline void assert_chosen(const struct window_options *options)
{
    if (!choose(options))
        fail_msg("%s", world.err.message);
}

/* The source's clock, a moment ago. */
static inline int64_t source_now(void)
{
    int64_t time = 0;
    const char *text = world_value("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC',"
                                   " 'YYYY-MM-DD\"T\"HH24:MI:SS.US')");
    assert_int_equal(clock_parse(text, strlen(text), &time), CLOCK_OK);
    return time;
}

#endif

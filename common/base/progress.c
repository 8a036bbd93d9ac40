/* SPDX-License-Identifier: MIT */
#include "base/progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define LOG_EVERY_MS 30000
#define TERMINAL_EVERY_MS 250
#define BAR_WIDTH 20

static char window_since[CLOCK_TEXT_SIZE], window_until[CLOCK_TEXT_SIZE];

struct progress progress_begin(const char *event, const char *sql)
{
    struct progress progress = {.event = event, .sql = sql, .started = clock_monotonic()};

    progress.told = progress.started;
    return progress;
}

void progress_set_window(const char *since, const char *until)
{
    snprintf(window_since, sizeof window_since, "%s", since);
    snprintf(window_until, sizeof window_until, "%s", until);
}

int progress_interval_ms(void)
{
    return log_has_status() ? TERMINAL_EVERY_MS : LOG_EVERY_MS;
}

static int64_t rate(const struct progress *progress, int64_t passed)
{
    return passed > 0 ? (int64_t)((double)progress->rows * CLOCK_SECOND / (double)passed) : 0;
}

/* A file may grow while it is read. */
static int percent(const struct progress *progress)
{
    return progress->bytes < progress->size
               ? (int)((double)progress->bytes / (double)progress->size * 100)
               : 100;
}

static void write_event(const struct progress *progress, int64_t passed)
{
    struct str text;

    str_init(&text);
    if (progress->sql)
        str_add_format(&text, "sql=%s ", progress->sql);
    str_add_format(&text, "ms=%" PRId64, passed / 1000);
    if (progress->rows > 0) {
        str_add_format(&text, " rows=%" PRId64 " rows_per_second=%" PRId64 " bytes=%" PRId64,
                       progress->rows, rate(progress, passed), progress->bytes);
        if (progress->rejected > 0)
            str_add_format(&text, " rejected=%" PRId64, progress->rejected);
        if (progress->size > 0)
            str_add_format(&text, " percent=%d", percent(progress));
        else if (*window_until)
            str_add_format(&text, " since=%s until=%s", window_since, window_until);
    }
    log_event(LOG_INFO, progress->event, "%s", text.text);
    str_release(&text);
}

static void add_bar(struct str *text, int percent)
{
    int full = percent * BAR_WIDTH / 100;

    str_add_text(text, " [");
    for (int i = 0; i < BAR_WIDTH; i++)
        str_add_text(text, i < full ? "#" : ".");
    str_add_format(text, "] %3d %%", percent);
}

static void draw(const struct progress *progress, int64_t passed)
{
    struct str text;
    int64_t seconds = passed / CLOCK_SECOND;

    str_init(&text);
    str_add_text(&text, progress->event);
    if (progress->size > 0)
        add_bar(&text, percent(progress));
    else if (progress->sql)
        str_add_format(&text, " %s", progress->sql);
    str_add_format(&text, "  %" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
    if (progress->rows > 0)
        str_add_format(&text, "  %" PRId64 " rows  %" PRId64 "/s", progress->rows,
                       rate(progress, passed));
    if (progress->rejected > 0)
        str_add_format(&text, "  %" PRId64 " rejected", progress->rejected);
    if (progress->rows > 0 && progress->size == 0 && *window_until)
        str_add_format(&text, "  until %s", window_until);
    log_status(text.text);
    str_release(&text);
}

void progress_show(const struct progress *progress)
{
    int64_t passed = clock_monotonic() - progress->started;

    if (log_has_status())
        draw(progress, passed);
    else
        write_event(progress, passed);
}

void progress_tell(struct progress *progress)
{
    int64_t now = clock_monotonic();

    if (now - progress->told < progress_interval_ms() * (CLOCK_SECOND / 1000))
        return;
    progress->told = now;
    progress_show(progress);
}

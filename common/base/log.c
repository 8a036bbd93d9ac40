/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define CONTEXT_SIZE 64

/* What a pipe takes in one piece, so that no other writer comes in between. */
#define LINE_SIZE 4096

static const char *task = "factline";
static enum log_level shown = LOG_ERROR;
static bool is_journal;
static char workflow_name[CONTEXT_SIZE] = "-";
static char batch_name[CONTEXT_SIZE] = "-";

static const struct {
    const char *name;
    int priority; /* as of syslog */
} levels[] = {
    [LOG_ERROR] = {"error", 3},
    [LOG_WARNING] = {"warning", 4},
    [LOG_INFO] = {"info", 6},
    [LOG_DEBUG] = {"debug", 7},
};

/* A service's children inherit JOURNAL_STREAM along with other outputs, so it names the file
 * that is the journal; only where standard error is that file are priorities understood. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char actual[64];

    if (!stream || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(actual, sizeof actual, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, actual) == 0;
}

void log_open(const char *name, enum log_level level)
{
    task = name;
    shown = level;
    is_journal = stderr_is_journal();
}

static void set_context(char *to, const char *text)
{
    snprintf(to, CONTEXT_SIZE, "%s", text && *text ? text : "-");
}

void log_set_context(const char *workflow, const char *batch)
{
    set_context(workflow_name, workflow);
    set_context(batch_name, batch);
}

bool log_is_on(enum log_level level)
{
    return level <= shown;
}

/* A line stays one line and sends nothing to a terminal: neither the controls of
 * ASCII nor those of Unicode, which are the bytes c2 80 to c2 9f. */
static void replace_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
            at[0] = at[1] = '?';
        else if (*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
}

/* Adds to the line at *length; what does not fit, a newline still to come, is cut. */
__attribute__((format(printf, 3, 0))) static void add_values(char *line, size_t *length,
                                                             const char *format, va_list values)
{
    size_t room = LINE_SIZE - 1 - *length;
    int wanted = vsnprintf(line + *length, room, format, values);

    if (wanted > 0)
        *length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

__attribute__((format(printf, 3, 4))) static void add(char *line, size_t *length,
                                                      const char *format, ...)
{
    va_list values;

    va_start(values, format);
    add_values(line, length, format, values);
    va_end(values);
}

/* Nobody is told when this fails: there is nobody left to tell, and the work goes on. */
static void write_line(char *line, size_t length)
{
    replace_controls(line);
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_SIZE], now[CLOCK_TEXT_SIZE];
    size_t length = 0;
    int saved_errno = errno;
    va_list values;

    if (!log_is_on(level))
        return;
    if (is_journal)
        add(line, &length, "<%d>", levels[level].priority);
    add(line, &length, "%s %s %s %s %s %s", clock_format(clock_now(), now), levels[level].name,
        task, workflow_name, batch_name, event);
    if (*format) {
        add(line, &length, " ");
        va_start(values, format);
        add_values(line, &length, format, values);
        va_end(values);
    }
    write_line(line, length);
    errno = saved_errno;
}

void log_failure(const struct error *err)
{
    char line[LINE_SIZE];
    size_t length = 0;

    if (is_journal)
        add(line, &length, "<%d>", levels[LOG_ERROR].priority);
    add(line, &length, "%s: error: %s", task, err->message);
    write_line(line, length);
}

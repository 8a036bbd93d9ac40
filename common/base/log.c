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
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define CONTEXT_SIZE 64

/* What a pipe takes in one piece, so that no other writer comes in between. */
#define LINE_SIZE 4096

/* A status on a terminal that does not tell its width, and the widest one. */
#define USUAL_WIDTH 80
#define STATUS_SIZE 256

static const char *task = "factline";
static enum log_level shown = LOG_ERROR;
static bool is_journal, is_terminal;
static int status_width; /* columns of the status that is shown, 0 for none */
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

static bool stderr_is_terminal(void)
{
    const char *type = getenv("TERM");

    return isatty(STDERR_FILENO) && (!type || strcmp(type, "dumb") != 0);
}

void log_open(const char *name, enum log_level level)
{
    task = name;
    shown = level;
    is_journal = stderr_is_journal();
    is_terminal = stderr_is_terminal();
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
static void put(const char *text, size_t length)
{
    if (write(STDERR_FILENO, text, length) < 0)
        return;
}

static void take_status_away(void)
{
    char blank[STATUS_SIZE];

    if (status_width == 0)
        return;
    put(blank, (size_t)snprintf(blank, sizeof blank, "%*s\r", status_width, ""));
    status_width = 0;
}

static void write_line(char *line, size_t length)
{
    take_status_away();
    replace_controls(line);
    line[length] = '\n';
    put(line, length + 1);
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

bool log_has_status(void)
{
    return is_terminal && log_is_on(LOG_INFO);
}

/* The last column stays free: some terminals go on to the next line behind it. */
static int room_for_status(void)
{
    struct winsize size = {0};

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        size.ws_col = USUAL_WIDTH;
    return size.ws_col < STATUS_SIZE - 1 ? size.ws_col - 1 : STATUS_SIZE - 2;
}

/* The cursor is left at the beginning of the line, so that what other processes write there
 * begins a line, too. */
void log_status(const char *text)
{
    char line[STATUS_SIZE], out[STATUS_SIZE];
    size_t room = (size_t)room_for_status();
    int length;

    if (!log_has_status())
        return;
    snprintf(line, sizeof line, "%s %s %s %s", task, workflow_name, batch_name, text);
    line[strlen(line) < room ? strlen(line) : room] = '\0';
    length = (int)strlen(line);
    replace_controls(line);
    put(out, (size_t)snprintf(out, sizeof out, "%-*s\r", status_width, line));
    status_width = length;
}

static void write_mark(const char *mark, const char *name)
{
    const char *airflow_task = getenv("AIRFLOW_CTX_TASK_ID");
    char line[LINE_SIZE];
    size_t length = 0;

    if (!airflow_task || !*airflow_task)
        return;
    add(line, &length, "%s%s", mark, name);
    write_line(line, length);
}

void log_begin_group(const char *name)
{
    write_mark("::group::", name);
}

void log_end_group(void)
{
    write_mark("::endgroup::", "");
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

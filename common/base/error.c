/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Cuts at the field's size; the text may be made from the message that it replaces. */
static void copy_message(struct error *err, const char *text)
{
    size_t length = strlen(text);

    if (length >= sizeof err->message)
        length = sizeof err->message - 1;
    memmove(err->message, text, length);
    err->message[length] = '\0';
}

bool error_set(struct error *err, enum status status, const char *format, ...)
{
    char text[sizeof err->message];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);

    err->status = status;
    err->sqlstate[0] = '\0';
    copy_message(err, text);
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    char text[2 * sizeof err->message];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof err->message, format, values);
    va_end(values);

    size_t length = strlen(text);
    memcpy(text + length, err->message, strlen(err->message) + 1);
    copy_message(err, text);
    return false;
}

const char *status_name(enum status status)
{
    switch (status) {
    case STATUS_OK: return "OK";
    case STATUS_USAGE: return "USAGE";
    case STATUS_DATA: return "DATA";
    case STATUS_UNAVAILABLE: return "UNAVAILABLE";
    case STATUS_BUG: return "BUG";
    case STATUS_IO: return "IO";
    case STATUS_TEMPORARY: return "TEMPORARY";
    case STATUS_PERMISSION: return "PERMISSION";
    case STATUS_CONFIG: return "CONFIG";
    case STATUS_STALE: return "STALE";
    case STATUS_SKIP: return "SKIP";
    case STATUS_INTERRUPTED: return "INTERRUPTED";
    }
    return "UNKNOWN";
}

void error_bug(const char *file, int line, const char *format, ...)
{
    struct error err;
    char text[256];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);

    error_set(&err, STATUS_BUG, "mistake in the program, %s line %d: %s; report it", file, line,
              text);
    log_failure(&err);
#ifdef FACTLINE_DEBUG
    abort();
#else
    exit(STATUS_BUG);
#endif
}

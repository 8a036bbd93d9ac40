/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"

/* The one place that asks the system, and so the one that banned.h does not bind. */
#undef calloc
#undef realloc

static _Noreturn void end_without_memory(size_t size)
{
    struct error err;

    error_set(&err, STATUS_TEMPORARY,
              "the system has no memory for %zu more bytes; run again when it has", size);
    log_failure(&err);
    exit(STATUS_TEMPORARY);
}

void *mem_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (!memory)
        end_without_memory(size);
    return memory;
}

void *mem_resize(void *old, size_t size)
{
    void *memory = realloc(old, size > 0 ? size : 1);

    if (!memory)
        end_without_memory(size);
    return memory;
}

char *mem_copy(const char *bytes, size_t length)
{
    char *copy = mem_resize(NULL, length + 1);

    if (length > 0) /* bytes may then be NULL, which memcpy must not get */
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *mem_strdup(const char *text)
{
    return text ? mem_copy(text, strlen(text)) : NULL;
}

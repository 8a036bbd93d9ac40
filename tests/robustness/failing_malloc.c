/* SPDX-License-Identifier: MIT
 *
 * To be preloaded: the memory that the n-th request asks for is not there.
 * FAILING_REQUEST is n, 0 for none; with FAILING_ON set, no later request is
 * met either. FAILING_COUNT names a file that is told, at the end, how many
 * requests there were. What the loader asks for before main begins counts, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static long requests;

static bool is_refused(void)
{
    static long wanted = -1;
    static bool goes_on;

    if (wanted < 0) {
        const char *number = getenv("FAILING_REQUEST");
        wanted = number ? strtol(number, NULL, 10) : 0;
        goes_on = getenv("FAILING_ON") != NULL;
    }
    requests++;
    if (wanted == 0 || (goes_on ? requests < wanted : requests != wanted))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(old, size);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FAILING_COUNT");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;

    if (file >= 0) {
        dprintf(file, "%ld\n", requests);
        close(file);
    }
}

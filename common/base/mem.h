/* SPDX-License-Identifier: MIT
 *
 * Memory that is there or ends the program: one line on standard error and
 * exit status 75 when the system has no more. So no caller tests for NULL.
 * Results are released with free().
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* size zeroed bytes; a size of 0 gives one byte. */
void *mem_alloc(size_t size);

/* realloc() of old, which may be NULL; new bytes are not set. */
void *mem_resize(void *old, size_t size);

/* A copy of length bytes, with a NUL after them. */
char *mem_copy(const char *bytes, size_t length);

/* A copy of text, NULL for NULL. */
char *mem_strdup(const char *text);

#endif

/* SPDX-License-Identifier: MIT
 *
 * What the writers of COPY's binary format share.
 */
#ifndef IO_COPY_PRIVATE_H
#define IO_COPY_PRIVATE_H

#include <stddef.h>

#define COPY_CHUNK ((size_t)64 * 1024) /* sent at once */

/* Signature, flags and the length of an extension that nobody has yet; the literal's own NUL is the
 * last byte, so that sizeof counts right. */
#define COPY_HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"

#endif

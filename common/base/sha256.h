/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4), in pieces. It asks for no memory, so it cannot fail.
 *
 * Calling sequence: init, add any number of times, end.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX 64 /* digits of a digest */

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far; what fills no block yet is in block */
    unsigned char block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *bytes, size_t length);

/* hex has room for SHA256_HEX lower case digits and a NUL. */
void sha256_end(struct sha256 *sha, char *hex);

#endif

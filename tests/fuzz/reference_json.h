/* SPDX-License-Identifier: MIT
 *
 * A second opinion on JSON: the plainest reader of the promises of io/json.h,
 * one byte after the other, as a tree. It shares no code with the product.
 */
#ifndef TESTS_FUZZ_REFERENCE_JSON_H
#define TESTS_FUZZ_REFERENCE_JSON_H

#include "base/str.h"
#include "io/json.h"

struct reference {
    enum json_type type;
    struct str key;    /* decoded, of a member */
    struct str text;   /* decoded, of a string */
    const char *start; /* its source text, quotes included */
    size_t length;
    struct reference *items; /* elements or members */
    size_t count;
};

/* Reads all of the text; what is built is to be released in any case. */
enum json_problem reference_read(const char *text, size_t length, struct reference *root);
void reference_release(struct reference *node);

/* The member of this name, NULL where there is none. */
const struct reference *reference_member(const struct reference *node, const char *name);

/* Whether the bytes are UTF-8; NUL is a character. */
bool reference_is_utf8(const char *text, size_t length);

#endif

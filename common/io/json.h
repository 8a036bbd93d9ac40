/* SPDX-License-Identifier: MIT
 *
 * One strict pass over the bytes of a document, which cuts out the values at
 * declared paths. The whole input is checked: JSON syntax (RFC 8259), UTF-8,
 * no U+0000 in any spelling, no lone surrogate, no key twice in an object
 * (escaped spellings count as what they spell), nothing but white space after the
 * value, depth of at most JSON_DEPTH_MAX. Of several problems the first in the
 * text is told. cJSON then decodes the parts that were cut out; by itself it
 * accepts most of what is refused here. Numbers keep their source text and never
 * pass through a double. Names are matched by case.
 *
 * A path is keys joined by dots ("metadata.userID"); keys may hold "@", "-", "#",
 * "_". The empty path is the document itself.
 */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define JSON_DEPTH_MAX 1000

enum json_type {
    JSON_ABSENT,
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A value as its source text; a string without its quotes, escapes not yet decoded. Borrowed
 * from the document. */
struct json_value {
    enum json_type type;
    bool has_escape;
    const char *text;
    size_t length;
};

enum json_problem {
    JSON_OK,
    JSON_BAD,           /* syntax, depth, empty */
    JSON_TRAILING_TEXT, /* a whole value, then more */
    JSON_DUPLICATE_KEY,
    JSON_NUL_CHARACTER, /* a NUL byte or \u0000 */
    JSON_BAD_ENCODING,  /* not UTF-8 */
    JSON_BAD_ESCAPE     /* unknown escape, lone surrogate */
};

/* A set of paths, compiled once and used for many documents. */
struct json_plan;

/* paths: count texts that outlive the plan. */
struct json_plan *json_plan_new(const char *const *paths, size_t count);
void json_plan_free(struct json_plan *plan); /* accepts NULL */

/* Scans length bytes and sets values[i] to what stands at paths[i], JSON_ABSENT where nothing
 * does. The document may be of any type; only objects have paths. The values are set with JSON_OK
 * only. */
enum json_problem json_scan(struct json_plan *plan, const char *text, size_t length,
                            struct json_value *values);

/* The decoded text of a string. Points into the document where nothing is escaped, else into
 * *scratch, which is emptied first. */
const char *json_text(const struct json_value *value, struct str *scratch, size_t *length);

/* An integer from its source text: optional minus, digits; no fraction, no exponent. False beyond
 * 2^53 either way. */
bool json_integer(const struct json_value *value, int64_t *number);

/* Calls each with the elements of an array, in order, until it returns false (then so does this).
 * A value of another type has no elements. */
bool json_each(const struct json_value *array,
               bool (*each)(const struct json_value *element, void *data), void *data);

/* Finds a member of an object by name; JSON_ABSENT if there is none or it is no object. */
struct json_value json_member(const struct json_value *object, const char *name);

/* Adds the document to *to with the values of all members of these names (NULL-terminated, at any
 * depth) replaced by null: for keeping rejects. The document must have passed json_scan. */
void json_blank(const char *text, size_t length, const char *const *names, struct str *to);

#endif

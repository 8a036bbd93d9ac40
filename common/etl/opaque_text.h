/* SPDX-License-Identifier: MIT
 *
 * Stretches of a key's text, which is sound UTF-8, and what they are made of. Part of
 * etl/opaque_key.
 */
#ifndef ETL_OPAQUE_TEXT_H
#define ETL_OPAQUE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Points into the text that was split. */
struct part {
    const char *text;
    size_t length;
};

#define PARTS_MAX 9

/* One or more characters, each of Unicode's \w or one of the ASCII characters of also. */
bool part_is_of(struct part part, const char *also);

bool part_begins(struct part part, const char *prefix);

bool part_is_same(struct part one, struct part other);

/* What follows the first length bytes. */
struct part part_after(struct part part, size_t length);

/* Cuts at each separator; how many parts, 0 where they are more than PARTS_MAX. */
size_t part_split(struct part whole, char separator, struct part parts[PARTS_MAX]);

/* Adds what stands before the last "::" to *key; *rest is what follows. False where there is none.
 */
bool part_cut_last(struct part part, struct str *key, struct part *rest);

/* The same up to the first "::" that is not escaped, taking the escapes "$:" and "$$" away. */
bool part_unescape(struct part part, struct str *key, struct part *rest);

/* Escapes the end of *to, from a position on; *scratch is overwritten. */
void part_escape(struct str *to, size_t from, struct str *scratch);

#endif

/* SPDX-License-Identifier: MIT
 *
 * A few members of an object of no fixed shape, such as the state of a piece of software: what the
 * object holds beside them is checked for its syntax and otherwise left alone.
 */
#ifndef ETL_EXTRACT_H
#define ETL_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "etl/field.h"

struct extract;

/* elements: as for FIELD_EXTRACT; they outlive the extract. */
struct extract *extract_new(const struct field *elements);
void extract_free(struct extract *extract); /* accepts NULL */

/* Sets *built to a JSON object of the declared members, {} where text is one. False where text is
 * no JSON object. */
bool extract_build(struct extract *extract, const char *text, size_t length, struct str *built);

#endif

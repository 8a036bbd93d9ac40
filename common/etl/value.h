/* SPDX-License-Identifier: MIT
 *
 * One declared value: from the source text of a document to a column of a COPY. Each function
 * returns NULL, or the reason (DESIGN.md, part 9) for which the record is rejected.
 */
#ifndef ETL_VALUE_H
#define ETL_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "etl/field.h"
#include "io/copy.h"
#include "io/csv.h"
#include "io/json.h"

/* A value on its way, with the field that declares it. */
struct value {
    const struct field *field;
    struct json_value json; /* JSON_ABSENT: not there, and no default */
    int64_t time;           /* of FIELD_TIME and FIELD_NEWEST, where has_time */
    bool has_time;
};

/* Memory that all values share, one after the other. */
struct value_buffer {
    struct str text, built;
};

/* Whether a text is longer than the field may be. */
bool value_is_too_long(const struct field *field, size_t length);

/* Whether text is one of a NULL-terminated list. */
bool value_is_among(const char *text, size_t length, const char *const *words);

/* Neither absent nor null. */
bool value_is_there(const struct json_value *json);

/* Takes a cell of a table as a document would have held it, by the field's type. */
const char *value_read_cell(const struct field *field, const struct csv_cell *cell,
                            struct json_value *json);

/* Chooses the first of count alternatives that is there, else the field's default; a boolean
 * becomes the text that the field declares for it. */
void value_choose(struct value *value, const struct json_value *alternatives, size_t count);

/* Sets time and has_time: before the row is written, since the version leads it. */
const char *value_read_time(struct value *value, struct value_buffer *buffer);

/* Adds the column; value_read_time went before. What was added before a reason is left there. */
const char *value_put(const struct value *value, struct value_buffer *buffer, struct copy *copy);

/* Of value_put: a finite number, as double precision. */
const char *value_put_float(const struct value *value, struct value_buffer *buffer,
                            struct copy *copy);

#endif

/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "etl/value.h"

/* strtod would also take hexadecimal, infinity and NaN. */
const char *value_put_float(const struct value *value, struct value_buffer *buffer,
                            struct copy *copy)
{
    const char *text = value->json.text;
    size_t length = value->json.length;
    char *end;
    if (value->json.type == JSON_STRING)
        text = json_text(&value->json, &buffer->text, &length);
    else if (value->json.type != JSON_NUMBER)
        return "wrong_type";
    str_clear(&buffer->built);
    str_add(&buffer->built, text, length);
    if (length == 0 || strspn(buffer->built.text, "+-.0123456789eE") != length)
        return "bad_number";
    double number = strtod(buffer->built.text, &end);
    if (end != buffer->built.text + length || number > DBL_MAX || number < -DBL_MAX)
        return "bad_number";
    copy_float(copy, number);
    return NULL;
}

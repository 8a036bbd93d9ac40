/* SPDX-License-Identifier: MIT */
#include "etl/extract.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json.h"

struct extract {
    const struct field *elements;
    size_t count;
    const char **paths;
    struct json_plan *plan;
    struct json_value *values;
};

struct extract *extract_new(const struct field *elements)
{
    struct extract *extract = mem_alloc(sizeof *extract);
    extract->elements = elements;
    while (elements[extract->count].path)
        extract->count++;
    extract->paths = mem_alloc((extract->count + 1) * sizeof *extract->paths);
    for (size_t i = 0; i < extract->count; i++)
        extract->paths[i] = elements[i].path;
    extract->values = mem_alloc((extract->count + 1) * sizeof *extract->values);
    extract->plan = json_plan_new(extract->paths, extract->count);
    return extract;
}

void extract_free(struct extract *extract)
{
    if (!extract)
        return;
    json_plan_free(extract->plan);
    free(extract->paths);
    free(extract->values);
    free(extract);
}

/* A sound object's text is empty where only blanks are between its braces. */
static bool is_empty(const char *text, size_t length)
{
    const char *brace = memchr(text, '{', length);
    const char *at = brace + 1;
    while (strchr(" \t\r\n", *at) && *at != '\0')
        at++;
    return *at == '}';
}

static bool is_object(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && strchr(" \t\r\n", text[at]) && text[at] != '\0')
        at++;
    return at < length && text[at] == '{';
}

#define DIGITS_MAX 1000

/* Whether jsonb takes the numbers of an array as they are: it keeps them as numeric, which has an
 * end where JSON has none. A number is seen by its first digits, outside of strings. */
static bool has_fair_numbers(const struct json_value *array)
{
    size_t digits = 0, powers = 0;
    bool is_text = false, is_power = false;
    for (size_t i = 0; i < array->length; i++) {
        char byte = array->text[i];
        bool is_digit = byte >= '0' && byte <= '9';
        if (is_text) {
            i += byte == '\\';
            is_text = byte != '"';
        } else if (is_digit) {
            *(is_power ? &powers : &digits) += 1;
        } else if ((byte == 'e' || byte == 'E') && digits > 0) {
            is_power = true;
        } else if (byte != '.' && byte != '+' && byte != '-') {
            is_text = byte == '"';
            is_power = false;
            digits = powers = 0;
        }
        if (digits > DIGITS_MAX || powers > 2)
            return false;
    }
    return true;
}

static void add_value(const struct field *element, const struct json_value *value, struct str *to)
{
    int64_t number;
    bool is_right = element->type == FIELD_LIST
                        ? value->type == JSON_ARRAY && has_fair_numbers(value)
                        : value->type == JSON_NUMBER && json_integer(value, &number);
    if (is_right)
        str_add(to, value->text, value->length);
    else
        str_add_text(to, "null");
}

bool extract_build(struct extract *extract, const char *text, size_t length, struct str *built)
{
    str_clear(built);
    if (!is_object(text, length) ||
        json_scan(extract->plan, text, length, extract->values) != JSON_OK)
        return false;
    str_add_char(built, '{');
    for (size_t i = 0; i < extract->count && !is_empty(text, length); i++) {
        if (i > 0)
            str_add_char(built, ',');
        str_add_json(built, extract->elements[i].column, strlen(extract->elements[i].column));
        str_add_char(built, ':');
        add_value(&extract->elements[i], &extract->values[i], built);
    }
    str_add_char(built, '}');
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "etl/value.h"

#include <string.h>

#include "base/clock.h"

/* Choosing ------------------------------------------------------------- */

bool value_is_there(const struct json_value *json)
{
    return json->type != JSON_ABSENT && json->type != JSON_NULL;
}

static bool is_boolean(const struct json_value *json)
{
    return json->type == JSON_TRUE || json->type == JSON_FALSE;
}

static struct json_value literal(enum json_type type, const char *text)
{
    return (struct json_value){.type = type, .text = text, .length = strlen(text)};
}

/* A default, as the document would have held it. */
static struct json_value default_of(const struct field *field)
{
    switch (field->type) {
    case FIELD_INTEGER: return literal(JSON_NUMBER, field->otherwise);
    case FIELD_BOOLEAN:
        return literal(strcmp(field->otherwise, "true") == 0 ? JSON_TRUE : JSON_FALSE, "");
    default: return literal(JSON_STRING, field->otherwise);
    }
}

bool value_is_among(const char *text, size_t length, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == length && memcmp(*words, text, length) == 0)
            return true;
    return false;
}

const char *value_read_cell(const struct field *field, const struct csv_cell *cell,
                            struct json_value *json)
{
    static const char *const yes[] = {"t", "true", "1", NULL};
    static const char *const no[] = {"f", "false", "0", NULL};
    *json = (struct json_value){.type = JSON_STRING, .text = cell->text, .length = cell->length};
    if (cell->is_null) {
        json->type = JSON_NULL;
    } else if (field->type == FIELD_INTEGER || field->type == FIELD_DECIMAL ||
               field->type == FIELD_FLOAT) {
        json->type = JSON_NUMBER;
    } else if (field->type == FIELD_BOOLEAN) {
        json->type = value_is_among(cell->text, cell->length, yes) ? JSON_TRUE : JSON_FALSE;
        if (json->type == JSON_FALSE && !value_is_among(cell->text, cell->length, no))
            return "bad_boolean";
    }
    return NULL;
}

void value_choose(struct value *value, const struct json_value *alternatives, size_t count)
{
    const struct field *field = value->field;
    struct json_value json = {.type = JSON_ABSENT};
    for (size_t i = 0; i < count && !value_is_there(&json); i++)
        json = alternatives[i];
    if (is_boolean(&json) && field->when_true)
        json = literal(field->type == FIELD_INTEGER ? JSON_NUMBER : JSON_STRING,
                       json.type == JSON_TRUE ? field->when_true : field->when_false);
    if (!value_is_there(&json) && field->otherwise)
        json = default_of(field);
    if (field->or_number && json.type == JSON_NUMBER && json.length == 1 && *json.text == '0')
        json.type = JSON_FALSE;
    else if (field->or_number && json.type == JSON_NUMBER && json.length == 1 && *json.text == '1')
        json.type = JSON_TRUE;
    value->json = json;
}

/* Times ---------------------------------------------------------------- */

static const char *parse_time(const struct json_value *json, struct value_buffer *buffer,
                              int64_t *time)
{
    if (json->type != JSON_STRING)
        return "wrong_type";
    size_t length;
    const char *text = json_text(json, &buffer->text, &length);
    switch (clock_parse(text, length, time)) {
    case CLOCK_OK: return NULL;
    case CLOCK_OUT_OF_RANGE: return "time_out_of_range";
    case CLOCK_MALFORMED: break;
    }
    return "bad_timestamp";
}

/* What a walk over an array needs. */
struct walk {
    struct value *value;       /* of take_newest */
    const struct field *field; /* of texts */
    const struct field *members;
    struct value_buffer *buffer;
    struct copy *copy;
    int32_t count;
    const char *reason;
};

static bool take_newest(const struct json_value *element, void *data)
{
    struct walk *walk = data;
    int64_t time;
    if (element->type != JSON_OBJECT) {
        walk->reason = "wrong_type";
        return false;
    }
    struct json_value member = json_member(element, walk->value->field->element);
    if (!value_is_there(&member))
        return true;
    walk->reason = parse_time(&member, walk->buffer, &time);
    if (walk->reason)
        return false;
    if (!walk->value->has_time || time > walk->value->time)
        walk->value->time = time;
    walk->value->has_time = true;
    return true;
}

const char *value_read_time(struct value *value, struct value_buffer *buffer)
{
    const char *reason = NULL;
    value->has_time = false;
    if (!value_is_there(&value->json))
        return NULL;
    if (value->field->type == FIELD_TIME) {
        reason = parse_time(&value->json, buffer, &value->time);
        value->has_time = !reason;
    } else if (value->field->type == FIELD_NEWEST) {
        struct walk walk = {.value = value, .buffer = buffer};
        if (value->json.type != JSON_ARRAY)
            return "wrong_type";
        json_each(&value->json, take_newest, &walk);
        reason = walk.reason;
    }
    return reason;
}

/* Plain columns -------------------------------------------------------- */

/* Digits with a sign, a point, an exponent of two digits: no more, since 1e400 would be four
 * hundred digits in the warehouse. */
static bool is_decimal(const char *text, size_t length)
{
    size_t digits = 0, powers = 0;
    bool has_point = false, has_power = false;
    for (size_t i = 0; i < length; i++) {
        bool is_e = text[i] == 'e' || text[i] == 'E';
        bool may_sign = i == 0 || (has_power && powers == 0 && text[i - 1] > '9');
        if (text[i] >= '0' && text[i] <= '9')
            *(has_power ? &powers : &digits) += 1;
        else if (text[i] == '.' && !has_point && !has_power)
            has_point = true;
        else if (is_e && !has_power && digits > 0)
            has_power = true;
        else if ((text[i] != '-' && text[i] != '+') || !may_sign)
            return false;
    }
    return digits > 0 && (!has_power || powers == 1 || powers == 2);
}

bool value_is_too_long(const struct field *field, size_t length)
{
    size_t longest = field->longest == 0 && field->is_key ? FIELD_ID_LONGEST : field->longest;
    return longest > 0 && length > longest;
}

static const char *put_text(const struct value *value, struct value_buffer *buffer,
                            struct copy *copy)
{
    if (value->json.type != JSON_STRING)
        return "wrong_type";
    size_t length;
    const char *text = json_text(&value->json, &buffer->text, &length);
    if (length == 0 && (value->field->required || value->field->is_key))
        return "missing_field";
    if (value_is_too_long(value->field, length))
        return "too_long";
    if (value->field->choices && !value_is_among(text, length, value->field->choices))
        return "wrong_type";
    copy_text(copy, text, length);
    return NULL;
}

/* A cell of a table may be empty, or a sign alone. */
static bool ends_in_digit(const struct json_value *json)
{
    return json->length > 0 && json->text[json->length - 1] >= '0' &&
           json->text[json->length - 1] <= '9';
}

static const char *put_integer(const struct value *value, struct copy *copy)
{
    const struct field *field = value->field;
    int64_t number;
    if (value->json.type != JSON_NUMBER)
        return "wrong_type";
    bool has_range = field->minimum != 0 || field->maximum != 0;
    if (!ends_in_digit(&value->json) || !json_integer(&value->json, &number) ||
        (has_range && (number < field->minimum || number > field->maximum)))
        return "bad_integer";
    copy_int(copy, number);
    return NULL;
}

static const char *put_decimal(const struct value *value, struct value_buffer *buffer,
                               struct copy *copy)
{
    const char *text = value->json.text;
    size_t length = value->json.length;
    if (value->json.type == JSON_STRING)
        text = json_text(&value->json, &buffer->text, &length);
    else if (value->json.type != JSON_NUMBER)
        return "wrong_type";
    if (!is_decimal(text, length))
        return "bad_number";
    copy_text(copy, text, length);
    return NULL;
}

/* Lists ---------------------------------------------------------------- */

static bool count_text(const struct json_value *element, void *data)
{
    struct walk *walk = data;
    if (element->type != JSON_STRING)
        walk->reason = "wrong_type";
    walk->count++;
    return !walk->reason;
}

static bool put_element(const struct json_value *element, void *data)
{
    struct walk *walk = data;
    size_t length;
    const char *text = json_text(element, &walk->buffer->text, &length);
    if (value_is_too_long(walk->field, length))
        walk->reason = "too_long";
    copy_text(walk->copy, text, length);
    return !walk->reason;
}

static const char *put_text_list(const struct value *value, struct value_buffer *buffer,
                                 struct copy *copy)
{
    struct walk walk = {.field = value->field, .buffer = buffer, .copy = copy};
    if (value_is_there(&value->json)) {
        if (value->json.type != JSON_ARRAY)
            return "wrong_type";
        if (!json_each(&value->json, count_text, &walk))
            return walk.reason;
    }
    copy_text_list(copy, walk.count);
    if (walk.count > 0)
        json_each(&value->json, put_element, &walk);
    return walk.reason;
}

/* Objects: rebuilt from the declared members, so that nothing else of a document is copied. */

static bool build_text(const struct json_value *element, void *data)
{
    struct walk *walk = data;
    size_t length;
    if (element->type != JSON_STRING) {
        walk->reason = "wrong_type";
        return false;
    }
    const char *text = json_text(element, &walk->buffer->text, &length);
    if (value_is_too_long(walk->field, length))
        walk->reason = "too_long";
    if (walk->count++ > 0)
        str_add_char(&walk->buffer->built, ',');
    str_add_json(&walk->buffer->built, text, length);
    return !walk->reason;
}

static const char *build_member(const struct field *member, const struct json_value *object,
                                struct value_buffer *buffer)
{
    struct walk walk = {.field = member, .buffer = buffer};
    struct value value = {.field = member};
    struct json_value found = json_member(object, member->path);
    value_choose(&value, &found, 1);
    bool is_there = value_is_there(&value.json);
    if (!is_there && member->required)
        return "missing_field";

    str_add_json(&buffer->built, member->column, strlen(member->column));
    str_add_char(&buffer->built, ':');
    if (member->type == FIELD_TEXT_LIST) {
        if (is_there && value.json.type != JSON_ARRAY)
            return "wrong_type";
        str_add_char(&buffer->built, '[');
        if (is_there)
            json_each(&value.json, build_text, &walk);
        str_add_char(&buffer->built, ']');
    } else if (!is_there) {
        str_add_text(&buffer->built, "null");
    } else if (member->type == FIELD_BOOLEAN) {
        if (!is_boolean(&value.json))
            return "wrong_type";
        str_add_text(&buffer->built, value.json.type == JSON_TRUE ? "true" : "false");
    } else {
        build_text(&value.json, &walk);
    }
    return walk.reason;
}

static bool build_object(const struct json_value *element, void *data)
{
    struct walk *walk = data;
    struct str *built = &walk->buffer->built;
    if (element->type != JSON_OBJECT) {
        walk->reason = "wrong_type";
        return false;
    }
    str_add_text(built, walk->count++ > 0 ? ",{" : "{");
    for (const struct field *member = walk->members; member->path && !walk->reason; member++) {
        if (member != walk->members)
            str_add_char(built, ',');
        walk->reason = build_member(member, element, walk->buffer);
    }
    str_add_char(built, '}');
    return !walk->reason;
}

static const char *put_objects(const struct value *value, struct value_buffer *buffer,
                               struct copy *copy)
{
    struct walk walk = {.members = value->field->elements, .buffer = buffer};
    str_clear(&buffer->built);
    str_add_char(&buffer->built, '[');
    if (value->json.type == JSON_ARRAY)
        json_each(&value->json, build_object, &walk);
    else if (value->json.type == JSON_OBJECT)
        build_object(&value->json, &walk);
    else if (value_is_there(&value->json))
        return "wrong_type";
    str_add_char(&buffer->built, ']');
    if (!walk.reason)
        copy_jsonb(copy, buffer->built.text, buffer->built.length);
    return walk.reason;
}

const char *value_put(const struct value *value, struct value_buffer *buffer, struct copy *copy)
{
    enum field_type type = value->field->type;
    if (type == FIELD_TEXT_LIST)
        return put_text_list(value, buffer, copy);
    if (type == FIELD_OBJECTS)
        return put_objects(value, buffer, copy);
    if (!value_is_there(&value->json)) {
        copy_null(copy);
        return NULL;
    }
    if (type == FIELD_TEXT)
        return put_text(value, buffer, copy);
    if (type == FIELD_INTEGER)
        return put_integer(value, copy);
    if (type == FIELD_DECIMAL)
        return put_decimal(value, buffer, copy);
    if (type == FIELD_FLOAT)
        return value_put_float(value, buffer, copy);
    if (type == FIELD_BOOLEAN) {
        if (!is_boolean(&value->json))
            return "wrong_type";
        copy_bool(copy, value->json.type == JSON_TRUE);
    } else if (value->has_time) {
        copy_time(copy, value->time);
    } else {
        copy_null(copy); /* an empty array has no newest time */
    }
    return NULL;
}

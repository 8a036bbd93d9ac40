/* SPDX-License-Identifier: MIT
 *
 * What io/json.h offers for values that a scan has cut out: their text was
 * checked, so here it is only walked over.
 */
#include <string.h>

#include "io/json.h"
#include "io/json_token.h"

#define INTEGER_MAX (INT64_C(1) << 53)

/* The value that begins at *at, which moves behind it. */
static struct json_value cut(const char **at, const char *end)
{
    const char *start = *at;
    struct json_value value = {.text = start};

    *at = json_token_pass(start, end);
    value.length = (size_t)(*at - start);
    switch (*start) {
    case '{': value.type = JSON_OBJECT; break;
    case '[': value.type = JSON_ARRAY; break;
    case '"':
        value.type = JSON_STRING;
        value.text++;
        value.length -= 2;
        value.has_escape = memchr(value.text, '\\', value.length) != NULL;
        break;
    case 't': value.type = JSON_TRUE; break;
    case 'f': value.type = JSON_FALSE; break;
    case 'n': value.type = JSON_NULL; break;
    default: value.type = JSON_NUMBER; break;
    }
    return value;
}

/* Moves *at from a bracket, or from behind a value, to the next one. False at the closing one. */
static bool next_value(const char **at, const char *end)
{
    *at = json_token_space(*at, end);
    if (**at == ',') {
        *at = json_token_space(*at + 1, end);
    }
    return **at != ']' && **at != '}';
}

/* The member's value; *at moves from its key to behind it. */
static struct json_value cut_member(const char **at, const char *end, struct json_value *key)
{
    *key = cut(at, end);
    *at = json_token_space(json_token_space(*at, end) + 1, end);
    return cut(at, end);
}

const char *json_text(const struct json_value *value, struct str *scratch, size_t *length)
{
    str_clear(scratch);
    if (!value->has_escape) {
        *length = value->length;
        return value->text;
    }
    json_token_decode(value->text, value->length, scratch);
    *length = scratch->length;
    return scratch->text;
}

bool json_integer(const struct json_value *value, int64_t *number)
{
    bool is_negative;
    int64_t sum = 0;

    if (value->type != JSON_NUMBER) {
        return false;
    }
    is_negative = value->text[0] == '-';
    for (size_t i = is_negative; i < value->length; i++) {
        if (value->text[i] < '0' || value->text[i] > '9') {
            return false;
        }
        sum = sum * 10 + (value->text[i] - '0');
        if (sum > INTEGER_MAX) {
            return false;
        }
    }
    *number = is_negative ? -sum : sum;
    return true;
}

bool json_each(const struct json_value *array,
               bool (*each)(const struct json_value *element, void *data), void *data)
{
    const char *at;
    const char *end;

    if (array->type != JSON_ARRAY) {
        return true;
    }
    at = array->text + 1;
    end = array->text + array->length;
    while (next_value(&at, end)) {
        struct json_value element = cut(&at, end);

        if (!each(&element, data)) {
            return false;
        }
    }
    return true;
}

/* Is the key spelled, perhaps with escapes, like one of the names? */
static bool is_key_named(const struct json_value *key, const char *const *names,
                         struct str *scratch)
{
    size_t length;
    const char *text = json_text(key, scratch, &length);

    for (; *names != NULL; names++) {
        if (strlen(*names) == length && memcmp(*names, text, length) == 0) {
            return true;
        }
    }
    return false;
}

struct json_value json_member(const struct json_value *object, const char *name)
{
    const char *const names[] = {name, NULL};
    struct json_value found = {.type = JSON_ABSENT};
    const char *at;
    const char *end;
    struct str scratch;

    if (object->type != JSON_OBJECT) {
        return found;
    }
    str_init(&scratch);
    at = object->text + 1;
    end = object->text + object->length;
    while (next_value(&at, end)) {
        struct json_value key;
        struct json_value value = cut_member(&at, end, &key);

        if (is_key_named(&key, names, &scratch)) {
            found = value;
            break;
        }
    }
    str_release(&scratch);
    return found;
}

void json_blank(const char *text, size_t length, const char *const *names, struct str *to)
{
    const char *end = text + length;
    const char *kept = text; /* from here on the document was not added yet */
    const char *at = text;
    struct str scratch;

    str_init(&scratch);
    while ((at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        struct json_value key = cut(&at, end);
        const char *behind = json_token_space(at, end);

        /* A string before a colon is a key. */
        if (behind < end && *behind == ':' && is_key_named(&key, names, &scratch)) {
            at = json_token_space(behind + 1, end);
            str_add(to, kept, (size_t)(at - kept));
            str_add_text(to, "null");
            at = kept = json_token_pass(at, end);
        }
    }
    str_add(to, kept, (size_t)(end - kept));
    str_release(&scratch);
}

/* SPDX-License-Identifier: MIT
 *
 * Documents: what io/json says of the bytes is what the reference says, and so
 * is each value that it hands out; cJSON takes what is taken, and what it prints is equal.
 */
#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "fuzz.h"
#include "io/json.h"
#include "reference_json.h"

static const char *const paths[] = {"", "a", "a.b", "password", "a.b.c", "id"};
#define PATH_COUNT (sizeof paths / sizeof *paths)
static const char *const secrets[] = {"password", "b", NULL};

static void compare(const struct json_value *value, const struct reference *node);

struct walk {
    const struct reference *node;
    size_t count;
};

static bool compare_next(const struct json_value *element, void *data)
{
    struct walk *walk = data;
    FUZZ_EXPECT(walk->count < walk->node->count);
    compare(element, &walk->node->items[walk->count++]);
    return true;
}

static void compare_integer(const struct json_value *value)
{
    static const int64_t most = INT64_C(1) << 53;
    char digits[32];
    int64_t number;
    bool is_plain = value->length > 0 && value->length < sizeof digits &&
                    memchr(value->text, '.', value->length) == NULL &&
                    memchr(value->text, 'e', value->length) == NULL &&
                    memchr(value->text, 'E', value->length) == NULL;
    bool is_integer = json_integer(value, &number);
    if (!is_plain) {
        FUZZ_EXPECT(!is_integer);
        return;
    }
    memcpy(digits, value->text, value->length);
    digits[value->length] = '\0';
    double exact = strtod(digits, NULL); /* right up to 2^53, and beyond it beyond it */
    long long whole = fabs(exact) <= (double)most ? strtoll(digits, NULL, 10) : most + 1;
    FUZZ_EXPECT(is_integer == (whole <= most && whole >= -most));
    FUZZ_EXPECT(!is_integer || number == whole);
}

static void compare(const struct json_value *value, const struct reference *node)
{
    size_t quotes = value->type == JSON_STRING;
    FUZZ_EXPECT(value->type == node->type);
    FUZZ_EXPECT(value->text == node->start + quotes && value->length + 2 * quotes == node->length);
    if (value->type == JSON_STRING) {
        struct str scratch;
        size_t length;
        str_init(&scratch);
        const char *text = json_text(value, &scratch, &length);
        FUZZ_EXPECT(length == node->text.length && memcmp(text, node->text.text, length) == 0);
        str_release(&scratch);
    } else if (value->type == JSON_ARRAY) {
        struct walk walk = {.node = node};
        FUZZ_EXPECT(json_each(value, compare_next, &walk) && walk.count == node->count);
    } else if (value->type == JSON_OBJECT) {
        /* Each lookup passes over all members before it. */
        for (size_t i = 0; i < node->count && i < 100; i++) {
            struct json_value member = json_member(value, node->items[i].key.text);
            compare(&member, &node->items[i]);
        }
    } else if (value->type == JSON_NUMBER) {
        compare_integer(value);
    }
}

/* cJSON reads numbers of up to 63 bytes, and prints as null what no double can hold. */
static bool is_within_cjson(const struct reference *node)
{
    for (size_t i = 0; i < node->count; i++)
        if (!is_within_cjson(&node->items[i]))
            return false;
    char digits[64] = "";
    if (node->type != JSON_NUMBER || node->length >= sizeof digits)
        return node->type != JSON_NUMBER;
    memcpy(digits, node->start, node->length);
    return isfinite(strtod(digits, NULL));
}

/* cJSON on its own must take what we take, and what it prints is the same document to both. */
static void print_and_read_again(struct json_plan *plan, const char *text, size_t length)
{
    struct json_value values[PATH_COUNT];
    cJSON *item = cJSON_ParseWithLength(text, length);
    FUZZ_EXPECT(item != NULL);
    char *printed = cJSON_PrintUnformatted(item);
    FUZZ_EXPECT(printed != NULL);
    FUZZ_EXPECT(json_scan(plan, printed, strlen(printed), values) == JSON_OK);
    cJSON *again = cJSON_Parse(printed);
    char *second = cJSON_PrintUnformatted(again);
    FUZZ_EXPECT(second != NULL && strcmp(printed, second) == 0);
    cJSON_free(second);
    cJSON_Delete(again);
    cJSON_free(printed);
    cJSON_Delete(item);
}

static bool is_secret(const struct reference *node)
{
    for (const char *const *name = secrets; *name; name++)
        if (node->key.length == strlen(*name) && strcmp(node->key.text, *name) == 0)
            return true;
    return false;
}

/* The same documents, but for the secrets. */
static void compare_blanked(const struct reference *node, const struct reference *blanked)
{
    FUZZ_EXPECT(node->type == blanked->type && node->count == blanked->count);
    FUZZ_EXPECT(node->count > 0 || (node->length == blanked->length &&
                                    memcmp(node->start, blanked->start, node->length) == 0));
    for (size_t i = 0; i < node->count; i++) {
        if (node->type == JSON_OBJECT && is_secret(&node->items[i]))
            FUZZ_EXPECT(blanked->items[i].type == JSON_NULL);
        else
            compare_blanked(&node->items[i], &blanked->items[i]);
    }
}

static void blank(const char *text, size_t length, const struct reference *root)
{
    struct reference blanked;
    struct str to;
    str_init(&to);
    json_blank(text, length, secrets, &to);
    FUZZ_EXPECT(reference_read(to.text, to.length, &blanked) == JSON_OK);
    compare_blanked(root, &blanked);
    reference_release(&blanked);
    str_release(&to);
}

/* What stands at a path, by the reference. */
static const struct reference *find(const struct reference *node, const char *path)
{
    char key[16];
    while (*path && node != NULL) {
        size_t length = strcspn(path, ".");
        memcpy(key, path, length);
        key[length] = '\0';
        node = reference_member(node, key);
        path += length + (path[length] == '.');
    }
    return node;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_plan *plan;
    struct json_value values[PATH_COUNT];
    struct reference root;
    const char *text = (const char *)data;
    if (plan == NULL)
        plan = json_plan_new(paths, PATH_COUNT);
    enum json_problem problem = json_scan(plan, text, size, values);
    FUZZ_EXPECT(problem == reference_read(text, size, &root));
    if (problem == JSON_OK) {
        for (size_t i = 0; i < PATH_COUNT; i++) {
            const struct reference *node = find(&root, paths[i]);
            if (node == NULL)
                FUZZ_EXPECT(values[i].type == JSON_ABSENT);
            else
                compare(&values[i], node);
        }
        if (is_within_cjson(&root))
            print_and_read_again(plan, text, size);
        blank(text, size, &root);
    }
    reference_release(&root);
    return 0;
}

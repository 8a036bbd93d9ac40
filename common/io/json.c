/* SPDX-License-Identifier: MIT */
#include "io/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json_key.h"
#include "io/json_token.h"

/* A key on declared paths. The paths form a tree; a document is compared with the children of one
 * node at a time. */
struct node {
    const char *key;
    size_t length;
    uint64_t tag;
    struct node *first_child;
    struct node *next_sibling;
    uint64_t child_lengths; /* a bit for each length of a child's key, modulo 64 */
    int first_value;        /* the first of the paths that end here, or -1 */
};

/* An array or object that is open. */
struct frame {
    const struct node *node; /* where it stands; NULL off the paths */
    const char *start;
    size_t first_key;
    bool is_object;
};

struct json_plan {
    struct node *nodes; /* the first is the document itself */
    size_t node_count;
    int *next_value; /* of the paths, the next that is spelled alike, or -1 */
    struct json_value *found;
    size_t count;
    struct json_keys keys;
    const char *at; /* the scan's place */
    const char *end;
    size_t depth;
    struct frame frames[JSON_DEPTH_MAX];
};

/* ---- the plan ---- */

static uint64_t length_bit(size_t length)
{
    return UINT64_C(1) << (length & 63);
}

static struct node *get_child(struct json_plan *plan, struct node *parent, const char *key,
                              size_t length)
{
    struct node *child = parent->first_child;

    while (child != NULL && (child->length != length || memcmp(child->key, key, length) != 0)) {
        child = child->next_sibling;
    }
    if (child == NULL) {
        child = &plan->nodes[plan->node_count++];
        child->key = key;
        child->length = length;
        child->tag = json_key_tag(key, length);
        child->first_value = -1;
        child->next_sibling = parent->first_child;
        parent->first_child = child;
        parent->child_lengths |= length_bit(length);
    }
    return child;
}

static void add_path(struct json_plan *plan, const char *path, int value)
{
    struct node *node = &plan->nodes[0];

    while (*path != '\0') {
        size_t length = strcspn(path, ".");

        node = get_child(plan, node, path, length);
        path += length + (path[length] == '.');
    }
    plan->next_value[value] = node->first_value;
    node->first_value = value;
}

struct json_plan *json_plan_new(const char *const *paths, size_t count)
{
    struct json_plan *plan = mem_alloc(sizeof(*plan));
    size_t nodes = 1;

    for (size_t i = 0; i < count; i++) {
        nodes++;
        for (const char *dot = strchr(paths[i], '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
            nodes++;
        }
    }
    plan->nodes = mem_alloc(nodes * sizeof(*plan->nodes));
    plan->nodes[0].first_value = -1;
    plan->node_count = 1;
    plan->next_value = mem_alloc(count * sizeof(*plan->next_value));
    plan->found = mem_alloc(count * sizeof(*plan->found));
    plan->count = count;
    json_keys_init(&plan->keys);
    for (size_t i = 0; i < count; i++) {
        add_path(plan, paths[i], (int)i);
    }
    return plan;
}

void json_plan_free(struct json_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    json_keys_release(&plan->keys);
    free(plan->found);
    free(plan->next_value);
    free(plan->nodes);
    free(plan);
}

/* ---- the scan ---- */

static void record(struct json_plan *plan, const struct node *node, enum json_type type,
                   const char *start, bool has_escape)
{
    struct json_value value = {.type = type, .has_escape = has_escape, .text = start};

    if (node == NULL) {
        return;
    }
    value.length = (size_t)(plan->at - start);
    if (type == JSON_STRING) {
        value.text++;
        value.length -= 2;
    }
    for (int i = node->first_value; i >= 0; i = plan->next_value[i]) {
        plan->found[i] = value;
    }
}

static enum json_problem open_container(struct json_plan *plan, const struct node *node,
                                        bool is_object)
{
    struct frame *frame;

    if (plan->depth == JSON_DEPTH_MAX) {
        return JSON_BAD;
    }
    frame = &plan->frames[plan->depth++];
    frame->node = node;
    frame->start = plan->at++;
    frame->first_key = json_keys_open(&plan->keys);
    frame->is_object = is_object;
    return JSON_OK;
}

static void close_container(struct json_plan *plan)
{
    struct frame *frame = &plan->frames[--plan->depth];

    plan->at++;
    if (frame->is_object) {
        json_keys_close(&plan->keys, frame->first_key);
    }
    record(plan, frame->node, frame->is_object ? JSON_OBJECT : JSON_ARRAY, frame->start, false);
}

/* Reads the value that is due: a container is only opened. */
static enum json_problem scan_value(struct json_plan *plan, const struct node *node)
{
    const char *start = plan->at;
    enum json_problem problem;
    enum json_type type;
    bool has_escape = false;

    if (start >= plan->end) {
        return JSON_BAD;
    }
    switch (*start) {
    case '{':
    case '[': return open_container(plan, node, *start == '{');
    case '"':
        plan->at++;
        type = JSON_STRING;
        problem = json_token_string(&plan->at, plan->end, &has_escape);
        break;
    case 't':
        type = JSON_TRUE;
        problem = json_token_word(&plan->at, plan->end, "true");
        break;
    case 'f':
        type = JSON_FALSE;
        problem = json_token_word(&plan->at, plan->end, "false");
        break;
    case 'n':
        type = JSON_NULL;
        problem = json_token_word(&plan->at, plan->end, "null");
        break;
    default:
        type = JSON_NUMBER;
        problem = json_token_number(&plan->at, plan->end);
        break;
    }
    if (problem == JSON_OK) {
        record(plan, node, type, start, has_escape);
    }
    return problem;
}

static const struct node *find_child(const struct node *node, const struct json_key *key)
{
    const struct node *child;

    if (node == NULL || (node->child_lengths & length_bit(key->length)) == 0) {
        return NULL;
    }
    child = node->first_child;
    while (child != NULL && (child->length != key->length || child->tag != key->tag ||
                             memcmp(child->key, key->text, key->length) != 0)) {
        child = child->next_sibling;
    }
    return child;
}

/* Reads a key and its colon; *node gets where the key leads. */
static enum json_problem scan_key(struct json_plan *plan, const struct frame *frame,
                                  const struct node **node)
{
    const char *start = plan->at;
    enum json_problem problem;
    struct json_key key;
    bool has_escape;

    if (start >= plan->end || *start != '"') {
        return json_token_refuse(start, plan->end, JSON_BAD);
    }
    plan->at = ++start;
    problem = json_token_string(&plan->at, plan->end, &has_escape);
    if (problem != JSON_OK) {
        return problem;
    }
    if (!json_keys_add(&plan->keys, frame->first_key, start, (size_t)(plan->at - start) - 1,
                       has_escape, &key)) {
        return JSON_DUPLICATE_KEY;
    }
    *node = find_child(frame->node, &key);
    plan->at = json_token_space(plan->at, plan->end);
    if (plan->at >= plan->end || *plan->at != ':') {
        return json_token_refuse(plan->at, plan->end, JSON_BAD);
    }
    plan->at = json_token_space(plan->at + 1, plan->end);
    return JSON_OK;
}

/* Goes from a value (or the opening of a container, is_open) to the next one that is due, closing
 * what ends on the way. *node gets where that stands. Depth 0: there is none. */
static enum json_problem scan_to_value(struct json_plan *plan, bool is_open,
                                       const struct node **node)
{
    while (plan->depth > 0) {
        const struct frame *frame = &plan->frames[plan->depth - 1];

        plan->at = json_token_space(plan->at, plan->end);
        if (plan->at < plan->end && *plan->at == (frame->is_object ? '}' : ']')) {
            close_container(plan);
            is_open = false;
            continue;
        }
        if (!is_open) {
            if (plan->at >= plan->end || *plan->at != ',') {
                return json_token_refuse(plan->at, plan->end, JSON_BAD);
            }
            plan->at = json_token_space(plan->at + 1, plan->end);
        }
        *node = NULL;
        return frame->is_object ? scan_key(plan, frame, node) : JSON_OK;
    }
    return JSON_OK;
}

static enum json_problem scan_document(struct json_plan *plan)
{
    const struct node *node = &plan->nodes[0];
    enum json_problem problem;

    plan->at = json_token_space(plan->at, plan->end);
    do {
        size_t depth = plan->depth;

        problem = scan_value(plan, node);
        if (problem == JSON_OK) {
            problem = scan_to_value(plan, plan->depth > depth, &node);
        }
    } while (problem == JSON_OK && plan->depth > 0);
    if (problem == JSON_OK) {
        plan->at = json_token_space(plan->at, plan->end);
        if (plan->at < plan->end) {
            return json_token_refuse(plan->at, plan->end, JSON_TRAILING_TEXT);
        }
    }
    return problem;
}

enum json_problem json_scan(struct json_plan *plan, const char *text, size_t length,
                            struct json_value *values)
{
    enum json_problem problem;

    plan->at = text;
    plan->end = text + length;
    plan->depth = 0;
    memset(plan->found, 0, plan->count * sizeof(*plan->found));
    problem = scan_document(plan);
    json_keys_finish(&plan->keys);
    if (problem == JSON_OK) {
        memcpy(values, plan->found, plan->count * sizeof(*values));
    }
    return problem;
}

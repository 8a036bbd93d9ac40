/* SPDX-License-Identifier: MIT */
#include "reference_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct reader {
    const unsigned char *at, *end;
    int depth;
};

/* The character at at by its bits: its length, 0 where they make none. */
static int character(const unsigned char *at, const unsigned char *end)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    int length = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
    unsigned long code = length == 1 ? *at : *at & (0x7fu >> length);
    if (length == 0 || end - at < length)
        return 0;
    for (int i = 1; i < length; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0
                                                                                        : length;
}

bool reference_is_utf8(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    while (at < end) {
        int bytes = character(at, end);
        if (bytes == 0)
            return false;
        at += bytes;
    }
    return true;
}

static void add_code(struct str *to, unsigned long code)
{
    if (code < 0x80) {
        str_add_char(to, (char)code);
    } else if (code < 0x800) {
        str_add_char(to, (char)(0xc0 | code >> 6));
        str_add_char(to, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        str_add_char(to, (char)(0xe0 | code >> 12));
        str_add_char(to, (char)(0x80 | (code >> 6 & 0x3f)));
        str_add_char(to, (char)(0x80 | (code & 0x3f)));
    } else {
        str_add_char(to, (char)(0xf0 | code >> 18));
        str_add_char(to, (char)(0x80 | (code >> 12 & 0x3f)));
        str_add_char(to, (char)(0x80 | (code >> 6 & 0x3f)));
        str_add_char(to, (char)(0x80 | (code & 0x3f)));
    }
}

static enum json_problem unexpected(const struct reader *in, enum json_problem otherwise)
{
    if (in->at == in->end)
        return JSON_BAD;
    if (*in->at == 0)
        return JSON_NUL_CHARACTER;
    return character(in->at, in->end) == 0 ? JSON_BAD_ENCODING : otherwise;
}

static void skip_blanks(struct reader *in)
{
    while (in->at < in->end && *in->at != 0 && strchr(" \t\r\n", *in->at))
        in->at++;
}

static bool take(struct reader *in, char byte)
{
    if (in->at == in->end || *in->at != (unsigned char)byte)
        return false;
    in->at++;
    return true;
}

static enum json_problem read_unit(struct reader *in, unsigned long *unit)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    *unit = 0;
    for (int i = 0; i < 4; i++, in->at++) {
        const char *place = in->at < in->end && *in->at ? strchr(digits, *in->at) : NULL;
        if (place == NULL)
            return unexpected(in, JSON_BAD_ESCAPE);
        *unit =
            *unit * 16 + (unsigned long)(place - digits > 15 ? place - digits - 6 : place - digits);
    }
    return JSON_OK;
}

static enum json_problem read_unicode(struct reader *in, struct str *to)
{
    unsigned long high, low;
    enum json_problem problem = read_unit(in, &high);
    if (problem != JSON_OK)
        return problem;
    if (high == 0)
        return JSON_NUL_CHARACTER;
    if (high < 0xd800 || high > 0xdfff) {
        add_code(to, high);
        return JSON_OK;
    }
    if (high > 0xdbff)
        return JSON_BAD_ESCAPE;
    if (!take(in, '\\') || !take(in, 'u'))
        return in->at == in->end ? JSON_BAD : JSON_BAD_ESCAPE;
    problem = read_unit(in, &low);
    if (problem != JSON_OK)
        return problem;
    if (low < 0xdc00 || low > 0xdfff)
        return JSON_BAD_ESCAPE;
    add_code(to, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    return JSON_OK;
}

/* Behind the opening quote. */
static enum json_problem read_string(struct reader *in, struct str *to)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    while (!take(in, '"')) {
        int length;
        if (in->at == in->end)
            return JSON_BAD;
        if (take(in, '\\')) {
            const char *name = in->at < in->end && *in->at ? strchr(names, *in->at) : NULL;
            if (name != NULL) {
                in->at++;
                str_add_char(to, bytes[name - names]);
                continue;
            }
            if (!take(in, 'u'))
                return unexpected(in, JSON_BAD_ESCAPE);
            enum json_problem problem = read_unicode(in, to);
            if (problem != JSON_OK)
                return problem;
            continue;
        }
        length = character(in->at, in->end);
        if (length == 0 || *in->at < 0x20)
            return unexpected(in, JSON_BAD);
        str_add(to, in->at, (size_t)length);
        in->at += length;
    }
    return JSON_OK;
}

static size_t read_digits(struct reader *in)
{
    size_t count = 0;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; count++)
        in->at++;
    return count;
}

/* What belongs to a word or number, wrong or not, goes on up to a mark or blank. */
static enum json_problem end_word(const struct reader *in)
{
    if (in->at == in->end || (*in->at != 0 && strchr("{}[],:\" \t\r\n", *in->at)))
        return JSON_OK;
    return unexpected(in, JSON_BAD);
}

static enum json_problem read_number(struct reader *in)
{
    take(in, '-');
    if (!take(in, '0') && read_digits(in) == 0)
        return unexpected(in, JSON_BAD);
    if (take(in, '.') && read_digits(in) == 0)
        return unexpected(in, JSON_BAD);
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+'))
            take(in, '-');
        if (read_digits(in) == 0)
            return unexpected(in, JSON_BAD);
    }
    return end_word(in);
}

static enum json_problem read_word(struct reader *in, const char *word)
{
    for (; *word; word++)
        if (!take(in, *word))
            return unexpected(in, JSON_BAD);
    return end_word(in);
}

static enum json_problem read_value(struct reader *in, struct reference *node);

static struct reference *add_item(struct reference *node)
{
    if ((node->count & (node->count - 1)) == 0)
        node->items =
            mem_resize(node->items, (node->count ? node->count * 2 : 1) * sizeof *node->items);
    struct reference *item = &node->items[node->count++];
    memset(item, 0, sizeof *item);
    str_init(&item->key);
    str_init(&item->text);
    return item;
}

static enum json_problem read_key(struct reader *in, const struct reference *node,
                                  struct reference *item)
{
    enum json_problem problem;
    if (!take(in, '"'))
        return unexpected(in, JSON_BAD);
    problem = read_string(in, &item->key);
    if (problem != JSON_OK)
        return problem;
    for (size_t i = 0; i + 1 < node->count; i++)
        if (node->items[i].key.length == item->key.length &&
            memcmp(node->items[i].key.text, item->key.text, item->key.length) == 0)
            return JSON_DUPLICATE_KEY;
    skip_blanks(in);
    return take(in, ':') ? JSON_OK : unexpected(in, JSON_BAD);
}

/* Behind the opening bracket. */
static enum json_problem read_items(struct reader *in, struct reference *node)
{
    char closing = node->type == JSON_OBJECT ? '}' : ']';
    enum json_problem problem;
    skip_blanks(in);
    if (take(in, closing))
        return JSON_OK;
    do {
        struct reference *item = add_item(node);
        skip_blanks(in);
        problem = node->type == JSON_OBJECT ? read_key(in, node, item) : JSON_OK;
        if (problem == JSON_OK)
            problem = read_value(in, item);
        if (problem != JSON_OK)
            return problem;
        skip_blanks(in);
    } while (take(in, ','));
    return take(in, closing) ? JSON_OK : unexpected(in, JSON_BAD);
}

static enum json_problem read_value(struct reader *in, struct reference *node)
{
    enum json_problem problem = JSON_OK;
    skip_blanks(in);
    node->start = (const char *)in->at;
    if (in->at == in->end)
        return JSON_BAD;
    switch (*in->at) {
    case '{':
    case '[':
        if (in->depth == JSON_DEPTH_MAX)
            return JSON_BAD;
        node->type = *in->at++ == '{' ? JSON_OBJECT : JSON_ARRAY;
        in->depth++;
        problem = read_items(in, node);
        in->depth--;
        break;
    case '"':
        in->at++;
        node->type = JSON_STRING;
        problem = read_string(in, &node->text);
        break;
    case 't':
        node->type = JSON_TRUE;
        problem = read_word(in, "true");
        break;
    case 'f':
        node->type = JSON_FALSE;
        problem = read_word(in, "false");
        break;
    case 'n':
        node->type = JSON_NULL;
        problem = read_word(in, "null");
        break;
    default:
        node->type = JSON_NUMBER;
        problem = read_number(in);
        break;
    }
    node->length = (size_t)((const char *)in->at - node->start);
    return problem;
}

enum json_problem reference_read(const char *text, size_t length, struct reference *root)
{
    struct reader in = {(const unsigned char *)text, (const unsigned char *)text + length, 0};
    memset(root, 0, sizeof *root);
    str_init(&root->key);
    str_init(&root->text);
    enum json_problem problem = read_value(&in, root);
    skip_blanks(&in);
    if (problem == JSON_OK && in.at < in.end)
        return unexpected(&in, JSON_TRAILING_TEXT);
    return problem;
}

void reference_release(struct reference *node)
{
    for (size_t i = 0; i < node->count; i++)
        reference_release(&node->items[i]);
    free(node->items);
    str_release(&node->key);
    str_release(&node->text);
}

const struct reference *reference_member(const struct reference *node, const char *name)
{
    for (size_t i = 0; node->type == JSON_OBJECT && i < node->count; i++)
        if (node->items[i].key.length == strlen(name) &&
            memcmp(node->items[i].key.text, name, strlen(name)) == 0)
            return &node->items[i];
    return NULL;
}

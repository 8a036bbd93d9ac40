/* SPDX-License-Identifier: MIT */
#include "io/json_token.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/error.h"
#include "base/mem.h"
#include "io/utf8.h"

/* What a byte is outside of strings. */
enum { CLASS_WORD, CLASS_MARK, CLASS_SPACE };

static const unsigned char classes[256] = {
    ['{'] = CLASS_MARK,   ['}'] = CLASS_MARK,   ['['] = CLASS_MARK,   [']'] = CLASS_MARK,
    [','] = CLASS_MARK,   [':'] = CLASS_MARK,   ['"'] = CLASS_MARK,   [' '] = CLASS_SPACE,
    ['\t'] = CLASS_SPACE, ['\n'] = CLASS_SPACE, ['\r'] = CLASS_SPACE,
};

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* The first byte in the lowest place on every machine; compilers make one load of it. */
static uint64_t load(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;

    return (uint64_t)byte[0] | (uint64_t)byte[1] << 8 | (uint64_t)byte[2] << 16 |
           (uint64_t)byte[3] << 24 | (uint64_t)byte[4] << 32 | (uint64_t)byte[5] << 40 |
           (uint64_t)byte[6] << 48 | (uint64_t)byte[7] << 56;
}

static bool is_plain(unsigned char byte)
{
    return byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
}

/*
 * Where plain ASCII ends: at a quote, a backslash, a control character, a byte
 * beyond ASCII or the end. Eight bytes at a time: the high bit of each
 * difference marks such a byte. A borrow can mark a byte falsely, but only
 * above one that is marked rightly, and the lowest mark is what counts.
 */
static const char *plain_end(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word = load(at);
        uint64_t marks = (word | (word - EACH_BYTE * ' ') | ((word ^ EACH_BYTE * '"') - EACH_BYTE) |
                          ((word ^ EACH_BYTE * '\\') - EACH_BYTE)) &
                         (EACH_BYTE * 0x80);

        if (marks != 0) {
            return at + (__builtin_ctzll(marks) >> 3);
        }
        at += 8;
    }
    while (at < end && is_plain((unsigned char)*at)) {
        at++;
    }
    return at;
}

enum json_problem json_token_refuse(const char *at, const char *end, enum json_problem otherwise)
{
    if (at >= end) {
        return JSON_BAD;
    }
    if (*at == '\0') {
        return JSON_NUL_CHARACTER;
    }
    return utf8_length(at, end) == 0 ? JSON_BAD_ENCODING : otherwise;
}

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

/* The four digits behind "\u". */
static enum json_problem check_unit(const char **at, const char *end, unsigned *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = *at < end ? hex_digit(**at) : -1;

        if (digit < 0) {
            return json_token_refuse(*at, end, JSON_BAD_ESCAPE);
        }
        *unit = *unit << 4 | (unsigned)digit;
        (*at)++;
    }
    return JSON_OK;
}

/* "\uXXXX" behind its "u"; the first half of a surrogate pair takes the second with it. */
static enum json_problem check_unicode(const char **at, const char *end)
{
    unsigned unit;
    enum json_problem problem = check_unit(at, end, &unit);

    if (problem != JSON_OK) {
        return problem;
    }
    if (unit == 0) {
        return JSON_NUL_CHARACTER;
    }
    if (unit < 0xd800 || unit > 0xdfff) {
        return JSON_OK;
    }
    if (unit > 0xdbff || memcmp(*at, "\\u", end - *at < 2 ? (size_t)(end - *at) : 2) != 0) {
        return JSON_BAD_ESCAPE;
    }
    if (end - *at < 2) {
        return JSON_BAD; /* cut between the halves */
    }
    *at += 2;
    problem = check_unit(at, end, &unit);
    if (problem == JSON_OK && (unit < 0xdc00 || unit > 0xdfff)) {
        return JSON_BAD_ESCAPE;
    }
    return problem;
}

static enum json_problem check_escape(const char **at, const char *end)
{
    char kind = *at < end ? **at : '\0';

    switch (kind) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': (*at)++; return JSON_OK;
    case 'u': (*at)++; return check_unicode(at, end);
    default: return json_token_refuse(*at, end, JSON_BAD_ESCAPE);
    }
}

enum json_problem json_token_string(const char **at, const char *end, bool *has_escape)
{
    const char *place = *at;

    *has_escape = false;
    for (;;) {
        place = plain_end(place, end);
        if (place >= end) {
            return JSON_BAD;
        }
        if (*place == '"') {
            *at = place + 1;
            return JSON_OK;
        }
        if (*place == '\\') {
            enum json_problem problem;

            *has_escape = true;
            place++;
            problem = check_escape(&place, end);
            if (problem != JSON_OK) {
                return problem;
            }
            continue;
        }
        if ((unsigned char)*place < 0x80) {
            return json_token_refuse(place, end, JSON_BAD);
        }
        do {
            size_t length = utf8_length(place, end);

            if (length == 0) {
                return JSON_BAD_ENCODING;
            }
            place += length;
        } while (place < end && (unsigned char)*place >= 0x80);
    }
}

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const char *digits_end(const char *at, const char *end)
{
    while (is_digit(at, end)) {
        at++;
    }
    return at;
}

/* Refuses what would be read as part of the same word: "01", "1.5.2", "truest". */
static enum json_problem check_word_end(const char *at, const char *end)
{
    if (at < end && classes[(unsigned char)*at] == CLASS_WORD) {
        return json_token_refuse(at, end, JSON_BAD);
    }
    return JSON_OK; /* whether it may stand here, the caller knows */
}

enum json_problem json_token_number(const char **at, const char *end)
{
    const char *place = *at;

    if (*place == '-') {
        place++;
    }
    if (!is_digit(place, end)) {
        return json_token_refuse(place, end, JSON_BAD);
    }
    place = *place == '0' ? place + 1 : digits_end(place, end);
    if (place < end && *place == '.') {
        place++;
        if (!is_digit(place, end)) {
            return json_token_refuse(place, end, JSON_BAD);
        }
        place = digits_end(place, end);
    }
    if (place < end && (*place == 'e' || *place == 'E')) {
        place++;
        if (place < end && (*place == '+' || *place == '-')) {
            place++;
        }
        if (!is_digit(place, end)) {
            return json_token_refuse(place, end, JSON_BAD);
        }
        place = digits_end(place, end);
    }
    *at = place;
    return check_word_end(place, end);
}

enum json_problem json_token_word(const char **at, const char *end, const char *word)
{
    const char *place = *at;

    for (; *word != '\0'; word++, place++) {
        if (place >= end || *place != *word) {
            return json_token_refuse(place, end, JSON_BAD);
        }
    }
    *at = place;
    return check_word_end(place, end);
}

const char *json_token_pass(const char *at, const char *end)
{
    size_t depth = 0;
    bool has_escape;

    do {
        char first = *at++;

        if (first == '"') {
            json_token_string(&at, end, &has_escape);
        } else if (first == '{' || first == '[') {
            depth++;
        } else if (first == '}' || first == ']') {
            depth--;
        } else if (depth == 0) {
            while (at < end && classes[(unsigned char)*at] == CLASS_WORD) {
                at++;
            }
        }
    } while (depth > 0);
    return at;
}

void json_token_decode(const char *text, size_t length, struct str *to)
{
    cJSON_Hooks hooks = {.malloc_fn = mem_alloc, .free_fn = free};
    cJSON *string;

    /* The quoted text is put together where the decoded one, which is shorter, goes afterwards. */
    str_reserve(to, length + 2);
    to->text[to->length] = '"';
    memcpy(to->text + to->length + 1, text, length);
    to->text[to->length + length + 1] = '"';
    cJSON_InitHooks(&hooks);
    string = cJSON_ParseWithLengthOpts(to->text + to->length, length + 2, NULL, false);
    if (!cJSON_IsString(string)) {
        BUG("cJSON refuses a string that io/json has checked"); /* uncovered: they agree */
    }
    str_add_text(to, string->valuestring);
    cJSON_Delete(string);
}

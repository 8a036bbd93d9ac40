/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

#define SMALLEST 64

/* What an empty string points to, so that its text is never NULL. Nobody writes to it. */
static char nothing[1];

void str_init(struct str *str)
{
    *str = (struct str){.text = nothing};
}

void str_release(struct str *str)
{
    if (str->capacity > 0)
        free(str->text);
    str_init(str);
}

void str_clear(struct str *str)
{
    str->length = 0;
    if (str->capacity > 0)
        str->text[0] = '\0';
}

void str_reserve(struct str *str, size_t extra)
{
    if (str->capacity > 0 && extra < str->capacity - str->length)
        return;
    if (extra > SIZE_MAX / 4 - str->length)
        BUG("a string of more than %zu bytes was asked for", SIZE_MAX / 4);

    size_t needed = str->length + extra + 1;
    size_t capacity = str->capacity > 0 ? 2 * str->capacity : SMALLEST;
    if (capacity < needed)
        capacity = needed;
    str->text = mem_resize(str->capacity > 0 ? str->text : NULL, capacity);
    str->capacity = capacity;
    str->text[str->length] = '\0';
}

void str_add(struct str *str, const void *bytes, size_t length)
{
    str_reserve(str, length);
    if (length > 0)
        memcpy(str->text + str->length, bytes, length);
    str->length += length;
    str->text[str->length] = '\0';
}

void str_add_text(struct str *str, const char *text)
{
    str_add(str, text, strlen(text));
}

void str_add_char(struct str *str, char character)
{
    str_add(str, &character, 1);
}

void str_add_format(struct str *str, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    int length = vsnprintf(NULL, 0, format, values);
    va_end(values);
    if (length < 0)
        BUG("format \"%s\" cannot be printed", format);

    str_reserve(str, (size_t)length);
    va_start(values, format);
    vsnprintf(str->text + str->length, (size_t)length + 1, format, values);
    va_end(values);
    str->length += (size_t)length;
}

/*
 * Reads the code point at text, length > 0 bytes long. Returns how many bytes
 * it takes, 0 where no well-formed UTF-8 begins: overlong spellings, surrogates
 * and what lies beyond U+10FFFF are not.
 */
static size_t decode(const unsigned char *text, size_t length, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = text[0] < 0x80   ? 1
                  : text[0] < 0xc0 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf8 ? 4
                                   : 0;

    if (size <= 1) {
        *point = text[0];
        return size;
    }
    if (size > length)
        return 0;

    *point = text[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (text[i] & 0x3f);
    }
    if (*point < least[size] || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff))
        return 0;
    return size;
}

static void add_escaped(struct str *str, uint32_t point)
{
    static const char letters[] = "\"\\\b\f\n\r\t";
    static const char escapes[] = "\"\\bfnrt";
    const char *letter = point > 0 && point < 0x80 ? strchr(letters, (int)point) : NULL;

    if (letter)
        str_add_format(str, "\\%c", escapes[letter - letters]);
    else if (point < 0x10000)
        str_add_format(str, "\\u%04x", (unsigned)point);
    else
        str_add_format(str, "\\u%04x\\u%04x", 0xd800U + (unsigned)((point - 0x10000) >> 10),
                       0xdc00U + (unsigned)((point - 0x10000) & 0x3ff));
}

void str_add_json(struct str *str, const char *text, size_t length)
{
    str_add_char(str, '"');
    for (size_t at = 0; at < length;) {
        uint32_t point;
        size_t size = decode((const unsigned char *)text + at, length - at, &point);

        if (size == 0) {
            point = 0xfffd;
            size = 1;
        }
        if (point >= 0x20 && point < 0x7f && point != '"' && point != '\\')
            str_add_char(str, (char)point);
        else
            add_escaped(str, point);
        at += size;
    }
    str_add_char(str, '"');
}

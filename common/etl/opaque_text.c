/* SPDX-License-Identifier: MIT */
#include "etl/opaque_text.h"

#include <stdint.h>
#include <string.h>

#include "etl/opaque_word.h"

/* Characters ----------------------------------------------------------- */

static bool is_ascii_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Takes the character at text, which is sound UTF-8. */
static size_t decode(const char *text, size_t left, uint32_t *point)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length > left)
        length = left;
    *point = length == 1 ? first : first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        *point = *point << 6 | ((unsigned char)text[i] & 0x3f);
    return length;
}

static bool is_word(uint32_t point)
{
    size_t low = 0, high = sizeof opaque_words / sizeof *opaque_words;
    if (point < 0x80)
        return is_ascii_word((unsigned char)point);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (point > opaque_words[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof opaque_words / sizeof *opaque_words && point >= opaque_words[low].first;
}

bool part_is_of(struct part part, const char *also)
{
    size_t at = 0;
    while (at < part.length) {
        uint32_t point;
        size_t length = decode(part.text + at, part.length - at, &point);
        bool is_also = point != 0 && point < 0x80 && strchr(also, (int)point);
        if (!is_also && !is_word(point))
            return false;
        at += length;
    }
    return part.length > 0;
}

/* Parts ---------------------------------------------------------------- */

bool part_begins(struct part part, const char *prefix)
{
    size_t length = strlen(prefix);
    return part.length >= length && memcmp(part.text, prefix, length) == 0;
}

bool part_is_same(struct part one, struct part other)
{
    return one.length == other.length && memcmp(one.text, other.text, one.length) == 0;
}

struct part part_after(struct part part, size_t length)
{
    return (struct part){part.text + length, part.length - length};
}

size_t part_split(struct part whole, char separator, struct part parts[PARTS_MAX])
{
    size_t count = 0;
    for (;;) {
        const char *found = memchr(whole.text, separator, whole.length);
        size_t length = found ? (size_t)(found - whole.text) : whole.length;
        if (count == PARTS_MAX)
            return 0;
        parts[count++] = (struct part){whole.text, length};
        if (!found)
            return count;
        whole = part_after(whole, length + 1);
    }
}

/* Asides --------------------------------------------------------------- */

bool part_unescape(struct part part, struct str *key, struct part *rest)
{
    for (size_t i = 0; i + 1 < part.length; i++) {
        if (part.text[i] == '$' && (part.text[i + 1] == ':' || part.text[i + 1] == '$')) {
            str_add_char(key, part.text[++i]);
        } else if (part.text[i] == ':' || part.text[i] == '$') {
            *rest = part_after(part, i + 2);
            return part.text[i] == ':' && part.text[i + 1] == ':';
        } else {
            str_add_char(key, part.text[i]);
        }
    }
    return false;
}

bool part_cut_last(struct part part, struct str *key, struct part *rest)
{
    for (size_t i = part.length; i >= 2; i--)
        if (part.text[i - 1] == ':' && part.text[i - 2] == ':') {
            str_add(key, part.text, i - 2);
            *rest = part_after(part, i);
            return true;
        }
    return false;
}

void part_escape(struct str *to, size_t from, struct str *scratch)
{
    str_clear(scratch);
    str_add(scratch, to->text + from, to->length - from);
    to->length = from;
    for (size_t i = 0; i < scratch->length; i++) {
        if (scratch->text[i] == ':' || scratch->text[i] == '$')
            str_add_char(to, '$');
        str_add_char(to, scratch->text[i]);
    }
}

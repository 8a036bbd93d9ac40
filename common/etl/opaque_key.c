/* SPDX-License-Identifier: MIT */
#include "etl/opaque_key.h"

#include <string.h>

#include "etl/opaque_text.h"

#define LENGTH_MAX 255 /* characters: the width of the platform's columns */

enum opaque_context {
    OPAQUE_NONE,
    OPAQUE_COURSE,
    OPAQUE_CCX,
    OPAQUE_LIBRARY_V1,
    OPAQUE_LIBRARY_V2
};

#define PART "-~.:"    /* of a new-style key */
#define OLD_PART ".%-" /* of a deprecated key */
#define OLD_NAME "-~.:%"
#define LIBRARY_PART "-."

static bool is_ascii_of(struct part part, const char *also)
{
    for (size_t i = 0; i < part.length; i++)
        if ((unsigned char)part.text[i] >= 0x80)
            return false;
    return part_is_of(part, also);
}

static bool is_version(struct part part)
{
    for (size_t i = 0; i < part.length; i++)
        if (!memchr("0123456789abcdef", part.text[i], 16))
            return false;
    return part.length == 24;
}

/* Passes over "branch@B" and "version@V" at parts[*at]; false where they are not well-formed. */
static bool drop_version(const struct part *parts, size_t count, size_t *at, unsigned *notes)
{
    static const char branch[] = "branch@", version[] = "version@";
    if (*at < count && part_begins(parts[*at], branch)) {
        if (!part_is_of(part_after(parts[*at], strlen(branch)), PART))
            return false;
        *notes |= OPAQUE_VERSION_DROPPED;
        ++*at;
    }
    if (*at < count && part_begins(parts[*at], version)) {
        if (!is_version(part_after(parts[*at], strlen(version))))
            return false;
        *notes |= OPAQUE_VERSION_DROPPED;
        ++*at;
    }
    return true;
}

/* What a key says, wherever it is written: the parts point into its text. */
struct parsed {
    enum opaque_context context;
    struct part names[3]; /* organisation, course or library, run; the last of courses alone */
    struct part ccx;
    bool is_old;    /* deprecated form */
    bool lacks_run; /* i4x */
    struct part type, block;
};

/* ORG+COURSE+RUN or ORG+LIB, then branch and version; *at is where it ends. */
static bool take_names(struct parsed *parsed, const struct part *parts, size_t count, size_t names,
                       size_t *at, unsigned *notes)
{
    if (count < names)
        return false;
    for (size_t i = 0; i < names; i++) {
        if (!part_is_of(parts[i], PART))
            return false;
        parsed->names[i] = parts[i];
    }
    *at = names;
    return drop_version(parts, count, at, notes);
}

static bool take_ccx(struct parsed *parsed, const struct part *parts, size_t count, size_t *at)
{
    if (*at >= count || !part_begins(parts[*at], "ccx@"))
        return false;
    parsed->ccx = part_after(parts[*at], strlen("ccx@"));
    for (size_t i = 0; i < parsed->ccx.length; i++)
        if (parsed->ccx.text[i] < '0' || parsed->ccx.text[i] > '9')
            return false;
    ++*at;
    return parsed->ccx.length > 0;
}

/* The context of a new-style key up to *at of its parts. */
static bool take_context(struct parsed *parsed, const struct part *parts, size_t count, size_t *at,
                         unsigned *notes)
{
    size_t names = parsed->context == OPAQUE_LIBRARY_V1 ? 2 : 3;
    return take_names(parsed, parts, count, names, at, notes) &&
           (parsed->context != OPAQUE_CCX || take_ccx(parsed, parts, count, at));
}

/* Contexts ------------------------------------------------------------- */

static const struct {
    const char *prefix;
    enum opaque_context context;
} context_forms[] = {
    {"course-v1:", OPAQUE_COURSE},      {"slashes:", OPAQUE_COURSE}, {"ccx-v1:", OPAQUE_CCX},
    {"library-v1:", OPAQUE_LIBRARY_V1}, {"lib:", OPAQUE_LIBRARY_V2},
};

static bool parse_old_course(struct part key, struct parsed *parsed)
{
    struct part parts[PARTS_MAX];
    if (part_split(key, '/', parts) != 3 || !part_is_of(parts[0], OLD_PART) ||
        !part_is_of(parts[1], OLD_PART) || (parts[2].length > 0 && !part_is_of(parts[2], OLD_PART)))
        return false;
    parsed->context = OPAQUE_COURSE;
    parsed->is_old = true;
    memcpy(parsed->names, parts, sizeof parsed->names);
    return true;
}

static bool parse_library(const struct part *parts, struct parsed *parsed)
{
    parsed->context = OPAQUE_LIBRARY_V2;
    parsed->names[0] = parts[0];
    parsed->names[1] = parts[1];
    return is_ascii_of(parts[0], LIBRARY_PART) && part_is_of(parts[1], LIBRARY_PART);
}

static bool parse_context(struct part key, struct parsed *parsed, unsigned *notes)
{
    struct part parts[PARTS_MAX];
    *parsed = (struct parsed){0};
    for (size_t i = 0; i < sizeof context_forms / sizeof *context_forms; i++) {
        if (!part_begins(key, context_forms[i].prefix))
            continue;
        struct part rest = part_after(key, strlen(context_forms[i].prefix));
        parsed->context = context_forms[i].context;
        if (parsed->context == OPAQUE_LIBRARY_V2)
            return part_split(rest, ':', parts) == 2 && parse_library(parts, parsed);
        size_t at, count = part_split(rest, '+', parts);
        return take_context(parsed, parts, count, &at, notes) && at == count;
    }
    return parse_old_course(key, parsed);
}

static void add_part(struct str *to, const char *lead, struct part part)
{
    str_add_text(to, lead);
    str_add(to, part.text, part.length);
}

static void add_names(struct str *to, const char *prefix, const struct parsed *parsed,
                      const char *between)
{
    add_part(to, prefix, parsed->names[0]);
    add_part(to, between, parsed->names[1]);
    if (parsed->context == OPAQUE_COURSE || parsed->context == OPAQUE_CCX)
        add_part(to, between, parsed->names[2]);
    if (parsed->context == OPAQUE_CCX)
        add_part(to, "+ccx@", parsed->ccx);
}

static void write_context(const struct parsed *parsed, struct str *to)
{
    static const char *const prefixes[] = {[OPAQUE_COURSE] = "course-v1:",
                                           [OPAQUE_CCX] = "ccx-v1:",
                                           [OPAQUE_LIBRARY_V1] = "library-v1:",
                                           [OPAQUE_LIBRARY_V2] = "lib:"};
    if (parsed->is_old)
        add_names(to, "", parsed, "/");
    else
        add_names(to, prefixes[parsed->context], parsed,
                  parsed->context == OPAQUE_LIBRARY_V2 ? ":" : "+");
}

/* Usages --------------------------------------------------------------- */

static const char invalid_usage[] = "invalid_usage_key";

/* i4x://ORG/COURSE/TYPE/NAME[@REVISION] */
static const char *parse_i4x(struct part rest, struct parsed *parsed, unsigned *notes)
{
    struct part parts[PARTS_MAX];
    if (part_split(rest, '/', parts) != 4)
        return invalid_usage;
    const char *revision = memchr(parts[3].text, '@', parts[3].length);
    if (revision) {
        size_t length = (size_t)(revision - parts[3].text);
        if (!part_is_of(part_after(parts[3], length + 1), OLD_NAME))
            return invalid_usage;
        parts[3].length = length;
        *notes |= OPAQUE_VERSION_DROPPED;
    }
    for (size_t i = 0; i < 3; i++)
        if (!part_is_of(parts[i], OLD_PART))
            return invalid_usage;
    *parsed = (struct parsed){.context = OPAQUE_COURSE,
                              .names = {parts[0], parts[1]},
                              .is_old = true,
                              .lacks_run = true,
                              .type = parts[2],
                              .block = parts[3]};
    return part_is_of(parts[3], OLD_NAME) ? NULL : invalid_usage;
}

/* lb:ORG:SLUG:TYPE:ID */
static const char *parse_lb(struct part rest, struct parsed *parsed)
{
    struct part parts[PARTS_MAX];
    *parsed = (struct parsed){0};
    if (part_split(rest, ':', parts) != 4 || !parse_library(parts, parsed) ||
        !part_is_of(parts[2], LIBRARY_PART) || !part_is_of(parts[3], LIBRARY_PART))
        return invalid_usage;
    parsed->type = parts[2];
    parsed->block = parts[3];
    return NULL;
}

/* CONTEXT+type@TYPE+block@ID */
static const char *parse_block(struct part rest, enum opaque_context context, struct parsed *parsed,
                               unsigned *notes)
{
    static const char type[] = "type@", block[] = "block@";
    struct part parts[PARTS_MAX];
    size_t at, count = part_split(rest, '+', parts);
    *parsed = (struct parsed){.context = context};
    if (!take_context(parsed, parts, count, &at, notes) || at == count)
        return invalid_usage;
    bool has_type = part_begins(parts[at], type);
    if (has_type) {
        parsed->type = part_after(parts[at++], strlen(type));
        if (!part_is_of(parsed->type, PART) || at == count)
            return invalid_usage;
    }
    if (at + 1 != count || !part_begins(parts[at], block))
        return invalid_usage;
    parsed->block = part_after(parts[at], strlen(block));
    if (!part_is_of(parsed->block, PART))
        return invalid_usage;
    return has_type ? NULL : "usage_key_missing_type";
}

static const struct {
    const char *prefix;
    enum opaque_context context;
} usage_forms[] = {
    {"block-v1:", OPAQUE_COURSE},
    {"ccx-block-v1:", OPAQUE_CCX},
    {"lib-block-v1:", OPAQUE_LIBRARY_V1},
};

static const char *parse_usage(struct part key, struct parsed *parsed, struct str *canonical,
                               unsigned *notes)
{
    const char *reason;
    if (part_begins(key, "i4x://")) {
        reason = parse_i4x(part_after(key, strlen("i4x://")), parsed, notes);
        if (!reason) {
            add_names(canonical, "i4x://",
                      &(struct parsed){.names = {parsed->names[0], parsed->names[1]}}, "/");
            add_part(canonical, "/", parsed->type);
            add_part(canonical, "/", parsed->block);
        }
        return reason;
    }
    if (part_begins(key, "lb:")) {
        reason = parse_lb(part_after(key, strlen("lb:")), parsed);
        if (!reason)
            str_add(canonical, key.text, key.length);
        return reason;
    }
    for (size_t i = 0; i < sizeof usage_forms / sizeof *usage_forms; i++) {
        if (!part_begins(key, usage_forms[i].prefix))
            continue;
        reason = parse_block(part_after(key, strlen(usage_forms[i].prefix)), usage_forms[i].context,
                             parsed, notes);
        if (!reason) {
            add_names(canonical, usage_forms[i].prefix, parsed, "+");
            add_part(canonical, "+type@", parsed->type);
            add_part(canonical, "+block@", parsed->block);
        }
        return reason;
    }
    return invalid_usage;
}

/* An aside lies around another usage, whose context is its own. */
static const char *parse_aside(struct part key, struct str *wrapped, struct parsed *parsed,
                               struct str *canonical, unsigned *notes)
{
    static const char v1[] = "aside-usage-v1:", v2[] = "aside-usage-v2:";
    struct part aside;
    bool is_v2 = part_begins(key, v2);
    struct part rest = part_after(key, strlen(v1));
    if (!(is_v2 ? part_unescape(rest, wrapped, &aside) : part_cut_last(rest, wrapped, &aside)) ||
        !part_is_of(aside, LIBRARY_PART))
        return invalid_usage;
    str_add_text(canonical, is_v2 ? v2 : v1);
    size_t from = canonical->length;
    const char *reason =
        parse_usage((struct part){wrapped->text, wrapped->length}, parsed, canonical, notes);
    if (reason)
        return reason;
    if (is_v2) {
        struct str scratch;
        str_init(&scratch);
        part_escape(canonical, from, &scratch);
        str_release(&scratch);
    }
    add_part(canonical, "::", aside);
    return NULL;
}

/* Where a usage is ------------------------------------------------------ */

/* An i4x key is in any run of its course, old or new in spelling. */
static bool is_within(const struct parsed *usage, const struct parsed *context)
{
    size_t names = usage->context == OPAQUE_COURSE || usage->context == OPAQUE_CCX ? 3 : 2;
    if (usage->lacks_run)
        names = 2;
    if (usage->context != context->context)
        return false;
    for (size_t i = 0; i < names; i++)
        if (!part_is_same(usage->names[i], context->names[i]))
            return false;
    if (usage->context == OPAQUE_COURSE && !usage->lacks_run && context->is_old)
        return false;
    return usage->context != OPAQUE_CCX || part_is_same(usage->ccx, context->ccx);
}

/* The grammars --------------------------------------------------------- */

/* Blanks and newlines at the end are the database's, not the key's. */
static const char *trim(struct part *key, unsigned *notes)
{
    size_t length = key->length, characters = 0;
    while (length > 0 && strchr(" \n\r", key->text[length - 1]) && key->text[length - 1] != '\0')
        length--;
    if (length < key->length)
        *notes |= OPAQUE_TRIMMED;
    key->length = length;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)key->text[i] & 0xc0) != 0x80;
    if (length == 0)
        return "missing_field";
    return characters > LENGTH_MAX ? "key_too_long" : NULL;
}

static const char *read_context(const char *text, size_t length, const char *within,
                                size_t within_length, struct str *canonical, unsigned *notes)
{
    struct part key = {text, length};
    struct parsed parsed;
    (void)within;
    (void)within_length;
    str_clear(canonical);
    const char *reason = trim(&key, notes);
    if (reason)
        return reason;
    if (!parse_context(key, &parsed, notes))
        return "invalid_context_key";
    write_context(&parsed, canonical);
    return NULL;
}

static const char *read_usage(const char *text, size_t length, const char *within,
                              size_t within_length, struct str *canonical, unsigned *notes)
{
    struct part key = {text, length};
    struct parsed usage, context;
    struct str wrapped;
    unsigned ignored = 0;
    str_clear(canonical);
    const char *reason = trim(&key, notes);
    if (reason)
        return reason;
    str_init(&wrapped);
    bool is_aside = part_begins(key, "aside-usage-v1:") || part_begins(key, "aside-usage-v2:");
    reason = is_aside ? parse_aside(key, &wrapped, &usage, canonical, notes)
                      : parse_usage(key, &usage, canonical, notes);
    if (!reason && within_length > 0 &&
        (!parse_context((struct part){within, within_length}, &context, &ignored) ||
         !is_within(&usage, &context)))
        reason = "context_mismatch";
    str_release(&wrapped);
    return reason;
}

static const char *const notes[] = {"key_trimmed", "key_version_dropped", NULL};

const struct grammar opaque_context_key = {.read = read_context, .notes = notes};
const struct grammar opaque_usage_key = {.read = read_usage, .notes = notes};

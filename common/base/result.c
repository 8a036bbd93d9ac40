/* SPDX-License-Identifier: MIT */
#include "base/result.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

#define ALREADY_DONE "already-done"
#define NOTHING_TO_DO "nothing-to-do"

/* A line is made so short that a retry can print it with the longer status. */
#define ROOM_FOR_RETRY (sizeof ALREADY_DONE - sizeof "done")

enum kind { KIND_NULL, KIND_TEXT, KIND_NUMBER, KIND_JSON };

struct result_entry {
    char *name;
    enum kind kind;
    int64_t number;
    char *text;  /* of KIND_TEXT; the JSON of KIND_JSON */
    char *brief; /* JSON in its place where the line would be too long, or NULL */
};

void result_init(struct result *result)
{
    *result = (struct result){0};
}

static void release_value(struct result_entry *entry)
{
    free(entry->text);
    free(entry->brief);
    *entry = (struct result_entry){.name = entry->name};
}

void result_release(struct result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        release_value(&result->entries[i]);
        free(result->entries[i].name);
    }
    free(result->entries);
    free(result->line);
    free(result->document);
    result_init(result);
}

static struct result_entry *find(const struct result *result, const char *name)
{
    for (size_t i = 0; i < result->count; i++)
        if (strcmp(result->entries[i].name, name) == 0)
            return &result->entries[i];
    return NULL;
}

/* The entry of that name, made where it is missing, with a null for its value. */
static struct result_entry *renew(struct result *result, const char *name)
{
    struct result_entry *entry = find(result, name);

    if (entry) {
        release_value(entry);
        return entry;
    }
    result->entries = mem_resize(result->entries, (result->count + 1) * sizeof *entry);
    entry = &result->entries[result->count++];
    *entry = (struct result_entry){.name = mem_strdup(name)};
    return entry;
}

void result_set_null(struct result *result, const char *name)
{
    renew(result, name);
}

void result_set_text(struct result *result, const char *name, const char *text)
{
    char *copy = mem_strdup(text); /* first: text may be the value that is replaced */
    struct result_entry *entry = renew(result, name);

    entry->kind = copy ? KIND_TEXT : KIND_NULL;
    entry->text = copy;
}

void result_set_int(struct result *result, const char *name, int64_t number)
{
    struct result_entry *entry = renew(result, name);

    entry->kind = KIND_NUMBER;
    entry->number = number;
}

/* The texts become the entry's. */
static void set_json(struct result *result, const char *name, char *json, char *brief)
{
    struct result_entry *entry = renew(result, name);

    entry->kind = KIND_JSON;
    entry->text = json;
    entry->brief = brief;
}

void result_set_seconds(struct result *result, const char *name, int64_t microseconds)
{
    struct str json;

    str_init(&json);
    str_add_format(&json, "%s%jd.%03jd", microseconds <= -1000 ? "-" : "",
                   imaxabs(microseconds) / CLOCK_SECOND,
                   imaxabs(microseconds) % CLOCK_SECOND / 1000);
    set_json(result, name, json.text, NULL);
}

void result_set_time(struct result *result, const char *name, int64_t time)
{
    char text[CLOCK_TEXT_SIZE];

    result_set_text(result, name, time == CLOCK_BEGINNING ? NULL : clock_format(time, text));
}

static void add_json_text(struct str *to, const char *text)
{
    str_add_json(to, text, strlen(text));
}

void result_set_ids(struct result *result, const char *name, const char *const *ids, size_t count)
{
    struct str list, brief;

    str_init(&list);
    str_init(&brief);
    str_add_char(&list, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            str_add_char(&list, ',');
        add_json_text(&list, ids[i]);
    }
    str_add_char(&list, ']');

    if (count > 0) {
        str_add_format(&brief, "{\"count\":%zu,\"first\":", count);
        add_json_text(&brief, ids[0]);
        str_add_text(&brief, ",\"last\":");
        add_json_text(&brief, ids[count - 1]);
        str_add_char(&brief, '}');
    }
    set_json(result, name, list.text, count > 0 ? brief.text : NULL);
}

void result_add(struct result *result, const char *name, int64_t number)
{
    struct result_entry *entry = find(result, name);

    if (!entry)
        result_set_int(result, name, number);
    else if (entry->kind == KIND_NUMBER)
        entry->number += number;
    else
        BUG("result \"%s\" is no number to add to", name);
}

int64_t result_get_int(const struct result *result, const char *name)
{
    const struct result_entry *entry = find(result, name);

    return entry && entry->kind == KIND_NUMBER ? entry->number : 0;
}

const char *result_get_text(const struct result *result, const char *name)
{
    const struct result_entry *entry = find(result, name);

    return entry && entry->kind == KIND_TEXT ? entry->text : NULL;
}

static bool is_plain(char character)
{
    return character >= ' ' && character <= '~';
}

/* The closing quote of the JSON string whose opening quote is at text, NULL if there is none. */
static const char *closing_quote(const char *text)
{
    for (const char *at = text + 1; is_plain(*at); at++) {
        if (*at == '"')
            return at;
        if (*at == '\\' && !is_plain(*++at))
            return NULL;
    }
    return NULL;
}

/*
 * Finds the value of the outermost "status", without its quotes, in a line of
 * our own making: one object, no space between its parts. False for anything
 * else. An inner "status", or one inside a string, is not it.
 */
static bool find_status(const char *line, const char **begin, const char **end)
{
    static const char key[] = "\"status\":\"";
    int depth = 0;

    for (const char *at = line; is_plain(*at); at++) {
        if (*at == '{' || *at == '[')
            depth++;
        if ((*at == '}' || *at == ']') && --depth == 0)
            return at[1] == '\0' && *begin;
        if (*at != '"')
            continue;
        if (depth == 1 && strncmp(at, key, sizeof key - 1) == 0) {
            *begin = at + sizeof key - 1;
            *end = at = closing_quote(*begin - 1);
        } else {
            at = closing_quote(at);
        }
        if (!at)
            return false;
    }
    return false;
}

/* The line with another text from begin to end. */
static char *with_status(const char *line, const char *begin, const char *end)
{
    struct str changed;

    str_init(&changed);
    str_add(&changed, line, (size_t)(begin - line));
    str_add_text(&changed, ALREADY_DONE);
    str_add_text(&changed, end);
    return changed.text;
}

bool result_set_line(struct result *result, const char *line)
{
    static const char start[] = "{\"schema_version\":";
    const char *begin = NULL, *end = NULL;
    char *own = line ? mem_copy(line, strcspn(line, "\n")) : mem_strdup("");
    bool is_ours = strncmp(own, start, sizeof start - 1) == 0 && find_status(own, &begin, &end) &&
                   strlen(own) - (size_t)(end - begin) + strlen(ALREADY_DONE) < RESULT_MAX;

    if (is_ours) {
        size_t length = (size_t)(end - begin);
        free(result->line);
        result->line = with_status(own, begin, end);
        result->line_was_empty =
            length == strlen(NOTHING_TO_DO) && strncmp(begin, NOTHING_TO_DO, length) == 0;
    }
    free(own);
    return is_ours;
}

bool result_is_empty(const struct result *result)
{
    const char *status = result_get_text(result, "status");

    if (result->line)
        return result->line_was_empty;
    return status && strcmp(status, NOTHING_TO_DO) == 0;
}

void result_set_document(struct result *result, const char *text)
{
    char *copy = mem_strdup(text);

    free(result->document);
    result->document = copy;
}

const char *result_get_document(const struct result *result)
{
    return result->document;
}

static void add_entries(const struct result *result, bool is_brief, struct str *to)
{
    for (size_t i = 0; i < result->count; i++) {
        const struct result_entry *entry = &result->entries[i];

        str_add_char(to, i == 0 ? '{' : ',');
        add_json_text(to, entry->name);
        str_add_char(to, ':');
        switch (entry->kind) {
        case KIND_NULL: str_add_text(to, "null"); break;
        case KIND_TEXT: add_json_text(to, entry->text); break;
        case KIND_NUMBER: str_add_format(to, "%" PRId64, entry->number); break;
        case KIND_JSON:
            str_add_text(to, is_brief && entry->brief ? entry->brief : entry->text);
            break;
        }
    }
    str_add_text(to, result->count > 0 ? "}\n" : "{}\n");
}

void result_format(const struct result *result, struct str *to)
{
    size_t before = to->length;

    if (result->line) {
        str_add_text(to, result->line);
        str_add_char(to, '\n');
        return;
    }
    add_entries(result, false, to);
    if (to->length - before > RESULT_MAX - ROOM_FOR_RETRY) {
        to->length = before;
        add_entries(result, true, to);
    }
    if (to->length - before > RESULT_MAX)
        BUG("a result line of %zu bytes is too long", to->length - before);
}

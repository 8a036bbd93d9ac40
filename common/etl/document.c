/* SPDX-License-Identifier: MIT */
#include "etl/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "etl/pipeline.h"
#include "etl/value.h"

/* Where a wrapped document stands in a line of _changes or a row of _all_docs. */
#define WRAPPER "doc."

/* What tells a wrapper, a deletion or an answer without document from a document. */
enum mark {
    MARK_ID,
    MARK_SEQ,
    MARK_PLAIN_ID,
    MARK_KEY,
    MARK_DOC,
    MARK_DELETED,
    MARK_OWN_DELETED,
    MARK_DOC_DELETED,
    MARK_VALUE_DELETED,
    MARK_ERROR,
    MARK_LAST_SEQ,
    MARK_RESULTS,
    MARK_ROWS,
    MARK_OBJECTS,
    MARK_COUNT
};

static const char *const mark_paths[MARK_COUNT] = {
    [MARK_ID] = "_id",
    [MARK_SEQ] = "seq",
    [MARK_PLAIN_ID] = "id",
    [MARK_KEY] = "key",
    [MARK_DOC] = "doc",
    [MARK_DELETED] = "deleted",
    [MARK_OWN_DELETED] = "_deleted",
    [MARK_DOC_DELETED] = "doc._deleted",
    [MARK_VALUE_DELETED] = "value.deleted",
    [MARK_ERROR] = "error",
    [MARK_LAST_SEQ] = "last_seq",
    [MARK_RESULTS] = "results",
    [MARK_ROWS] = "rows",
    [MARK_OBJECTS] = "objects",
};

/* The paths of one plan, in this order: marks, filters, the caller's; for Couch feeds filters and
 * the caller's once more, inside of the wrapper. */
struct document_reader {
    const struct feed *feed;
    struct json_plan *plan;
    struct json_value *values;
    const char **paths;
    char **owned; /* wrapped spellings of paths */
    size_t filter_count, wanted, owned_count;
    struct str scratch;
};

struct document_reader *document_reader_new(const struct feed *feed, const char *const *paths,
                                            size_t count)
{
    struct document_reader *reader = mem_alloc(sizeof *reader);
    reader->feed = feed;
    str_init(&reader->scratch);
    while (feed->filters && feed->filters[reader->filter_count].path)
        reader->filter_count++;
    reader->wanted = reader->filter_count + count;

    reader->paths = mem_alloc((MARK_COUNT + 2 * reader->wanted) * sizeof *reader->paths);
    size_t used = 0;
    for (size_t i = 0; i < MARK_COUNT; i++)
        reader->paths[used++] = mark_paths[i];
    for (size_t i = 0; i < reader->filter_count; i++)
        reader->paths[used++] = feed->filters[i].path;
    for (size_t i = 0; i < count; i++)
        reader->paths[used++] = paths[i];
    if (feed->is_couch) {
        reader->owned = mem_alloc(reader->wanted * sizeof *reader->owned);
        for (size_t i = 0; i < reader->wanted; i++) {
            struct str wrapped;
            str_init(&wrapped);
            str_add_text(&wrapped, WRAPPER);
            str_add_text(&wrapped, reader->paths[MARK_COUNT + i]);
            reader->owned[reader->owned_count++] = wrapped.text;
            reader->paths[used++] = wrapped.text;
        }
    }
    reader->values = mem_alloc(used * sizeof *reader->values);
    reader->plan = json_plan_new(reader->paths, used);
    return reader;
}

void document_reader_free(struct document_reader *reader)
{
    if (!reader)
        return;
    json_plan_free(reader->plan);
    for (size_t i = 0; i < reader->owned_count; i++)
        free(reader->owned[i]);
    free(reader->owned);
    free(reader->paths);
    free(reader->values);
    str_release(&reader->scratch);
    free(reader);
}

static const char *problem_reason(enum json_problem problem)
{
    switch (problem) {
    case JSON_TRAILING_TEXT: return "trailing_text";
    case JSON_DUPLICATE_KEY: return "duplicate_key";
    case JSON_NUL_CHARACTER: return "nul_character";
    case JSON_BAD_ENCODING: return "bad_encoding";
    case JSON_BAD_ESCAPE: return "bad_escape";
    case JSON_BAD:
    case JSON_OK: break;
    }
    return "bad_json";
}

/* The first line of an unwrapped answer is no document by itself: {"results":[ */
static bool begins_wrapper(const char *text, size_t length)
{
    static const char *const openings[] = {"{\"results\":[", "{\"rows\":[", "{\"objects\":[",
                                           "{\"total_rows\":", "{\"meta\":{"};
    char compact[24];
    size_t used = 0;
    for (size_t i = 0; i < length && used < sizeof compact; i++)
        if (!strchr(" \t\r\n", text[i]) || text[i] == '\0')
            compact[used++] = text[i];
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++)
        if (used >= strlen(openings[i]) && memcmp(compact, openings[i], strlen(openings[i])) == 0)
            return true;
    return false;
}

static bool is_true(const struct json_value *value)
{
    return value->type == JSON_TRUE;
}

static enum document_kind rejected(struct field_reject *reject, const char *reason,
                                   const char *column)
{
    reject->reason = reason;
    reject->column = column;
    return DOCUMENT_REJECTED;
}

/* Whether the record is one of the feed's, by the feed's filters. */
static bool belongs(struct document_reader *reader, const struct json_value *values)
{
    for (size_t i = 0; i < reader->filter_count; i++) {
        const struct field_filter *filter = &reader->feed->filters[i];
        const struct json_value *value = &values[i];
        if (value->type == JSON_ABSENT || value->type == JSON_NULL) {
            if (!filter->may_lack)
                return false;
            continue;
        }
        if (value->type != JSON_STRING)
            return false;
        size_t length;
        const char *text = json_text(value, &reader->scratch, &length);
        if (!value_is_among(text, length, filter->values))
            return false;
    }
    return true;
}

/* What Couch says around or instead of a document. *is_wrapped: the document is under "doc". */
static enum document_kind unwrap(const struct json_value *marks, bool *is_wrapped,
                                 struct json_value *key, struct field_reject *reject)
{
    bool has_own_id = marks[MARK_ID].type == JSON_STRING;
    bool is_change = !has_own_id && marks[MARK_SEQ].type != JSON_ABSENT;
    bool is_row = !has_own_id && !is_change && marks[MARK_KEY].type != JSON_ABSENT;
    *is_wrapped = is_change || is_row;
    *key = has_own_id                                 ? marks[MARK_ID]
           : marks[MARK_PLAIN_ID].type == JSON_STRING ? marks[MARK_PLAIN_ID]
                                                      : marks[MARK_KEY];

    if (!*is_wrapped && !has_own_id && marks[MARK_LAST_SEQ].type != JSON_ABSENT)
        return DOCUMENT_SKIPPED; /* the closing line of a feed */
    if (is_row && marks[MARK_ERROR].type != JSON_ABSENT)
        return DOCUMENT_SKIPPED; /* no such id */
    if (key->type == JSON_STRING && key->length >= 8 && memcmp(key->text, "_design/", 8) == 0)
        return DOCUMENT_SKIPPED;
    bool is_deleted = *is_wrapped
                          ? is_true(&marks[MARK_DELETED]) || is_true(&marks[MARK_DOC_DELETED]) ||
                                is_true(&marks[MARK_VALUE_DELETED])
                          : is_true(&marks[MARK_OWN_DELETED]);
    if (is_deleted) {
        if (key->type != JSON_STRING || key->length == 0)
            return rejected(reject, "missing_field", "id");
        return DOCUMENT_DELETION;
    }
    if (*is_wrapped && marks[MARK_DOC].type != JSON_OBJECT)
        return rejected(reject, "missing_field", "doc"); /* read without include_docs */
    return DOCUMENT_RECORD;
}

enum document_kind document_read(struct document_reader *reader, const char *text, size_t length,
                                 const struct json_value **values, struct json_value *key,
                                 struct field_reject *reject)
{
    size_t start = 0;
    reject->is_parsed = false;
    while (start < length && strchr(" \t\r\n", text[start]) && text[start] != '\0')
        start++;
    if (start == length)
        return DOCUMENT_SKIPPED; /* a heartbeat */

    enum json_problem problem = json_scan(reader->plan, text, length, reader->values);
    if (problem != JSON_OK)
        return rejected(reject,
                        begins_wrapper(text, length) ? "wrapped_document" : problem_reason(problem),
                        "");
    reject->is_parsed = true;
    if (text[start] != '{')
        return rejected(reject, "wrong_type", "");

    const struct json_value *marks = reader->values;
    /* An answer has no id of its own; a document may well have such a member. */
    if (marks[MARK_ID].type == JSON_ABSENT &&
        (marks[MARK_RESULTS].type == JSON_ARRAY || marks[MARK_ROWS].type == JSON_ARRAY ||
         marks[MARK_OBJECTS].type == JSON_ARRAY))
        return rejected(reject, "wrapped_document", "");

    bool is_wrapped = false;
    if (reader->feed->is_couch) {
        enum document_kind kind = unwrap(marks, &is_wrapped, key, reject);
        if (kind != DOCUMENT_RECORD)
            return kind;
    }
    const struct json_value *own = reader->values + MARK_COUNT + (is_wrapped ? reader->wanted : 0);
    if (!belongs(reader, own))
        return DOCUMENT_SKIPPED;
    *values = own + reader->filter_count;
    return DOCUMENT_RECORD;
}

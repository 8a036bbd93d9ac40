/* SPDX-License-Identifier: MIT */
#include "etl/field_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "etl/pipeline.h"
#include "etl/value.h"

#define PARTITIONS_FROM (INT64_C(1104537600) * CLOCK_SECOND) /* 2005-01-01 */

/* Cuts "a|b" into paths; returns how many. */
static size_t add_paths(struct field_reader *reader, const char *path)
{
    size_t count = 0;
    for (;;) {
        size_t length = strcspn(path, "|");
        reader->paths = mem_resize(reader->paths, (reader->path_count + 1) * sizeof *reader->paths);
        reader->paths[reader->path_count++] = mem_copy(path, length);
        count++;
        if (path[length] == '\0')
            return count;
        path += length + 1;
    }
}

static struct slot *find_slot(struct field_reader *reader, const char *column)
{
    for (size_t i = 0; i < reader->slot_count; i++)
        if (reader->slots[i].value.field->column &&
            strcmp(reader->slots[i].value.field->column, column) == 0)
            return &reader->slots[i];
    BUG("a field lies within no declared column"); /* uncovered: a wrong declaration */
}

struct field_reader *field_reader_new(const struct feed *feed)
{
    struct field_reader *reader = mem_alloc(sizeof *reader);
    reader->feed = feed;
    str_init(&reader->buffer.text);
    str_init(&reader->buffer.built);
    for (const struct field *field = feed->fields; field->path; field++) {
        reader->slots = mem_resize(reader->slots, (reader->slot_count + 1) * sizeof *reader->slots);
        struct slot *slot = &reader->slots[reader->slot_count++];
        *slot = (struct slot){.value.field = field, .first = reader->path_count};
        str_init(&slot->canonical);
        if (field->type == FIELD_EXTRACT)
            slot->extract = extract_new(field->elements);
        slot->count = add_paths(reader, field->path);
        if (field->column)
            reader->column_count++;
    }
    for (size_t i = 0; i < reader->slot_count; i++)
        if (reader->slots[i].value.field->within)
            reader->slots[i].within = find_slot(reader, reader->slots[i].value.field->within);
    reader->documents =
        document_reader_new(feed, (const char *const *)reader->paths, reader->path_count);
    return reader;
}

void field_reader_free(struct field_reader *reader)
{
    if (!reader)
        return;
    document_reader_free(reader->documents);
    for (size_t i = 0; i < reader->slot_count; i++) {
        str_release(&reader->slots[i].canonical);
        extract_free(reader->slots[i].extract);
    }
    for (size_t i = 0; i < reader->path_count; i++)
        free(reader->paths[i]);
    free(reader->paths);
    free(reader->cells);
    free(reader->columns);
    free(reader->filter_columns);
    free(reader->slots);
    str_release(&reader->buffer.text);
    str_release(&reader->buffer.built);
    free(reader);
}

void field_take_keys(struct field_reader *reader)
{
    reader->takes_keys = true;
}

/* Agents and grammars --------------------------------------------------- */

void field_skip_agents(struct field_reader *reader, const char *list)
{
    reader->agents = list;
}

static bool begins_with_agent(const char *agents, const char *text, size_t length)
{
    while (*agents) {
        size_t entry = strcspn(agents, ","), blanks = strspn(agents, " ");
        size_t from = blanks < entry ? blanks : entry, to = entry;
        while (to > from && agents[to - 1] == ' ')
            to--;
        if (to > from && length >= to - from && memcmp(text, agents + from, to - from) == 0)
            return true;
        agents += agents[entry] == ',' ? entry + 1 : entry;
    }
    return false;
}

static bool is_skipped_agent(struct field_reader *reader, const struct json_value *values)
{
    for (size_t i = 0; i < reader->slot_count; i++) {
        struct slot *slot = &reader->slots[i];
        if (!slot->value.field->is_agent || !reader->agents)
            continue;
        size_t length;
        value_choose(&slot->value, values + slot->first, slot->count);
        if (slot->value.json.type != JSON_STRING)
            return false;
        const char *text = json_text(&slot->value.json, &reader->buffer.text, &length);
        return begins_with_agent(reader->agents, text, length);
    }
    return false;
}

/* Reads a text with a grammar; within is canonical already, or not declared. */
static const char *read_grammar(struct field_reader *reader, struct slot *slot,
                                const struct slot *within)
{
    size_t length;
    const struct field *field = slot->value.field;
    str_clear(&slot->canonical);
    slot->notes = 0;
    if (!value_is_there(&slot->value.json))
        return NULL;
    if (slot->value.json.type != JSON_STRING)
        return "wrong_type";
    const char *text = json_text(&slot->value.json, &reader->buffer.text, &length);
    if (length == 0)
        return field->required ? "missing_field" : NULL;
    return field->grammar->read(text, length, within ? within->canonical.text : "",
                                within ? within->canonical.length : 0, &slot->canonical,
                                &slot->notes);
}

/* First the texts that others lie in, then those that lie in them. */
static const char *read_grammars(struct field_reader *reader, const char **column)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < reader->slot_count; i++) {
            struct slot *slot = &reader->slots[i];
            if (!slot->value.field->grammar || (slot->within != NULL) != (pass == 1))
                continue;
            *column = slot->value.field->column;
            const char *reason = read_grammar(reader, slot, slot->within);
            if (reason)
                return reason;
        }
    return NULL;
}

static void count_notes(struct field_reader *reader)
{
    for (size_t i = 0; i < reader->slot_count; i++)
        for (unsigned bit = 0; reader->slots[i].notes >> bit; bit++)
            reader->slots[i].note_counts[bit] += reader->slots[i].notes >> bit & 1;
}

void field_log_notes(const struct field_reader *reader)
{
    for (size_t i = 0; i < reader->slot_count; i++) {
        const struct slot *slot = &reader->slots[i];
        const struct grammar *grammar = slot->value.field->grammar;
        for (size_t bit = 0; grammar && grammar->notes[bit]; bit++)
            if (slot->note_counts[bit] > 0)
                log_event(LOG_INFO, grammar->notes[bit], "column=%s rows=%" PRId64,
                          slot->value.field->column, slot->note_counts[bit]);
    }
}

/* Records --------------------------------------------------------------- */

static bool is_deletion(const struct slot *slot)
{
    return slot->value.field->is_deletion && slot->value.json.type == JSON_TRUE;
}

/* Chooses the values and reads the times; *version is the greatest modification time. */
static const char *look(struct field_reader *reader, const struct field_batch *batch,
                        const struct json_value *values, int64_t *version, const char **column)
{
    bool is_deleted = false;
    *version = CLOCK_BEGINNING;
    for (size_t i = 0; i < reader->slot_count; i++) {
        struct slot *slot = &reader->slots[i];
        struct value *value = &slot->value;
        const struct field *field = value->field;
        *column = field_name(field);
        if (field_is_left_out(reader, field)) {
            value->json = (struct json_value){.type = JSON_ABSENT};
            continue;
        }
        value_choose(value, values + slot->first, slot->count);
        if (!value_is_there(&value->json) && (field->required || field->is_key))
            return "missing_field";
        /* A key without one of its parts would be another key. */
        if (reader->takes_keys && value->json.type == JSON_ABSENT)
            return "missing_field";
        const char *reason = value_read_time(value, &reader->buffer);
        if (reason)
            return reason;
        if (field->is_partition && value->has_time &&
            (value->time < PARTITIONS_FROM || value->time > batch->clock + CLOCK_DAY))
            return "time_out_of_range";
        if (field->is_modified && value->has_time && value->time > *version)
            *version = value->time;
        is_deleted = is_deleted || is_deletion(slot);
    }
    if (is_deleted && *version == CLOCK_BEGINNING)
        *version = batch->read_time;
    return read_grammars(reader, column);
}

static const char *put_extract(struct field_reader *reader, const struct slot *slot,
                               struct copy *copy)
{
    const struct json_value *json = &slot->value.json;
    const char *text = json->text;
    size_t length = json->length;
    if (!value_is_there(json)) {
        copy_null(copy);
        return NULL;
    }
    if (json->type == JSON_STRING)
        text = json_text(json, &reader->buffer.text, &length);
    if (!extract_build(slot->extract, text, length, &reader->buffer.built))
        return slot->value.field->reason ? slot->value.field->reason : "wrong_type";
    copy_jsonb(copy, reader->buffer.built.text, reader->buffer.built.length);
    return NULL;
}

static const char *put_slot(struct field_reader *reader, const struct slot *slot, struct copy *copy)
{
    if (field_is_left_out(reader, slot->value.field)) {
        copy_null(copy);
        return NULL;
    }
    if (slot->extract)
        return put_extract(reader, slot, copy);
    if (!slot->value.field->grammar || !value_is_there(&slot->value.json))
        return value_put(&slot->value, &reader->buffer, copy);
    copy_text(copy, slot->canonical.text, slot->canonical.length);
    return NULL;
}

static bool put_fixed(const struct field_reader *reader, const struct field_batch *batch,
                      int64_t version, int64_t line_no, bool is_tombstone, struct copy *copy,
                      struct error *err)
{
    if (!copy_row(copy, FIELD_FIXED_COLUMNS + reader->column_count, err))
        return false;
    copy_int(copy, batch->batch_id);
    copy_int(copy, batch->read_number);
    copy_time(copy, version);
    copy_int(copy, line_no);
    copy_bool(copy, is_tombstone);
    return true;
}

static bool is_outside(const struct field_batch *batch, int64_t version)
{
    return batch->is_window && (version <= batch->since || version > batch->until);
}

static enum field_taken stage_deletion(struct field_reader *reader, const struct field_batch *batch,
                                       const struct json_value *key, int64_t line_no,
                                       struct copy *copy, struct field_reject *reject,
                                       struct error *err)
{
    if (is_outside(batch, batch->read_time))
        return FIELD_SKIPPED;
    if (!put_fixed(reader, batch, batch->read_time, line_no, true, copy, err))
        return FIELD_FAILED;
    for (size_t i = 0; i < reader->slot_count; i++) {
        const struct field *field = reader->slots[i].value.field;
        if (field->column && field->is_key) {
            size_t length;
            const char *text = json_text(key, &reader->buffer.text, &length);
            if (value_is_too_long(field, length)) {
                *reject = (struct field_reject){"too_long", field->column, .is_parsed = true};
                copy_take_back(copy);
                return FIELD_REJECTED;
            }
            copy_text(copy, text, length);
        } else if (field->column) {
            copy_null(copy);
        }
    }
    return FIELD_STAGED;
}

enum field_taken field_stage_record(struct field_reader *reader, const struct field_batch *batch,
                                    const struct json_value *values, int64_t line_no,
                                    struct copy *copy, struct field_reject *reject,
                                    struct error *err)
{
    int64_t version;
    if (is_skipped_agent(reader, values))
        return FIELD_SKIPPED;
    reject->reason = look(reader, batch, values, &version, &reject->column);
    if (reject->reason)
        return FIELD_REJECTED;
    if (batch->is_server_read)
        version = batch->read_time;
    if (is_outside(batch, version))
        return FIELD_SKIPPED;
    if (!put_fixed(reader, batch, version, line_no, false, copy, err))
        return FIELD_FAILED;
    for (size_t i = 0; i < reader->slot_count && !reject->reason; i++) {
        const struct slot *slot = &reader->slots[i];
        if (!slot->value.field->column)
            continue;
        reject->column = slot->value.field->column;
        reject->reason = put_slot(reader, slot, copy);
    }
    if (!reject->reason) {
        count_notes(reader);
        return FIELD_STAGED;
    }
    copy_take_back(copy);
    return FIELD_REJECTED;
}

enum field_taken field_read(struct field_reader *reader, const struct field_batch *batch,
                            const char *text, size_t length, int64_t line_no, struct copy *copy,
                            struct field_reject *reject, struct error *err)
{
    const struct json_value *values;
    struct json_value key;
    reject->column = "";
    switch (document_read(reader->documents, text, length, &values, &key, reject)) {
    case DOCUMENT_SKIPPED: return FIELD_SKIPPED;
    case DOCUMENT_REJECTED: return FIELD_REJECTED;
    case DOCUMENT_DELETION: return stage_deletion(reader, batch, &key, line_no, copy, reject, err);
    case DOCUMENT_RECORD: break;
    }
    return field_stage_record(reader, batch, values, line_no, copy, reject, err);
}

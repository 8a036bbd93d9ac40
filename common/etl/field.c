/* SPDX-License-Identifier: MIT */
#include "etl/field.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "etl/document.h"
#include "etl/pipeline.h"

#define FIXED_COLUMNS 5                              /* batch_id to is_tombstone */
#define PARTITIONS_FROM (INT64_C(1104537600) * CLOCK_SECOND) /* 2005-01-01 */

/* One field while a record is read: the value that was chosen of its alternatives. */
struct slot {
    const struct field *field;
    size_t first, count; /* its alternatives among the paths */
    struct json_value value;
    int64_t time; /* of FIELD_TIME and FIELD_NEWEST */
    bool has_time;
};

struct field_reader {
    struct document_reader *documents;
    struct slot *slots;
    size_t slot_count, column_count;
    const char **paths;
    char **owned;
    size_t path_count;
    struct str scratch, built;
};

/* Cuts "a|b" into paths; returns how many. */
static size_t add_paths(struct field_reader *reader, const char *path)
{
    size_t count = 0;
    for (;;) {
        size_t length = strcspn(path, "|");
        reader->owned = mem_resize(reader->owned, (reader->path_count + 1) * sizeof *reader->owned);
        reader->owned[reader->path_count++] = mem_copy(path, length);
        count++;
        if (path[length] == '\0')
            return count;
        path += length + 1;
    }
}

struct field_reader *field_reader_new(const struct feed *feed)
{
    struct field_reader *reader = mem_alloc(sizeof *reader);
    str_init(&reader->scratch);
    str_init(&reader->built);
    for (const struct field *field = feed->fields; field->path; field++) {
        reader->slots =
            mem_resize(reader->slots, (reader->slot_count + 1) * sizeof *reader->slots);
        struct slot *slot = &reader->slots[reader->slot_count++];
        *slot = (struct slot){.field = field, .first = reader->path_count};
        slot->count = add_paths(reader, field->path);
        if (field->column)
            reader->column_count++;
    }
    reader->paths = mem_alloc(reader->path_count * sizeof *reader->paths);
    for (size_t i = 0; i < reader->path_count; i++)
        reader->paths[i] = reader->owned[i];
    reader->documents = document_reader_new(feed, reader->paths, reader->path_count);
    return reader;
}

void field_reader_free(struct field_reader *reader)
{
    if (!reader)
        return;
    document_reader_free(reader->documents);
    for (size_t i = 0; i < reader->path_count; i++)
        free(reader->owned[i]);
    free(reader->owned);
    free(reader->paths);
    free(reader->slots);
    str_release(&reader->scratch);
    str_release(&reader->built);
    free(reader);
}

static bool is_there(const struct json_value *value)
{
    return value->type != JSON_ABSENT && value->type != JSON_NULL;
}

static bool is_boolean(const struct json_value *value)
{
    return value->type == JSON_TRUE || value->type == JSON_FALSE;
}

static struct json_value literal(enum json_type type, const char *text)
{
    return (struct json_value){.type = type, .text = text, .length = strlen(text)};
}

/* A default as the value that a document would have held. */
static struct json_value default_value(const struct field *field)
{
    switch (field->type) {
    case FIELD_INTEGER:
        return literal(JSON_NUMBER, field->otherwise);
    case FIELD_BOOLEAN:
        return literal(strcmp(field->otherwise, "true") == 0 ? JSON_TRUE : JSON_FALSE, "");
    default:
        return literal(JSON_STRING, field->otherwise);
    }
}

/* The first alternative that is there and not null, or the default. */
static struct json_value choose(const struct slot *slot, const struct json_value *values)
{
    const struct field *field = slot->field;
    struct json_value value = {.type = JSON_ABSENT};
    for (size_t i = 0; i < slot->count && !is_there(&value); i++)
        value = values[slot->first + i];
    if (is_boolean(&value) && field->when_true)
        value = literal(field->type == FIELD_INTEGER ? JSON_NUMBER : JSON_STRING,
                        value.type == JSON_TRUE ? field->when_true : field->when_false);
    if (!is_there(&value) && field->otherwise)
        value = default_value(field);
    return value;
}

/* Times ---------------------------------------------------------------- */

static const char *read_time(struct field_reader *reader, const struct json_value *value,
                             int64_t *time)
{
    if (value->type != JSON_STRING)
        return "wrong_type";
    size_t length;
    const char *text = json_text(value, &reader->scratch, &length);
    switch (clock_parse(text, length, time)) {
    case CLOCK_OK:
        return NULL;
    case CLOCK_OUT_OF_RANGE:
        return "time_out_of_range";
    case CLOCK_MALFORMED:
        break;
    }
    return "bad_timestamp";
}

struct newest {
    struct field_reader *reader;
    struct slot *slot;
    const char *reason;
};

static bool take_newest(const struct json_value *element, void *data)
{
    struct newest *newest = data;
    if (element->type != JSON_OBJECT) {
        newest->reason = "wrong_type";
        return false;
    }
    struct json_value value = json_member(element, newest->slot->field->element);
    if (!is_there(&value))
        return true;
    int64_t time;
    newest->reason = read_time(newest->reader, &value, &time);
    if (newest->reason)
        return false;
    if (!newest->slot->has_time || time > newest->slot->time)
        newest->slot->time = time;
    newest->slot->has_time = true;
    return true;
}

/* Reads the times of a record before anything is written, since the version leads the row. */
static const char *read_times(struct field_reader *reader, struct slot *slot)
{
    slot->has_time = false;
    if (!is_there(&slot->value))
        return NULL;
    if (slot->field->type == FIELD_TIME) {
        const char *reason = read_time(reader, &slot->value, &slot->time);
        slot->has_time = !reason;
        return reason;
    }
    if (slot->field->type == FIELD_NEWEST) {
        if (slot->value.type != JSON_ARRAY)
            return "wrong_type";
        struct newest newest = {.reader = reader, .slot = slot};
        json_each(&slot->value, take_newest, &newest);
        return newest.reason;
    }
    return NULL;
}

/* Columns -------------------------------------------------------------- */

static bool is_decimal(const char *text, size_t length)
{
    size_t i = 0, digits = 0;
    if (i < length && (text[i] == '-' || text[i] == '+'))
        i++;
    for (; i < length && text[i] >= '0' && text[i] <= '9'; i++)
        digits++;
    if (i < length && text[i] == '.')
        for (i++; i < length && text[i] >= '0' && text[i] <= '9'; i++)
            digits++;
    return digits > 0 && i == length;
}

static const char *put_text(struct field_reader *reader, const struct slot *slot, struct copy *copy)
{
    if (slot->value.type != JSON_STRING)
        return "wrong_type";
    size_t length;
    const char *text = json_text(&slot->value, &reader->scratch, &length);
    if (length == 0 && (slot->field->required || slot->field->is_key))
        return "missing_field";
    if (slot->field->choices) {
        const char *const *choice = slot->field->choices;
        while (*choice && (strlen(*choice) != length || memcmp(*choice, text, length) != 0))
            choice++;
        if (!*choice)
            return "wrong_type";
    }
    copy_text(copy, text, length);
    return NULL;
}

static const char *put_integer(const struct slot *slot, struct copy *copy)
{
    const struct field *field = slot->field;
    int64_t number;
    if (slot->value.type != JSON_NUMBER)
        return "wrong_type";
    if (!json_integer(&slot->value, &number))
        return "bad_integer";
    if ((field->minimum || field->maximum) && (number < field->minimum || number > field->maximum))
        return "bad_integer";
    copy_int(copy, number);
    return NULL;
}

static const char *put_decimal(struct field_reader *reader, const struct slot *slot,
                               struct copy *copy)
{
    const char *text = slot->value.text;
    size_t length = slot->value.length;
    if (slot->value.type == JSON_STRING)
        text = json_text(&slot->value, &reader->scratch, &length);
    else if (slot->value.type != JSON_NUMBER)
        return "wrong_type";
    if (!is_decimal(text, length))
        return "bad_number";
    copy_text(copy, text, length);
    return NULL;
}

struct list {
    struct field_reader *reader;
    struct copy *copy;
    int32_t count;
    const char *reason;
};

static bool count_text(const struct json_value *element, void *data)
{
    struct list *list = data;
    if (element->type != JSON_STRING)
        list->reason = "wrong_type";
    list->count++;
    return !list->reason;
}

static bool put_element(const struct json_value *element, void *data)
{
    struct list *list = data;
    size_t length;
    const char *text = json_text(element, &list->reader->scratch, &length);
    copy_text(list->copy, text, length);
    return true;
}

static const char *put_text_list(struct field_reader *reader, const struct slot *slot,
                                 struct copy *copy)
{
    struct list list = {.reader = reader, .copy = copy};
    if (!is_there(&slot->value)) {
        copy_text_list(copy, 0);
        return NULL;
    }
    if (slot->value.type != JSON_ARRAY)
        return "wrong_type";
    if (!json_each(&slot->value, count_text, &list))
        return list.reason;
    copy_text_list(copy, list.count);
    json_each(&slot->value, put_element, &list);
    return NULL;
}

/* Objects -------------------------------------------------------------- */

struct objects {
    struct field_reader *reader;
    const struct field *elements;
    bool is_first;
    const char *reason;
};

static bool build_text(const struct json_value *element, void *data)
{
    struct objects *objects = data;
    struct field_reader *reader = objects->reader;
    if (element->type != JSON_STRING) {
        objects->reason = "wrong_type";
        return false;
    }
    size_t length;
    const char *text = json_text(element, &reader->scratch, &length);
    if (!objects->is_first)
        str_add_char(&reader->built, ',');
    objects->is_first = false;
    str_add_json(&reader->built, text, length);
    return true;
}

static const char *build_member(struct field_reader *reader, const struct field *member,
                                const struct json_value *object)
{
    struct json_value value = json_member(object, member->path);
    if (!is_there(&value) && member->required)
        return "missing_field";
    if (!is_there(&value) && member->otherwise)
        value = default_value(member);

    str_add_json(&reader->built, member->column, strlen(member->column));
    str_add_char(&reader->built, ':');
    struct objects list = {.reader = reader, .is_first = true};
    if (member->type == FIELD_TEXT_LIST) {
        str_add_char(&reader->built, '[');
        if (is_there(&value) && value.type != JSON_ARRAY)
            return "wrong_type";
        if (is_there(&value) && !json_each(&value, build_text, &list))
            return list.reason;
        str_add_char(&reader->built, ']');
    } else if (!is_there(&value)) {
        str_add_text(&reader->built, "null");
    } else if (member->type == FIELD_BOOLEAN) {
        if (!is_boolean(&value))
            return "wrong_type";
        str_add_text(&reader->built, value.type == JSON_TRUE ? "true" : "false");
    } else if (!build_text(&value, &list)) {
        return list.reason;
    }
    return NULL;
}

static bool build_object(const struct json_value *element, void *data)
{
    struct objects *objects = data;
    struct str *built = &objects->reader->built;
    if (element->type != JSON_OBJECT) {
        objects->reason = "wrong_type";
        return false;
    }
    str_add_text(built, objects->is_first ? "{" : ",{");
    objects->is_first = false;
    for (const struct field *member = objects->elements; member->path && !objects->reason;
         member++) {
        if (member != objects->elements)
            str_add_char(built, ',');
        objects->reason = build_member(objects->reader, member, element);
    }
    str_add_char(built, '}');
    return !objects->reason;
}

static const char *put_objects(struct field_reader *reader, const struct slot *slot,
                               struct copy *copy)
{
    struct objects objects = {
        .reader = reader, .elements = slot->field->elements, .is_first = true};
    str_clear(&reader->built);
    str_add_char(&reader->built, '[');
    if (slot->value.type == JSON_ARRAY)
        json_each(&slot->value, build_object, &objects);
    else if (slot->value.type == JSON_OBJECT)
        build_object(&slot->value, &objects);
    else if (is_there(&slot->value))
        return "wrong_type";
    str_add_char(&reader->built, ']');
    if (!objects.reason)
        copy_jsonb(copy, reader->built.text, reader->built.length);
    return objects.reason;
}

/* Rows ----------------------------------------------------------------- */

static const char *put(struct field_reader *reader, const struct slot *slot, struct copy *copy)
{
    const struct field *field = slot->field;
    if (field->type == FIELD_TEXT_LIST)
        return put_text_list(reader, slot, copy);
    if (field->type == FIELD_OBJECTS)
        return put_objects(reader, slot, copy);
    if (!is_there(&slot->value)) {
        copy_null(copy);
        return NULL;
    }
    switch (field->type) {
    case FIELD_TEXT:
        return put_text(reader, slot, copy);
    case FIELD_INTEGER:
        return put_integer(slot, copy);
    case FIELD_DECIMAL:
        return put_decimal(reader, slot, copy);
    case FIELD_BOOLEAN:
        if (!is_boolean(&slot->value))
            return "wrong_type";
        copy_bool(copy, slot->value.type == JSON_TRUE);
        return NULL;
    default:
        if (slot->has_time)
            copy_time(copy, slot->time);
        else
            copy_null(copy);
        return NULL;
    }
}

/* Chooses the values and reads the times; *version is the greatest modification time. */
static const char *look(struct field_reader *reader, const struct field_batch *batch,
                        const struct json_value *values, int64_t *version, const char **column)
{
    *version = CLOCK_BEGINNING;
    for (size_t i = 0; i < reader->slot_count; i++) {
        struct slot *slot = &reader->slots[i];
        const struct field *field = slot->field;
        slot->value = choose(slot, values);
        *column = field->column ? field->column : field->path;
        if (!is_there(&slot->value) && (field->required || field->is_key))
            return "missing_field";
        const char *reason = read_times(reader, slot);
        if (reason)
            return reason;
        if (field->is_partition && slot->has_time &&
            (slot->time < PARTITIONS_FROM || slot->time > batch->clock + CLOCK_DAY))
            return "time_out_of_range";
        if (field->is_modified && slot->has_time && slot->time > *version)
            *version = slot->time;
    }
    return NULL;
}

static void put_fixed(const struct field_batch *batch, int64_t version, int64_t line_no,
                      bool is_tombstone, struct copy *copy)
{
    copy_int(copy, batch->batch_id);
    copy_int(copy, batch->read_number);
    copy_time(copy, version);
    copy_int(copy, line_no);
    copy_bool(copy, is_tombstone);
}

static bool is_outside(const struct field_batch *batch, int64_t version)
{
    return batch->is_window && (version <= batch->since || version > batch->until);
}

static enum field_taken stage_deletion(struct field_reader *reader, const struct field_batch *batch,
                                       const struct json_value *key, int64_t line_no,
                                       struct copy *copy, struct error *err)
{
    if (is_outside(batch, batch->read_time))
        return FIELD_SKIPPED;
    if (!copy_row(copy, FIXED_COLUMNS + (int)reader->column_count, err))
        return FIELD_FAILED;
    put_fixed(batch, batch->read_time, line_no, true, copy);
    for (size_t i = 0; i < reader->slot_count; i++) {
        size_t length;
        if (!reader->slots[i].field->column)
            continue;
        if (reader->slots[i].field->is_key) {
            const char *text = json_text(key, &reader->scratch, &length);
            copy_text(copy, text, length);
        } else {
            copy_null(copy);
        }
    }
    return FIELD_STAGED;
}

static enum field_taken stage_record(struct field_reader *reader, const struct field_batch *batch,
                                     const struct json_value *values, int64_t line_no,
                                     struct copy *copy, struct field_reject *reject,
                                     struct error *err)
{
    int64_t version;
    reject->reason = look(reader, batch, values, &version, &reject->column);
    if (reject->reason)
        return FIELD_REJECTED;
    if (is_outside(batch, version))
        return FIELD_SKIPPED;
    if (!copy_row(copy, FIXED_COLUMNS + (int)reader->column_count, err))
        return FIELD_FAILED;
    put_fixed(batch, version, line_no, false, copy);
    for (size_t i = 0; i < reader->slot_count; i++) {
        const struct slot *slot = &reader->slots[i];
        if (!slot->field->column)
            continue;
        reject->reason = put(reader, slot, copy);
        if (reject->reason) {
            reject->column = slot->field->column;
            copy_take_back(copy);
            return FIELD_REJECTED;
        }
    }
    return FIELD_STAGED;
}

enum field_taken field_read(struct field_reader *reader, const struct field_batch *batch,
                            const char *text, size_t length, int64_t line_no, struct copy *copy,
                            struct field_reject *reject, struct error *err)
{
    const struct json_value *values;
    struct json_value key;
    reject->column = "";
    switch (document_read(reader->documents, text, length, &values, &key, reject)) {
    case DOCUMENT_SKIPPED:
        return FIELD_SKIPPED;
    case DOCUMENT_REJECTED:
        return FIELD_REJECTED;
    case DOCUMENT_DELETION:
        return stage_deletion(reader, batch, &key, line_no, copy, err);
    case DOCUMENT_RECORD:
        break;
    }
    return stage_record(reader, batch, values, line_no, copy, reject, err);
}

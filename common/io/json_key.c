/* SPDX-License-Identifier: MIT */
#include "io/json_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json_token.h"

/* Objects with more keys than this use the hash table. */
#define FEW 64

/* Entries and slots that are kept from document to document. */
#define KEPT 8192

struct json_key_entry {
    uint64_t tag;
    uint64_t hash;    /* where it is in the table */
    const char *text; /* in the document, or NULL: in decoded, at offset */
    size_t offset;
    size_t length;
    bool is_in_table;
};

struct json_key_slot {
    uint64_t hash;
    size_t place; /* of the entry, plus 1; 0 is a free slot */
};

void json_keys_init(struct json_keys *keys)
{
    memset(keys, 0, sizeof(*keys));
    str_init(&keys->decoded);
    /* Where the heap lies differs from run to run: nobody can prepare keys that collide. */
    keys->seed = (uint64_t)(uintptr_t)keys * UINT64_C(0x9e3779b97f4a7c15);
}

void json_keys_release(struct json_keys *keys)
{
    free(keys->entries);
    free(keys->slots);
    str_release(&keys->decoded);
}

static uint64_t load8(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t load4(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

uint64_t json_key_tag(const char *text, size_t length)
{
    uint64_t begin;
    uint64_t end;

    if (length >= 8) {
        begin = load8(text);
        end = load8(text + length - 8);
    } else if (length >= 4) {
        begin = load4(text);
        end = load4(text + length - 4);
    } else if (length > 0) {
        begin = (unsigned char)text[0] | (uint64_t)(unsigned char)text[length / 2] << 8;
        end = (unsigned char)text[length - 1];
    } else {
        return 0;
    }
    return begin ^ (end << 29 | end >> 35) ^ length << 56;
}

/* Both halves of the product: no bit of either factor is lost. */
static uint64_t mix(uint64_t one, uint64_t other)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)one * other;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_text(uint64_t seed, const char *text, size_t length)
{
    uint64_t hash = mix(seed ^ UINT64_C(0xa0761d6478bd642f), length ^ UINT64_C(0xe7037ed1a0b428db));
    uint64_t last = 0;

    for (; length >= 8; text += 8, length -= 8) {
        hash = mix(hash ^ load8(text), seed ^ UINT64_C(0x8ebc6af09c88c6e3));
    }
    memcpy(&last, text, length);
    return mix(hash ^ last, seed ^ UINT64_C(0x589965cc75374cc3));
}

static const char *entry_text(const struct json_keys *keys, const struct json_key_entry *entry)
{
    return entry->text != NULL ? entry->text : keys->decoded.text + entry->offset;
}

static bool is_same(const struct json_keys *keys, const struct json_key_entry *one,
                    const struct json_key_entry *other)
{
    return one->tag == other->tag && one->length == other->length &&
           memcmp(entry_text(keys, one), entry_text(keys, other), one->length) == 0;
}

/* The slot of the same key in the innermost object, else the free one where the entry goes. */
static size_t find_slot(const struct json_keys *keys, size_t first,
                        const struct json_key_entry *entry)
{
    size_t mask = keys->slot_count - 1;
    size_t slot = entry->hash & mask;

    for (; keys->slots[slot].place != 0; slot = (slot + 1) & mask) {
        size_t place = keys->slots[slot].place - 1;

        if (place >= first && keys->slots[slot].hash == entry->hash &&
            is_same(keys, &keys->entries[place], entry)) {
            break;
        }
    }
    return slot;
}

static void put(struct json_keys *keys, size_t first, size_t place)
{
    size_t slot = find_slot(keys, first, &keys->entries[place]);

    keys->slots[slot].hash = keys->entries[place].hash;
    keys->slots[slot].place = place + 1;
}

/* Makes room for count entries in the table. Those in it are put again in the order in which they
 * came: closing relies on it. */
static void grow_table(struct json_keys *keys, size_t count)
{
    size_t size = keys->slot_count == 0 ? 4 * FEW : keys->slot_count;

    if (count * 2 <= keys->slot_count) {
        return;
    }
    while (size < count * 2) {
        size *= 2;
    }
    free(keys->slots);
    keys->slots = mem_alloc(size * sizeof(*keys->slots));
    keys->slot_count = size;
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->entries[i].is_in_table) {
            put(keys, i, i);
        }
    }
}

/* Looks the last entry up in the table and puts it there. False if the object has it already. */
static bool add_to_table(struct json_keys *keys, size_t first)
{
    size_t last = keys->count - 1;
    size_t from = last - first == FEW ? first : last; /* the first time, the few come along */

    grow_table(keys, keys->slots_used + (last - from) + 1);
    for (size_t i = from; i <= last; i++) {
        struct json_key_entry *entry = &keys->entries[i];
        size_t slot;

        entry->hash = hash_text(keys->seed, entry_text(keys, entry), entry->length);
        slot = find_slot(keys, first, entry);
        if (keys->slots[slot].place != 0) {
            return false;
        }
        keys->slots[slot].hash = entry->hash;
        keys->slots[slot].place = i + 1;
        entry->is_in_table = true;
        keys->slots_used++;
    }
    return true;
}

static void take_from_table(struct json_keys *keys, size_t place)
{
    size_t mask = keys->slot_count - 1;
    size_t slot = keys->entries[place].hash & mask;

    while (keys->slots[slot].place != place + 1) {
        slot = (slot + 1) & mask;
    }
    keys->slots[slot].place = 0;
    keys->slots_used--;
}

size_t json_keys_open(const struct json_keys *keys)
{
    return keys->count;
}

bool json_keys_add(struct json_keys *keys, size_t first, const char *text, size_t length,
                   bool has_escape, struct json_key *key)
{
    struct json_key_entry *entry;

    if (keys->count == keys->capacity) {
        keys->capacity = keys->capacity == 0 ? 64 : keys->capacity * 2;
        keys->entries = mem_resize(keys->entries, keys->capacity * sizeof(*keys->entries));
    }
    entry = &keys->entries[keys->count++];
    entry->text = has_escape ? NULL : text;
    entry->offset = keys->decoded.length;
    entry->length = length;
    entry->is_in_table = false;
    if (has_escape) {
        json_token_decode(text, length, &keys->decoded);
        entry->length = keys->decoded.length - entry->offset;
    }
    key->text = entry_text(keys, entry);
    key->length = entry->length;
    key->tag = entry->tag = json_key_tag(key->text, key->length);
    if (keys->count - first > FEW) {
        return add_to_table(keys, first);
    }
    for (size_t i = first; i < keys->count - 1; i++) {
        if (is_same(keys, &keys->entries[i], entry)) {
            return false;
        }
    }
    return true;
}

void json_keys_close(struct json_keys *keys, size_t first)
{
    if (keys->slots_used > 0) {
        for (size_t i = keys->count; i > first; i--) {
            if (keys->entries[i - 1].is_in_table) {
                take_from_table(keys, i - 1);
            }
        }
    }
    if (keys->count > first && keys->decoded.length > 0) {
        keys->decoded.length = keys->entries[first].offset;
    }
    keys->count = first;
}

void json_keys_finish(struct json_keys *keys)
{
    json_keys_close(keys, 0);
    str_clear(&keys->decoded);
    if (keys->capacity > KEPT) {
        free(keys->entries);
        keys->entries = NULL;
        keys->capacity = 0;
    }
    if (keys->slot_count > KEPT) {
        free(keys->slots);
        keys->slots = NULL;
        keys->slot_count = 0;
    }
    if (keys->decoded.capacity > KEPT) {
        str_release(&keys->decoded);
        str_init(&keys->decoded);
    }
}

/* SPDX-License-Identifier: MIT
 *
 * The keys of all objects of a document that are open at the moment: is this
 * one there already? Few keys are compared one by one, many through one hash
 * table, so that an object of a million keys costs what a million keys cost.
 * Only for io/json.
 *
 * Objects are closed in the reverse order of their opening, and a key belongs
 * to the object opened last. That is why closing one may simply empty its slots:
 * nobody who came later is left to look past them.
 */
#ifndef IO_JSON_KEY_H
#define IO_JSON_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* A key as it is compared: its decoded text. Borrowed until the next key is added. */
struct json_key {
    uint64_t tag; /* json_key_tag of the text */
    const char *text;
    size_t length;
};

struct json_key_entry;
struct json_key_slot;

struct json_keys {
    struct json_key_entry *entries; /* of the open objects, the innermost last */
    size_t count;
    size_t capacity;
    struct json_key_slot *slots; /* of the objects with many keys */
    size_t slot_count;           /* a power of two, or 0 */
    size_t slots_used;
    struct str decoded; /* texts of the keys that were escaped */
    uint64_t seed;
};

void json_keys_init(struct json_keys *keys);
void json_keys_release(struct json_keys *keys);

/* Opens an object and returns what the other functions call first. */
size_t json_keys_open(const struct json_keys *keys);

/* Adds a key (checked source text between its quotes, borrowed until the object is closed) and
 * sets *key. False if the object has it already. */
bool json_keys_add(struct json_keys *keys, size_t first, const char *text, size_t length,
                   bool has_escape, struct json_key *key);

/* Closes the object opened last. Closing an outer one closes those within. */
void json_keys_close(struct json_keys *keys, size_t first);

/* Closes all, and gives back memory that only an unusual document needs. */
void json_keys_finish(struct json_keys *keys);

/* Eight bytes made of the length, the beginning and the end: equal texts have equal tags, and
 * few others do. No hash: that of a hostile text can be chosen. */
uint64_t json_key_tag(const char *text, size_t length);

#endif

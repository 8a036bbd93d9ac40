/* SPDX-License-Identifier: MIT
 *
 * The keys of Open edX: a canonical key is a fixed point, is UTF-8 of at most 255 characters, and
 * lies in the context it is read within; a reason is one of the closed list. The bytes are a key,
 * and behind a newline the context that it is read within.
 */
#include <string.h>

#include "etl/opaque_key.h"
#include "fuzz.h"
#include "reference_json.h"

static const char *const reasons[] = {"missing_field",     "key_too_long",
                                      "invalid_usage_key", "invalid_context_key",
                                      "context_mismatch",  "usage_key_missing_type"};

static void judge_reason(const char *reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(reason, reasons[i]) == 0)
            return;
    FUZZ_EXPECT(!"a reason of the list");
}

/* Reads a key; what is taken is read once more. False where it is refused. */
static bool read_twice(const struct grammar *grammar, const char *text, size_t length,
                       const struct str *within, struct str *canonical)
{
    struct str again;
    unsigned notes = 0, none = 0;
    str_clear(canonical);
    const char *reason =
        grammar->read(text, length, within->text, within->length, canonical, &notes);
    if (reason) {
        judge_reason(reason);
        return false;
    }
    FUZZ_EXPECT(canonical->length > 0 && canonical->length <= 4 * 255);
    FUZZ_EXPECT(reference_is_utf8(canonical->text, canonical->length));
    str_init(&again);
    reason = grammar->read(canonical->text, canonical->length, within->text, within->length, &again,
                           &none);
    FUZZ_EXPECT(reason == NULL && none == 0);
    FUZZ_EXPECT(again.length == canonical->length &&
                memcmp(again.text, canonical->text, again.length) == 0);
    str_release(&again);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char none[] = "";
    static const struct str nowhere = {.text = none};
    const char *text = (const char *)data, *newline = memchr(data, '\n', size);
    size_t length = newline ? (size_t)(newline - text) : size;
    struct str context, usage;
    /* Texts come out of a document: sound, and not empty. */
    if (length == 0 || memchr(data, 0, size) || !reference_is_utf8(text, size))
        return 0;
    str_init(&context);
    str_init(&usage);
    read_twice(&opaque_context_key, text, length, &nowhere, &context);
    read_twice(&opaque_usage_key, text, length, &nowhere, &usage);
    if (newline &&
        read_twice(&opaque_context_key, newline + 1, size - length - 1, &nowhere, &context))
        read_twice(&opaque_usage_key, text, length, &context, &usage);
    str_release(&context);
    str_release(&usage);
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <string.h>

#include "fuzz.h"

static int64_t take(struct wire *wire, size_t bytes)
{
    uint64_t number = 0;
    FUZZ_EXPECT((size_t)(wire->end - wire->at) >= bytes);
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | *wire->at++;
    /* The sign of a shorter number is its highest bit. */
    if (bytes < 8 && bytes > 1 && number >> (8 * bytes - 1))
        number |= UINT64_MAX << (8 * bytes);
    return (int64_t)number;
}

struct wire wire_open(const char *bytes, size_t length)
{
    static const char header[19] = "PGCOPY\n\377\r\n";
    struct wire wire = {(const unsigned char *)bytes, (const unsigned char *)bytes + length};
    FUZZ_EXPECT(length >= sizeof header && memcmp(bytes, header, sizeof header) == 0);
    wire.at += sizeof header;
    return wire;
}

int wire_row(struct wire *wire)
{
    int columns = (int)take(wire, 2);
    FUZZ_EXPECT(columns >= -1);
    FUZZ_EXPECT(columns >= 0 || wire->at == wire->end);
    return columns;
}

const char *wire_column(struct wire *wire, size_t *length)
{
    int64_t own = take(wire, 4);
    const char *bytes = (const char *)wire->at;
    *length = 0;
    FUZZ_EXPECT(own >= -1 && own <= wire->end - wire->at);
    if (own < 0)
        return NULL;
    wire->at += own;
    *length = (size_t)own;
    return bytes;
}

int64_t wire_number(struct wire *wire, size_t bytes)
{
    FUZZ_EXPECT(take(wire, 4) == (int64_t)bytes);
    return take(wire, bytes);
}

int32_t wire_list(struct wire *wire)
{
    int64_t length = take(wire, 4), dimensions = take(wire, 4);
    struct wire rest = {wire->at, wire->at - 4 + length};
    FUZZ_EXPECT(length >= 12 && length - 4 <= wire->end - wire->at);
    FUZZ_EXPECT(dimensions == 0 || dimensions == 1);
    FUZZ_EXPECT(take(wire, 4) == 0 && take(wire, 4) == 25);
    if (dimensions == 0) {
        FUZZ_EXPECT(length == 12);
        return 0;
    }
    int32_t count = (int32_t)take(wire, 4);
    FUZZ_EXPECT(count > 0 && take(wire, 4) == 1);
    rest.at = wire->at;
    for (int32_t i = 0; i < count; i++) {
        size_t size;
        FUZZ_EXPECT(wire_column(&rest, &size) != NULL);
    }
    FUZZ_EXPECT(rest.at == rest.end);
    return count;
}

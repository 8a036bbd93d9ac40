/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=db_copy_in,--wrap=db_copy_put,--wrap=db_copy_in_end */
/* link: -Wl,--wrap=db_copy_out,--wrap=db_copy_get,--wrap=db_copy_out_end */
/*
 * The encoders of COPY: the bytes are a sequence of calls. What is sent, read
 * back as the server reads it, is what was called, without what was taken back.
 */
#include <string.h>

#include "../unit/io/copy_wire.h"
#include "base/clock.h"
#include "fuzz.h"
#include "wire.h"

/* What holds where a row is compared; a row that was taken back is only passed over. */
#define EXPECT_SENT(condition)      \
    do {                            \
        if (wire_in)                \
            FUZZ_EXPECT(condition); \
    } while (0)

/* The calls, one after the other. */
struct calls {
    const uint8_t *at, *end;
};

static uint8_t next_byte(struct calls *calls)
{
    return calls->at < calls->end ? *calls->at++ : 0;
}

static uint64_t next_number(struct calls *calls)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | next_byte(calls);
    return number;
}

/* A text of the calls; some are longer than what is sent at once. */
static const char *next_text(struct calls *calls, size_t *length)
{
    static char large[70000];
    size_t left = (size_t)(calls->end - calls->at);
    uint8_t byte = next_byte(calls);
    if (byte == 0xff) {
        memset(large, byte, sizeof large);
        *length = sizeof large - next_byte(calls);
        return large;
    }
    *length = byte < left ? byte : (left > 0 ? left - 1 : 0);
    const char *text = (const char *)calls->at;
    calls->at += *length;
    return text;
}

/* A list's element or a column, added to copy or else compared with what was sent. */
static void do_text(struct calls *calls, struct copy *copy, struct wire *wire_in)
{
    size_t length, sent;
    const char *text = next_text(calls, &length);
    if (copy) {
        copy_text(copy, text, length);
        return;
    }
    if (!wire_in)
        return;
    const char *bytes = wire_column(wire_in, &sent);
    FUZZ_EXPECT(bytes != NULL && sent == length && memcmp(bytes, text, length) == 0);
}

static void do_bytes(struct calls *calls, struct copy *copy, struct wire *wire_in, bool is_jsonb)
{
    size_t length, sent;
    const char *text = next_text(calls, &length);
    if (copy) {
        if (is_jsonb)
            copy_jsonb(copy, text, length);
        else
            copy_bytes(copy, text, length);
        return;
    }
    if (!wire_in)
        return;
    const char *bytes = wire_column(wire_in, &sent);
    FUZZ_EXPECT(bytes != NULL && sent == length + is_jsonb && (!is_jsonb || bytes[0] == 1));
    FUZZ_EXPECT(memcmp(bytes + is_jsonb, text, length) == 0);
}

static void do_number(struct calls *calls, struct copy *copy, struct wire *wire_in)
{
    uint64_t bits = next_number(calls);
    double number;
    memcpy(&number, &bits, sizeof number);
    if (copy)
        copy_float(copy, number);
    else
        EXPECT_SENT((uint64_t)wire_number(wire_in, 8) == bits);
}

/* Microseconds since 2000, which is 10957 days after 1970; -infinity is the least of all. */
static void do_time(struct calls *calls, struct copy *copy, struct wire *wire_in)
{
    int64_t time = (int64_t)next_number(calls) / 4;
    bool is_beginning = (time & 15) == 15;
    if (copy)
        copy_time(copy, is_beginning ? CLOCK_BEGINNING : time);
    else
        EXPECT_SENT(wire_number(wire_in, 8) ==
                    (is_beginning ? INT64_MIN : time - 10957 * CLOCK_DAY));
}

static void do_column(struct calls *calls, struct copy *copy, struct wire *wire_in)
{
    size_t length;
    int64_t number;
    int32_t count;
    switch (next_byte(calls) % 9) {
    case 0:
        if (copy)
            copy_null(copy);
        else
            EXPECT_SENT(wire_column(wire_in, &length) == NULL);
        break;
    case 1:
        number = (int64_t)next_number(calls);
        if (copy)
            copy_int(copy, number);
        else
            EXPECT_SENT(wire_number(wire_in, 8) == number);
        break;
    case 2: do_number(calls, copy, wire_in); break;
    case 3:
        number = next_byte(calls) & 1;
        if (copy)
            copy_bool(copy, number);
        else
            EXPECT_SENT(wire_number(wire_in, 1) == number);
        break;
    case 4: do_time(calls, copy, wire_in); break;
    case 5: do_text(calls, copy, wire_in); break;
    case 6: do_bytes(calls, copy, wire_in, false); break;
    case 7: do_bytes(calls, copy, wire_in, true); break;
    default:
        count = next_byte(calls) % 5;
        if (copy)
            copy_text_list(copy, count);
        else
            EXPECT_SENT(wire_list(wire_in) == count);
        for (int32_t i = 0; i < count; i++)
            do_text(calls, copy, wire_in);
        break;
    }
}

/* All rows, added to copy or compared. */
static void do_rows(struct calls calls, struct copy *copy, struct wire *wire_in)
{
    while (calls.at < calls.end) {
        int columns = next_byte(&calls) % 8;
        bool is_taken_back = next_byte(&calls) % 8 == 7;
        if (copy)
            FUZZ_EXPECT(copy_row(copy, columns, &err));
        else if (!is_taken_back)
            FUZZ_EXPECT(wire_row(wire_in) == columns);
        for (int i = 0; i < columns; i++)
            do_column(&calls, copy, is_taken_back ? NULL : wire_in);
        if (is_taken_back && copy)
            copy_take_back(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct calls calls = {data, data + size};
    int64_t rows;
    set_up(NULL);
    struct copy *copy = copy_open(NULL, &in, NULL, &err);
    do_rows(calls, copy, NULL);
    FUZZ_EXPECT(copy_end(copy, &rows, &err));
    copy_close(copy);
    struct wire sent = wire_open(wire.taken.text, wire.taken.length);
    do_rows(calls, NULL, &sent);
    FUZZ_EXPECT(wire_row(&sent) == -1);
    tear_down(NULL);
    return 0;
}

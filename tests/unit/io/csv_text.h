/* SPDX-License-Identifier: MIT
 *
 * A file of CSV or TSV from a literal, and what is read from it as one text. A
 * record is "NUMBER: CELL|CELL", a bad one "NUMBER! REASON (RAW)"; each ends
 * with ";", and a cell that is NULL is "~".
 */
#ifndef TESTS_UNIT_IO_CSV_TEXT_H
#define TESTS_UNIT_IO_CSV_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "io/csv.h"

#define CSV_TEXT_LONG (1024 * 1024)

/* A literal that may hold NUL: pointer and length. */
#define BYTES(literal) literal, sizeof(literal) - 1

static char path[] = "/tmp/test-csv-XXXXXX";
static struct error err;
static struct str said;

static int set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    str_init(&said);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    str_release(&said);
    return unlink(path);
}

static inline void write_bytes(const char *bytes, size_t length)
{
    FILE *stream = fopen(path, "wb");

    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

static inline void say(const struct csv_record *record)
{
    str_add_format(&said, "%lld", (long long)record->raw->number);
    if (record->reason != NULL) {
        str_add_format(&said, "! %s (", record->reason);
        str_add(&said, record->raw->text, record->raw->length);
        str_add_text(&said, ");");
        return;
    }
    for (size_t i = 0; i < record->count; i++) {
        str_add_text(&said, i == 0 ? ": " : "|");
        if (record->cells[i].is_null) {
            assert_int_equal(record->cells[i].length, 0);
            str_add_text(&said, "~");
        }
        str_add(&said, record->cells[i].text, record->cells[i].length);
    }
    str_add_text(&said, ";");
}

/* Reads all that follows the header and closes. */
static inline void say_rest(struct csv *csv)
{
    struct csv_record record;
    enum csv_got got;

    str_clear(&said);
    while ((got = csv_next(csv, &record, &err)) != CSV_END) {
        assert_true(got == CSV_RECORD || got == CSV_BAD);
        assert_true((got == CSV_BAD) == (record.reason != NULL));
        assert_true((got == CSV_BAD) == (record.cells == NULL));
        assert_int_equal(record.raw->text[record.raw->length], '\0');
        say(&record);
    }
    assert_int_equal(csv_next(csv, &record, &err), CSV_END); /* and stays so */
    csv_close(csv);
}

static inline void assert_said(const char *expected, size_t length)
{
    if (said.length != length || memcmp(said.text, expected, length) != 0) {
        fail_msg("read \"%.500s\", not \"%.500s\"", said.text, expected);
    }
}

static inline void assert_reads(enum csv_dialect dialect, int64_t max_record, const char *bytes,
                                size_t length, const char *expected, size_t expected_length)
{
    struct csv *csv;

    write_bytes(bytes, length);
    csv = csv_open(path, dialect, max_record, &err);
    if (csv == NULL) {
        fail_msg("could not be opened: %s", err.message);
    }
    say_rest(csv);
    assert_said(expected, expected_length);
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * Compressed files and what may be wrong with them. Pipes, standard input and
 * what cannot be opened are in test_file_pipe.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
/* so that zlib takes const input */
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/file_stream.h"

#define SKIPPABLE "\x50\x2a\x4d\x18\x03\0\0\0abc"

static char folder[] = "/tmp/test-file-stream-XXXXXX";
static char path[64];
static struct error err;

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/x.ndjson", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const struct str *bytes, size_t length)
{
    FILE *stream = fopen(path, "wb");

    assert_non_null(stream);
    assert_int_equal(fwrite(bytes->text, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

static void add_gzip(struct str *to, const char *text, size_t length)
{
    z_stream gzip = {0};

    assert_int_equal(deflateInit2(&gzip, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    str_reserve(to, deflateBound(&gzip, length));
    gzip.next_in = (const Bytef *)text;
    gzip.avail_in = (uInt)length;
    gzip.next_out = (Bytef *)to->text + to->length;
    gzip.avail_out = (uInt)(to->capacity - to->length);
    assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    to->length += gzip.total_out;
    deflateEnd(&gzip);
}

static void add_zstd(struct str *to, const char *text, size_t length)
{
    size_t size;

    str_reserve(to, ZSTD_compressBound(length));
    size = ZSTD_compress(to->text + to->length, ZSTD_compressBound(length), text, length, 3);
    assert_false(ZSTD_isError(size));
    to->length += size;
}

/* Reads all lines of source into *to, each with an LF. */
static enum file_got read_lines(const char *source, int64_t max_record, struct str *to)
{
    struct file *file = file_open(source, max_record, &err);
    struct file_line line;
    enum file_got got;

    assert_non_null(file);
    str_clear(to);
    while ((got = file_next(file, &line, &err)) == FILE_LINE) {
        str_add(to, line.text, line.length);
        str_add_char(to, '\n');
    }
    file_close(file);
    return got;
}

static void assert_lines(const struct str *stored, const char *expected)
{
    struct str lines;

    str_init(&lines);
    write_file(stored, stored->length);
    assert_int_equal(read_lines(path, 1000, &lines), FILE_END);
    assert_string_equal(lines.text, expected);
    str_release(&lines);
}

static void assert_failure(enum status status, const char *part)
{
    assert_int_equal(err.status, status);
    if (strstr(err.message, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, err.message);
    }
    assert_null(strstr(err.message, folder));
}

static void assert_refused(const struct str *stored, size_t length, const char *part)
{
    struct str lines;

    str_init(&lines);
    write_file(stored, length);
    assert_int_equal(read_lines(path, 1000, &lines), FILE_FAILED);
    assert_failure(STATUS_IO, part);
    assert_failure(STATUS_IO, "file \"x.ndjson\"");
    str_release(&lines);
}

static void gzip_members_follow_each_other(void **state)
{
    struct str stored;

    (void)state;
    str_init(&stored);
    add_gzip(&stored, "\xef\xbb\xbfone\r\ntw", 10);
    assert_lines(&stored, "one\ntw\n");
    add_gzip(&stored, "", 0);
    add_gzip(&stored, "o\nthree", 7);
    assert_lines(&stored, "one\ntwo\nthree\n");
    str_clear(&stored);
    add_gzip(&stored, "", 0);
    assert_lines(&stored, "");
    str_release(&stored);
}

static void zstd_frames_follow_each_other(void **state)
{
    struct str stored;

    (void)state;
    str_init(&stored);
    add_zstd(&stored, "one\ntw", 6);
    assert_lines(&stored, "one\ntw\n");
    str_add(&stored, SKIPPABLE, sizeof(SKIPPABLE) - 1);
    add_zstd(&stored, "", 0);
    add_zstd(&stored, "o\nthree", 7);
    assert_lines(&stored, "one\ntwo\nthree\n");
    str_clear(&stored);
    str_add(&stored, SKIPPABLE, sizeof(SKIPPABLE) - 1);
    add_zstd(&stored, "four\n", 5);
    assert_lines(&stored, "four\n");
    str_release(&stored);
}

static void what_looks_a_little_like_it_is_plain(void **state)
{
    static const char *const texts[] = {"\x1f\n",         "\x1f\x8c\n",
                                        "\x28\xb5\x2f\n", "\x28\xb5\x2f\xfc\n",
                                        "P*M\n",          "\x50\x2a\x4d\x19\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof *texts; i++) {
        struct str stored;

        str_init(&stored);
        str_add_text(&stored, texts[i]);
        assert_lines(&stored, texts[i]);
        str_release(&stored);
    }
}

static void a_cut_file_is_no_end(void **state)
{
    struct str gzip;
    struct str zstd;

    (void)state;
    str_init(&gzip);
    str_init(&zstd);
    add_gzip(&gzip, "one\ntwo\nthree\n", 14);
    add_zstd(&zstd, "one\ntwo\nthree\n", 14);
    for (size_t length = 2; length < gzip.length; length++) {
        assert_refused(&gzip, length, "ends early");
    }
    for (size_t length = 4; length < zstd.length; length++) {
        assert_refused(&zstd, length, "ends early");
    }
    str_release(&gzip);
    str_release(&zstd);
}

static void a_damaged_file_is_noticed(void **state)
{
    struct str stored;

    (void)state;
    str_init(&stored);
    add_gzip(&stored, "one\ntwo\nthree\n", 14);
    stored.text[stored.length - 8] ^= 1; /* its checksum */
    assert_refused(&stored, stored.length, "is damaged");
    stored.text[stored.length - 8] ^= 1;
    str_add_text(&stored, "more");
    assert_refused(&stored, stored.length, "is damaged");
    str_clear(&stored);
    add_zstd(&stored, "one\ntwo\nthree\n", 14);
    str_add_text(&stored, "more");
    assert_refused(&stored, stored.length, "is damaged");
    str_release(&stored);
}

/* Many equal lines, which take much more room than what is stored. */
static void what_swells_comes_whole(void **state)
{
    size_t length = 4000 * 1000;
    char *text = mem_resize(NULL, length);
    struct str stored;
    struct str lines;

    (void)state;
    str_init(&stored);
    str_init(&lines);
    memset(text, 'x', length);
    for (size_t i = 999; i < length; i += 1000) {
        text[i] = '\n';
    }
    add_gzip(&stored, text, length);
    write_file(&stored, stored.length);
    assert_int_equal(read_lines(path, 1000, &lines), FILE_END);
    assert_int_equal(lines.length, length);
    assert_memory_equal(lines.text, text, length);
    stored.length = 0;
    add_zstd(&stored, text, length);
    write_file(&stored, stored.length);
    assert_int_equal(read_lines(path, 1000, &lines), FILE_END);
    assert_int_equal(lines.length, length);
    assert_memory_equal(lines.text, text, length);
    str_release(&lines);
    str_release(&stored);
    free(text);
}

/* Reads the stored bytes through a keyhole. */
static void assert_bytes_one_by_one(const struct str *stored, const char *expected, size_t length)
{
    struct file_stream *stream;
    char byte;
    size_t got;

    write_file(stored, stored->length);
    stream = file_stream_open(path, false, &err);
    for (size_t i = 0; i < length; i++) {
        assert_true(file_stream_read(stream, &byte, 1, &got, &err));
        assert_int_equal(got, 1);
        assert_int_equal(byte, expected[i]);
    }
    assert_true(file_stream_read(stream, &byte, 1, &got, &err));
    assert_int_equal(got, 0);
    file_stream_close(stream);
}

static void little_room_holds_up_nothing(void **state)
{
    static char text[5000];
    struct str stored;

    (void)state;
    str_init(&stored);
    memset(text, 'x', sizeof(text));
    add_gzip(&stored, text, sizeof(text));
    assert_bytes_one_by_one(&stored, text, sizeof(text));
    add_gzip(&stored, "", 0);
    assert_bytes_one_by_one(&stored, text, sizeof(text));
    str_clear(&stored);
    add_zstd(&stored, text, sizeof(text));
    assert_bytes_one_by_one(&stored, text, sizeof(text));
    str_release(&stored);
}

static void a_cut_within_a_line_that_is_too_long_is_noticed(void **state)
{
    size_t length = 2000 * 1000;
    char *text = mem_alloc(length);
    struct str stored;

    (void)state;
    str_init(&stored);
    add_gzip(&stored, text, length);
    assert_refused(&stored, stored.length / 2, "ends early");
    str_release(&stored);
    free(text);
}

static void bytes_are_counted_as_stored(void **state)
{
    struct str stored;
    struct file *file;
    struct file_line line;

    (void)state;
    str_init(&stored);
    add_gzip(&stored, "one\n", 4);
    write_file(&stored, stored.length);
    file = file_open(path, 1000, &err);
    assert_int_equal(file_bytes(file), 0);
    assert_int_equal(file_next(file, &line, &err), FILE_LINE);
    assert_int_equal(file_next(file, &line, &err), FILE_END);
    assert_int_equal(file_bytes(file), stored.length);
    file_close(file);
    str_release(&stored);
}

static void a_stream_has_a_life_of_its_own(void **state)
{
    struct file_stream *stream;
    struct str stored;
    char bytes[3];
    size_t got;

    (void)state;
    str_init(&stored);
    str_add_text(&stored, "12345");
    write_file(&stored, stored.length);
    stream = file_stream_open(path, false, &err);
    assert_string_equal(file_stream_label(stream), "file \"x.ndjson\"");
    assert_true(file_stream_read(stream, bytes, 3, &got, &err));
    assert_int_equal(got, 3);
    assert_memory_equal(bytes, "123", 3);
    assert_int_equal(file_stream_bytes(stream), 4); /* as many as tell the format */
    assert_true(file_stream_read(stream, bytes, 3, &got, &err));
    assert_memory_equal(bytes, "4", 1);
    assert_int_equal(got, 1);
    assert_true(file_stream_read(stream, bytes, 3, &got, &err));
    assert_memory_equal(bytes, "5", 1);
    assert_true(file_stream_read(stream, bytes, 3, &got, &err));
    assert_int_equal(got, 0);
    file_stream_close(stream);
    file_stream_close(NULL);
    str_release(&stored);
}

static void a_raw_stream_is_left_as_it_is(void **state)
{
    struct str stored;
    struct str all;

    (void)state;
    str_init(&stored);
    str_init(&all);
    add_zstd(&stored, "one\n", 4);
    write_file(&stored, stored.length);
    assert_true(file_read_all(path, 1000, &all, &err));
    assert_int_equal(all.length, stored.length);
    assert_memory_equal(all.text, stored.text, stored.length);
    str_release(&all);
    str_release(&stored);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_members_follow_each_other),
        cmocka_unit_test(zstd_frames_follow_each_other),
        cmocka_unit_test(what_looks_a_little_like_it_is_plain),
        cmocka_unit_test(a_cut_file_is_no_end),
        cmocka_unit_test(a_damaged_file_is_noticed),
        cmocka_unit_test(what_swells_comes_whole),
        cmocka_unit_test(little_room_holds_up_nothing),
        cmocka_unit_test(a_cut_within_a_line_that_is_too_long_is_noticed),
        cmocka_unit_test(bytes_are_counted_as_stored),
        cmocka_unit_test(a_stream_has_a_life_of_its_own),
        cmocka_unit_test(a_raw_stream_is_left_as_it_is),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

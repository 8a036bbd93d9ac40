/* SPDX-License-Identifier: MIT
 *
 * Lines: where they begin and end, what becomes of those that are too long.
 * What is compressed, and standard input, are in test_file_stream.c.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/file.h"

#define LONG (1024 * 1024)

static char path[] = "/tmp/test-file-XXXXXX";
static struct file *file;
static struct file_line line;
static struct error err;

static int set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void open_bytes(const char *bytes, size_t length, int64_t max_record)
{
    FILE *stream = fopen(path, "wb");

    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
    file = file_open(path, max_record, &err);
    assert_non_null(file);
}

static void open_text(const char *text)
{
    open_bytes(text, strlen(text), LONG);
}

static void assert_line(const char *text, size_t length)
{
    assert_int_equal(file_next(file, &line, &err), FILE_LINE);
    assert_int_equal(line.length, length);
    assert_int_equal(line.full_length, length);
    assert_memory_equal(line.text, text, length);
    assert_int_equal(line.text[length], '\0');
    assert_false(line.is_too_long);
    assert_string_equal(line.sha256, "");
}

static void assert_end(void)
{
    assert_int_equal(file_next(file, &line, &err), FILE_END);
    assert_int_equal(file_next(file, &line, &err), FILE_END); /* and stays so */
    file_close(file);
}

static void an_empty_file_ends_at_once(void **state)
{
    (void)state;
    open_text("");
    assert_end();
    open_text("\xef\xbb\xbf");
    assert_end();
    file_close(NULL);
}

static void a_line_ends_with_lf_or_crlf(void **state)
{
    (void)state;
    open_text("one\ntwo\r\nthree\n");
    assert_line("one", 3);
    assert_int_equal(line.number, 1);
    assert_false(line.is_crlf);
    assert_line("two", 3);
    assert_true(line.is_crlf);
    assert_line("three", 5);
    assert_false(line.is_crlf);
    assert_int_equal(line.number, 3);
    assert_end();
}

static void the_last_line_may_lack_its_end(void **state)
{
    (void)state;
    open_text("one\ntwo");
    assert_line("one", 3);
    assert_line("two", 3);
    assert_end();
    open_text("x");
    assert_line("x", 1);
    assert_end();
    open_text("one\r");
    assert_line("one", 3);
    assert_false(line.is_crlf);
    assert_end();
    open_text("\r");
    assert_line("", 0);
    assert_end();
}

static void blank_lines_are_lines(void **state)
{
    (void)state;
    open_text("\n\r\na\n\n");
    assert_line("", 0);
    assert_line("", 0);
    assert_line("a", 1);
    assert_line("", 0);
    assert_int_equal(line.number, 4);
    assert_end();
}

static void a_cr_elsewhere_stays(void **state)
{
    (void)state;
    open_text("a\rb\nc\r\r\n\rd\ne\r\r");
    assert_line("a\rb", 3);
    assert_line("c\r", 2);
    assert_line("\rd", 2);
    assert_line("e\r", 2);
    assert_end();
}

static void a_nul_survives(void **state)
{
    static const char bytes[] = "\0a\0b\0\nc\0\r\n\0";

    (void)state;
    open_bytes(bytes, sizeof(bytes) - 1, LONG);
    assert_line("\0a\0b\0", 5);
    assert_line("c\0", 2);
    assert_line("\0", 1);
    assert_end();
}

static void a_byte_order_mark_is_dropped_at_the_beginning_only(void **state)
{
    (void)state;
    open_text("\xef\xbb\xbf{}\n\xef\xbb\xbf[]\n");
    assert_line("{}", 2);
    assert_int_equal(line.number, 1);
    assert_line("\xef\xbb\xbf[]", 5);
    assert_end();
    open_text("\xef\xbb");
    assert_line("\xef\xbb", 2);
    assert_end();
    open_text("\xef\xbb\n");
    assert_line("\xef\xbb", 2);
    assert_end();
}

/* What stands in a long line at a place. */
static char filler(size_t place)
{
    return (char)('a' + place % 23);
}

static char *fill(size_t length)
{
    char *text = mem_resize(NULL, length + 3);

    for (size_t i = 0; i < length; i++) {
        text[i] = filler(i);
    }
    return text;
}

static void lines_of_all_lengths_come_whole(void **state)
{
    static const size_t lengths[] = {0, 1,      262141, 262142, 262143, 262144, 262145,
                                     5, 700000, 0,      524287, 3,      100};
    char *text = fill(700000);
    char *bytes = mem_resize(NULL, 4 * LONG);
    size_t length = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof *lengths; i++) {
        memcpy(bytes + length, text, lengths[i]);
        length += lengths[i];
        bytes[length++] = '\n';
    }
    open_bytes(bytes, length, LONG);
    for (size_t i = 0; i < sizeof(lengths) / sizeof *lengths; i++) {
        assert_line(text, lengths[i]);
    }
    assert_int_equal(file_bytes(file), length);
    assert_int_equal(file_size(file), length);
    assert_end();
    free(bytes);
    free(text);
}

static void a_line_may_be_as_long_as_max_record(void **state)
{
    (void)state;
    open_bytes("1234567890\n1234567890\r\n1234567890\r", 34, 10);
    assert_line("1234567890", 10);
    assert_line("1234567890", 10);
    assert_line("1234567890", 10);
    assert_end();
}

static void assert_too_long(const char *text, size_t length, int64_t number)
{
    size_t kept = length < FILE_HEAD ? length : FILE_HEAD;
    char hex[65];

    assert_int_equal(file_next(file, &line, &err), FILE_LINE);
    assert_true(line.is_too_long);
    assert_int_equal(line.number, number);
    assert_int_equal(line.full_length, length);
    assert_int_equal(line.length, kept);
    assert_memory_equal(line.text, text, kept);
    assert_int_equal(line.text[kept], '\0');
    file_sha256(text, length, hex);
    assert_string_equal(line.sha256, hex);
}

static void a_longer_one_gives_its_head_and_digest(void **state)
{
    static const char bytes[] = "12345678901\n123\n1234567890\r\r\n1\0003456789012\n\r2345678901";

    (void)state;
    open_bytes(bytes, sizeof(bytes) - 1, 10);
    assert_too_long("12345678901", 11, 1);
    assert_line("123", 3);
    assert_int_equal(line.number, 2);
    assert_too_long("1234567890\r", 11, 3);
    assert_too_long("1\0003456789012", 12, 4);
    assert_too_long("\r2345678901", 11, 5);
    assert_end();
}

static void a_very_long_one_is_read_in_parts(void **state)
{
    static const char *const ends[] = {"\nx", "\r\nx", "\r", ""};
    char *text = fill(3 * LONG);

    (void)state;
    for (size_t length = 262140; length < 262148; length++) {
        for (size_t i = 0; i < 4; i++) {
            char behind[3];

            memcpy(behind, text + length, 3);
            memcpy(text + length, ends[i], strlen(ends[i]));
            open_bytes(text, length + strlen(ends[i]), 1000);
            assert_too_long(text, length, 1);
            if (i < 2) {
                assert_line("x", 1);
            }
            assert_end();
            memcpy(text + length, behind, 3);
        }
    }
    open_bytes(text, 3 * LONG, 2 * LONG);
    assert_too_long(text, 3 * LONG, 1);
    assert_end();
    free(text);
}

static void crs_at_the_edge_of_a_part_are_not_lost(void **state)
{
    char *text = fill(LONG);

    (void)state;
    memset(text + 262000, '\r', 1000);
    memcpy(text + LONG, "\r\n", 2);
    open_bytes(text, LONG + 2, 1000);
    assert_too_long(text, LONG, 1);
    assert_end();
    free(text);
}

static void a_digest_is_that_of_the_standard(void **state)
{
    char hex[65];

    (void)state;
    file_sha256("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    file_sha256("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_name_is_without_its_folders(void **state)
{
    (void)state;
    assert_string_equal(file_name("/var/lib/users.ndjson"), "users.ndjson");
    assert_string_equal(file_name("users.ndjson"), "users.ndjson");
    assert_string_equal(file_name("/var/lib/"), "/var/lib/");
    assert_string_equal(file_name("-"), "-");
}

static void a_file_has_the_time_of_its_last_change(void **state)
{
    const struct timespec times[] = {{.tv_sec = 5}, {.tv_sec = 1500000000, .tv_nsec = 123456789}};
    (void)state;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(file_modified(path), INT64_C(1500000000123456));
    assert_int_equal(file_modified("-"), INT64_MAX);
    assert_int_equal(file_modified("/nowhere/at/all"), INT64_MAX);
    assert_int_equal(file_modified("/dev/null"), INT64_MAX);
}

static void a_small_file_is_read_at_once(void **state)
{
    struct str to;

    (void)state;
    open_bytes("a\0b\r\n", 5, LONG);
    file_close(file);
    str_init(&to);
    str_add_text(&to, "before ");
    assert_true(file_read_all(path, 5, &to, &err));
    assert_int_equal(to.length, 12);
    assert_memory_equal(to.text, "before a\0b\r\n", 13);
    str_release(&to);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    struct str to;

    (void)state;
    open_text("123456");
    file_close(file);
    str_init(&to);
    str_add_text(&to, "before");
    assert_false(file_read_all(path, 5, &to, &err));
    assert_int_equal(err.status, STATUS_IO);
    assert_non_null(strstr(err.message, "longer than 5 bytes"));
    assert_string_equal(to.text, "before");
    assert_int_equal(to.length, 6);
    assert_false(file_read_all("/tmp", 5, &to, &err));
    assert_int_equal(err.status, STATUS_IO);
    assert_string_equal(to.text, "before");
    str_release(&to);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_ends_at_once),
        cmocka_unit_test(a_line_ends_with_lf_or_crlf),
        cmocka_unit_test(the_last_line_may_lack_its_end),
        cmocka_unit_test(blank_lines_are_lines),
        cmocka_unit_test(a_cr_elsewhere_stays),
        cmocka_unit_test(a_nul_survives),
        cmocka_unit_test(a_byte_order_mark_is_dropped_at_the_beginning_only),
        cmocka_unit_test(lines_of_all_lengths_come_whole),
        cmocka_unit_test(a_line_may_be_as_long_as_max_record),
        cmocka_unit_test(a_longer_one_gives_its_head_and_digest),
        cmocka_unit_test(a_very_long_one_is_read_in_parts),
        cmocka_unit_test(crs_at_the_edge_of_a_part_are_not_lost),
        cmocka_unit_test(a_digest_is_that_of_the_standard),
        cmocka_unit_test(a_name_is_without_its_folders),
        cmocka_unit_test(a_file_has_the_time_of_its_last_change),
        cmocka_unit_test(a_small_file_is_read_at_once),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

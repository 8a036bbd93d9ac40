/* SPDX-License-Identifier: MIT
 *
 * Standard input and pipes; what cannot be opened or read.
 */
/* link: -Wl,--wrap=interrupt_wait */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/interrupt.h"
#include "io/file.h"
#include "io/file_stream.h"

static char folder[] = "/tmp/test-file-pipe-XXXXXX";
static char path[64];
static struct error err;

/* "one", "two", compressed */
static const char gzip[] =
    "\037\213\010\000\000\000\000\000\002\003\313\317\113\345\052\051\317\007"
    "\000\165\306\210\002\007\000\000\000";
static const char zstd[] = "\050\265\057\375\000\130\071\000\000\157\156\145\012\164\167\157";

/* a thousand times "x", compressed */
static const char gzip_run[] =
    "\037\213\010\000\000\000\000\000\002\003\253\250\030\005\243\140\024\014"
    "\167\000\000\346\311\101\073\350\003\000\000";
static const char zstd_run[] =
    "\050\265\057\375\000\130\115\000\000\020\170\170\001\000\343\053\200\005";

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
    return rmdir(folder);
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

static void assert_failure(enum status status, const char *part)
{
    assert_int_equal(err.status, status);
    if (strstr(err.message, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, err.message);
    }
    assert_null(strstr(err.message, folder));
}

/* ---- what cannot be opened or read ---- */

static void a_missing_file_is_named(void **state)
{
    (void)state;
    assert_null(file_open("/nowhere/at all/missing.ndjson", 1000, &err));
    assert_failure(STATUS_IO, "file \"missing.ndjson\" could not be opened: ");
    assert_null(strstr(err.message, "nowhere"));
    assert_null(file_open("missing.ndjson", 1000, &err));
    assert_failure(STATUS_IO, "file \"missing.ndjson\" could not be opened: ");
    assert_null(file_open("/nowhere/", 1000, &err));
    assert_failure(STATUS_IO, "file \"/nowhere/\"");
    assert_null(file_open("", 1000, &err));
    assert_int_equal(err.status, STATUS_IO);
}

static void a_folder_is_no_file(void **state)
{
    (void)state;
    assert_null(file_open("/tmp", 1000, &err));
    assert_failure(STATUS_IO, "file \"tmp\" is a directory");
}

static void a_refused_file_is_a_matter_of_permission(void **state)
{
    uid_t user = geteuid();
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    if (user == 0) {
        assert_int_equal(seteuid(65534), 0); /* root may read anything */
    }
    assert_null(file_open(path, 1000, &err));
    if (user == 0) {
        assert_int_equal(seteuid(user), 0);
    }
    unlink(path);
    assert_failure(STATUS_PERMISSION, "file \"x.ndjson\" cannot be read: ");
}

/* ---- standard input and pipes ---- */

/* Puts fd on standard input; returns what was there, for give_back. */
static int put_on_stdin(int fd)
{
    int saved = dup(STDIN_FILENO);

    assert_true(saved >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    return saved;
}

static void give_back(int saved)
{
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(saved);
}

/* ---- what happens while we wait ---- */

enum interrupt_waited __real_interrupt_wait(int fd, short events, int timeout_ms, short *revents);
enum interrupt_waited __wrap_interrupt_wait(int fd, short events, int timeout_ms, short *revents);

static void (*while_waiting)(void);
static int early_waits; /* so many waits end before there is anything to read */

enum interrupt_waited __wrap_interrupt_wait(int fd, short events, int timeout_ms, short *revents)
{
    if (early_waits > 0) {
        return early_waits-- % 2 == 1 ? INTERRUPT_READY : INTERRUPT_TIMEOUT;
    }
    if (while_waiting != NULL) {
        while_waiting();
    }
    return __real_interrupt_wait(fd, events, timeout_ms, revents);
}

static const char *fed; /* the bytes that come to standard input, one by one */
static size_t fed_left;
static int fed_to;

static void feed(void)
{
    if (fed_left == 0) {
        while_waiting = NULL;
        close(fed_to);
        return;
    }
    assert_int_equal(write(fed_to, fed, 1), 1);
    fed++;
    fed_left--;
}

/* Makes a pipe of standard input that is fed while it is waited for. */
static int feed_stdin(const char *bytes, size_t length)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    fed = bytes;
    fed_left = length;
    fed_to = ends[1];
    while_waiting = feed;
    return put_on_stdin(ends[0]);
}

static void assert_lines_of_stdin(const char *bytes, size_t length, const char *expected)
{
    int saved = feed_stdin(bytes, length);
    struct str lines;

    str_init(&lines);
    assert_int_equal(read_lines("-", 1000, &lines), FILE_END);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* it was not ours to close */
    give_back(saved);
    assert_string_equal(lines.text, expected);
    str_release(&lines);
}

static void standard_input_comes_in_pieces(void **state)
{
    (void)state;
    assert_lines_of_stdin("\xef\xbb\xbfone\r\ntwo", 11, "one\ntwo\n");
    assert_lines_of_stdin(gzip, sizeof(gzip) - 1, "one\ntwo\n");
    assert_lines_of_stdin(zstd, sizeof(zstd) - 1, "one\ntwo\n");
    assert_lines_of_stdin("", 0, "");
}

static void assert_run(const char *bytes, size_t length)
{
    int saved = feed_stdin(bytes, length);
    struct file_stream *stream = file_stream_open("-", false, &err);
    size_t count = 0;
    size_t got;
    char byte;

    while (file_stream_read(stream, &byte, 1, &got, &err) && got > 0) {
        assert_int_equal(byte, 'x');
        count++;
    }
    assert_int_equal(count, 1000);
    assert_int_equal(got, 0);
    assert_string_equal(file_stream_label(stream), "standard input");
    file_stream_close(stream);
    give_back(saved);
}

static void what_is_decompressed_is_given_before_more_is_read(void **state)
{
    (void)state;
    assert_run(gzip_run, sizeof(gzip_run) - 1);
    assert_run(zstd_run, sizeof(zstd_run) - 1);
}

static void a_wait_that_ends_too_early_is_repeated(void **state)
{
    (void)state;
    early_waits = 4;
    assert_lines_of_stdin("one\n", 4, "one\n");
    assert_int_equal(early_waits, 0);
}

static void write_to_path(void)
{
    int fd = open(path, O_WRONLY);

    while_waiting = NULL;
    assert_int_equal(write(fd, "one\n", 4), 4);
    close(fd);
}

static void a_pipe_may_wait_for_its_writer(void **state)
{
    struct file *file;
    struct file_line line;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    file = file_open(path, 1000, &err); /* nobody writes yet */
    assert_non_null(file);
    while_waiting = write_to_path;
    assert_int_equal(file_next(file, &line, &err), FILE_LINE);
    assert_string_equal(line.text, "one");
    assert_int_equal(file_next(file, &line, &err), FILE_END);
    file_close(file);
    unlink(path);
}

static void standard_input_that_cannot_be_read_is_named(void **state)
{
    int saved = put_on_stdin(open("/tmp", O_RDONLY));
    struct str to;

    (void)state;
    str_init(&to);
    assert_int_equal(read_lines("-", 1000, &to), FILE_FAILED);
    assert_failure(STATUS_IO, "standard input could not be read: ");
    assert_false(file_read_all("-", 1000, &to, &err));
    assert_failure(STATUS_IO, "standard input could not be read: ");
    give_back(saved);
    str_release(&to);
}

static void a_stop_is_noticed_while_a_pipe_is_silent(void **state)
{
    struct str to;
    int ends[2];
    int saved;

    (void)state;
    str_init(&to);
    assert_int_equal(pipe(ends), 0);
    saved = put_on_stdin(ends[0]);
    interrupt_install();
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(read_lines("-", 1000, &to), FILE_FAILED);
    assert_failure(STATUS_INTERRUPTED, "standard input");
    give_back(saved);
    close(ends[1]);
    str_release(&to);
}

static void a_stop_is_noticed_within_compressed_data(void **state)
{
    struct file *file;
    struct file_line line;
    int ends[2];
    int saved;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], gzip, sizeof(gzip) - 1), sizeof(gzip) - 1);
    assert_int_equal(write(ends[1], gzip, 5), 5); /* the next member has begun */
    saved = put_on_stdin(ends[0]);
    interrupt_install();
    file = file_open("-", 1000, &err);
    assert_int_equal(file_next(file, &line, &err), FILE_LINE);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(file_next(file, &line, &err), FILE_FAILED);
    assert_failure(STATUS_INTERRUPTED, "standard input");
    file_close(file);
    give_back(saved);
    close(ends[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_folder_is_no_file),
        cmocka_unit_test(a_refused_file_is_a_matter_of_permission),
        cmocka_unit_test(standard_input_comes_in_pieces),
        cmocka_unit_test(a_pipe_may_wait_for_its_writer),
        cmocka_unit_test(what_is_decompressed_is_given_before_more_is_read),
        cmocka_unit_test(a_wait_that_ends_too_early_is_repeated),
        cmocka_unit_test(standard_input_that_cannot_be_read_is_named),
        /* the last ones: the stop stays asked for */
        cmocka_unit_test(a_stop_is_noticed_while_a_pipe_is_silent),
        cmocka_unit_test(a_stop_is_noticed_within_compressed_data),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

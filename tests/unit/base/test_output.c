/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=fdopen,--wrap=fchmod */
#include "base/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "child.h"

#define MUCH (1024 * 1024) /* more than a pipe holds */

static bool has_no_memory, has_no_modes;
FILE *__real_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode)
{
    errno = ENOMEM;
    return has_no_memory ? NULL : __real_fdopen(fd, mode);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    errno = EPERM;
    return has_no_modes ? -1 : __real_fchmod(fd, mode);
}

static char folder[] = "/tmp/factline-output-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/result.json", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails, and so tells, where a test left something behind */
}

/* ---- standard output ---- */

static int print(const void *data)
{
    struct error err;

    CHILD_EXPECT(output_print(data, strlen(data), "x", &err));
    return fcntl(STDOUT_FILENO, F_GETFD) == -1 && errno == EBADF ? 0 : 1;
}

static void text_goes_to_standard_output_which_is_then_closed(void **state)
{
    struct child child;

    (void)state;
    child_run(print, "{\"x\":1}\n", &child);
    assert_int_equal(child.status, 0);
    assert_string_equal(child.out, "{\"x\":1}\n");
    assert_string_equal(child.err, "");
}

/* Prints and tells the error on standard error. */
static int print_and_tell(const char *text, size_t length)
{
    struct error err;

    if (output_print(text, length, "do this", &err))
        return 0;
    dprintf(STDERR_FILENO, "%s", err.message);
    return (int)err.status;
}

static int print_to_full(const void *data)
{
    dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
    return print_and_tell(data, strlen(data));
}

static void a_full_output_is_an_io_error_with_the_remedy(void **state)
{
    struct child child;

    (void)state;
    child_run(print_to_full, "x\n", &child);
    assert_int_equal(child.status, 74);
    assert_string_equal(child.err,
                        "could not write to standard output: No space left on device; do this");
}

static int print_to_closed(const void *data)
{
    int ends[2];

    interrupt_install();
    CHILD_EXPECT(pipe(ends) == 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    close(ends[0]);
    return print_and_tell(data, strlen(data));
}

static void a_closed_output_is_an_io_error(void **state)
{
    struct child child;

    (void)state;
    child_run(print_to_closed, "x\n", &child);
    assert_int_equal(child.status, 74);
    assert_non_null(strstr(child.err, "Broken pipe"));
}

/* The reading process: 0 where all of it came. */
static int read_much(int fd)
{
    static char buffer[65536];
    size_t sum = 0;
    ssize_t got;

    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        sum += (size_t)got;
    return sum == MUCH ? 0 : 1;
}

static int print_much(const void *data)
{
    int ends[2], status;

    (void)data;
    interrupt_install();
    CHILD_EXPECT(pipe(ends) == 0);
    pid_t reader = fork();
    if (reader == 0) {
        close(ends[1]);
        _Exit(read_much(ends[0]));
    }
    close(ends[0]);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    char *text = mem_alloc(MUCH);
    CHILD_EXPECT(print_and_tell(text, MUCH) == 0);
    free(text);
    CHILD_EXPECT(waitpid(reader, &status, 0) == reader);
    return status == 0 ? 0 : 1;
}

static void a_slow_reader_gets_all_of_it(void **state)
{
    struct child child;

    (void)state;
    child_run(print_much, NULL, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

/* A reader that reads nothing; it asks for a stop once the first bytes are there. */
static int print_to_nobody(const void *data)
{
    int ends[2], status;

    interrupt_install();
    CHILD_EXPECT(pipe(ends) == 0);
    pid_t self = getpid(), reader = fork();
    if (reader == 0) {
        struct pollfd wait = {.fd = ends[0], .events = POLLIN};
        poll(&wait, 1, -1);
        kill(self, SIGTERM);
        _Exit(0);
    }
    if (*(const int *)data)
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDOUT_FILENO);
    char *text = mem_alloc(MUCH);
    int answer = print_and_tell(text, MUCH);
    free(text);
    CHILD_EXPECT(waitpid(reader, &status, 0) == reader);
    return answer;
}

static void a_stop_ends_the_waiting_for_a_reader(void **state)
{
    static const int is_nonblocking[] = {0, 1};
    struct child child;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        child_run(print_to_nobody, &is_nonblocking[i], &child);
        assert_int_equal(child.status, STATUS_INTERRUPTED);
    }
}

/* ---- the result file ---- */

static void file_is(const char *name, const char *expected)
{
    char text[256];
    FILE *file = fopen(name, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static int files_in(const char *name)
{
    DIR *entries = opendir(name);
    int count = -2; /* "." and ".." */

    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static void a_file_is_made_and_replaced_whole(void **state)
{
    struct error err;

    (void)state;
    assert_true(output_put_file(path, "first, longer\n", 14, "x", &err));
    file_is(path, "first, longer\n");
    assert_true(output_put_file(path, "second\n", 7, "x", &err));
    file_is(path, "second\n");
    assert_int_equal(files_in(folder), 1);
}

static void a_file_has_the_mode_that_the_umask_leaves(void **state)
{
    struct error err;
    struct stat status;
    mode_t usual = umask(027);

    (void)state;
    assert_true(output_put_file(path, "x", 1, "x", &err));
    umask(usual);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
}

static int put_in_working_folder(const void *data)
{
    struct error err;

    CHILD_EXPECT(chdir(folder) == 0);
    CHILD_EXPECT(output_put_file("result.json", data, strlen(data), "x", &err));
    return 0;
}

static void a_bare_name_is_in_the_working_folder(void **state)
{
    struct child child;

    (void)state;
    child_run(put_in_working_folder, "here\n", &child);
    assert_int_equal(child.status, 0);
    file_is(path, "here\n");
}

static void a_missing_folder_is_an_io_error_that_names_the_file(void **state)
{
    struct error err;

    (void)state;
    assert_false(output_put_file("/nonexistent/x.json", "x", 1, "do this", &err));
    assert_int_equal(err.status, STATUS_IO);
    assert_string_equal(err.message, "could not write file \"/nonexistent/x.json\": No such file"
                                     " or directory; do this");
}

static void what_cannot_be_had_for_a_file_leaves_nothing_behind(void **state)
{
    struct error err;

    (void)state;
    int before = files_in(folder);
    has_no_memory = true;
    assert_false(output_put_file(path, "x", 1, "x", &err));
    has_no_memory = false;
    assert_non_null(strstr(err.message, "Cannot allocate memory"));
    has_no_modes = true;
    assert_false(output_put_file(path, "x", 1, "x", &err));
    has_no_modes = false;
    assert_non_null(strstr(err.message, "Operation not permitted"));
    assert_int_equal(files_in(folder), before);
}

static void a_rename_that_fails_leaves_nothing_behind(void **state)
{
    char name[80];
    struct error err;
    struct output_file file;

    (void)state;
    snprintf(name, sizeof name, "%s/folder", folder);
    int before = files_in(folder);
    assert_true(output_file_open(&file, name, "x", &err));
    assert_int_equal(mkdir(name, 0700), 0); /* meanwhile */
    bool ok = output_file_close(&file, true, &err);
    rmdir(name);
    assert_false(ok);
    assert_int_equal(err.status, STATUS_IO);
    assert_int_equal(files_in(folder), before);
}

static int put_beyond_the_limit(const void *data)
{
    struct rlimit usual, small;
    struct error err;

    interrupt_install(); /* SIGXFSZ */
    getrlimit(RLIMIT_FSIZE, &usual);
    small = usual;
    small.rlim_cur = 1;
    setrlimit(RLIMIT_FSIZE, &small);
    bool ok = output_put_file(path, data, strlen(data), "x", &err);
    setrlimit(RLIMIT_FSIZE, &usual);
    CHILD_EXPECT(!ok);
    dprintf(STDERR_FILENO, "%s", err.message);
    return (int)err.status;
}

static void a_disk_that_is_full_leaves_the_old_file(void **state)
{
    struct error err;
    struct child child;

    (void)state;
    assert_true(output_put_file(path, "old\n", 4, "x", &err));
    child_run(put_beyond_the_limit, "new\n", &child);
    assert_int_equal(child.status, 74);
    assert_non_null(strstr(child.err, "File too large"));
    file_is(path, "old\n");
    assert_int_equal(files_in(folder), 1);
}

static void only_a_regular_file_may_be_replaced(void **state)
{
    struct error err;

    (void)state;
    assert_true(output_check_file("/nonexistent/x.json", &err));
    assert_true(output_put_file(path, "x", 1, "x", &err));
    assert_true(output_check_file(path, &err));
    assert_false(output_check_file(folder, &err));
    assert_int_equal(err.status, STATUS_USAGE);
    assert_false(output_check_file("/dev/null", &err));
    assert_string_equal(err.message,
                        "file \"/dev/null\" is there and is no regular file; name another");
    assert_false(output_put_file(folder, "x", 1, "x", &err));
    assert_int_equal(err.status, STATUS_USAGE);
}

/* ---- a file piece by piece ---- */

static void write_pieces(bool is_whole)
{
    struct error err;
    struct output_file file;

    assert_true(output_file_open(&file, path, "x", &err));
    assert_true(output_file_add(&file, "one, ", 5, &err));
    assert_true(output_file_add(&file, "two\n", 4, &err));
    assert_int_equal(output_file_close(&file, is_whole, &err), is_whole);
}

static void pieces_become_a_file_of_its_owner_at_the_end(void **state)
{
    struct stat status;

    (void)state;
    write_pieces(true);
    file_is(path, "one, two\n");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(files_in(folder), 1);
}

static void pieces_that_are_no_whole_leave_what_was_there(void **state)
{
    struct error err;
    struct output_file file;

    (void)state;
    assert_true(output_put_file(path, "old\n", 4, "x", &err));
    write_pieces(false);
    file_is(path, "old\n");
    assert_false(output_file_open(&file, folder, "x", &err));
    assert_int_equal(files_in(folder), 1);
}

static void a_file_of_pieces_wants_its_folder(void **state)
{
    struct error err;
    struct output_file file;

    (void)state;
    assert_false(output_file_open(&file, "/nonexistent/x.csv", "do this", &err));
    assert_int_equal(err.status, STATUS_IO);
    assert_string_equal(err.message, "could not write file \"/nonexistent/x.csv\": No such file"
                                     " or directory; do this");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_to_standard_output_which_is_then_closed),
        cmocka_unit_test(a_full_output_is_an_io_error_with_the_remedy),
        cmocka_unit_test(a_closed_output_is_an_io_error),
        cmocka_unit_test(a_slow_reader_gets_all_of_it),
        cmocka_unit_test(a_stop_ends_the_waiting_for_a_reader),
        cmocka_unit_test(a_file_is_made_and_replaced_whole),
        cmocka_unit_test(a_file_has_the_mode_that_the_umask_leaves),
        cmocka_unit_test(a_bare_name_is_in_the_working_folder),
        cmocka_unit_test(a_missing_folder_is_an_io_error_that_names_the_file),
        cmocka_unit_test(what_cannot_be_had_for_a_file_leaves_nothing_behind),
        cmocka_unit_test(a_rename_that_fails_leaves_nothing_behind),
        cmocka_unit_test(a_disk_that_is_full_leaves_the_old_file),
        cmocka_unit_test(only_a_regular_file_may_be_replaced),
        cmocka_unit_test(pieces_become_a_file_of_its_owner_at_the_end),
        cmocka_unit_test(pieces_that_are_no_whole_leave_what_was_there),
        cmocka_unit_test(a_file_of_pieces_wants_its_folder),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

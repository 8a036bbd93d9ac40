/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "child.h"

/* poll of the C library, but for one failure that a test may order. */
static int poll_errno;

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct timespec time = {.tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L};

    if (poll_errno) {
        errno = poll_errno;
        poll_errno = 0;
        return -1;
    }
    return ppoll(fds, count, timeout < 0 ? NULL : &time, NULL);
}

static const int asking[] = {SIGTERM, SIGINT, SIGHUP};

static int stop_by(const void *data)
{
    int number = *(const int *)data;

    interrupt_install();
    CHILD_EXPECT(!interrupt_is_asked());
    CHILD_EXPECT(interrupt_signal() == 0);
    kill(getpid(), number);
    CHILD_EXPECT(interrupt_is_asked());
    CHILD_EXPECT(interrupt_signal() == number);
    CHILD_EXPECT(interrupt_wait(-1, 0, -1, NULL) == INTERRUPT_STOP);
    return 0;
}

static void each_asking_signal_stops_a_wait(void **state)
{
    struct child child;

    (void)state;
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++) {
        child_run(stop_by, &asking[i], &child);
        assert_string_equal(child.err, "");
        assert_int_equal(child.status, 0);
    }
}

/* A signal from another process, while or before this one waits without end. */
static int be_stopped_from_outside(const void *data)
{
    int status;

    (void)data;
    interrupt_install();
    pid_t self = getpid(), helper = fork();
    if (helper == 0) {
        kill(self, SIGTERM);
        _Exit(0);
    }
    CHILD_EXPECT(interrupt_wait(-1, 0, -1, NULL) == INTERRUPT_STOP);
    CHILD_EXPECT(waitpid(helper, &status, 0) == helper);
    return 0;
}

static void a_wait_without_end_wakes_for_a_signal(void **state)
{
    struct child child;

    (void)state;
    child_run(be_stopped_from_outside, NULL, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

static int begin_deaf(const void *data)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t blocked;

    (void)data;
    sigaction(SIGINT, &ignore, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    kill(getpid(), SIGTERM);

    interrupt_install();
    CHILD_EXPECT(interrupt_signal() == SIGTERM);
    interrupt_install();
    CHILD_EXPECT(interrupt_signal() == 0);
    CHILD_EXPECT(interrupt_wait(-1, 0, 0, NULL) == INTERRUPT_TIMEOUT);
    kill(getpid(), SIGINT);
    CHILD_EXPECT(interrupt_signal() == SIGINT);
    return 0;
}

static void signals_left_ignored_or_blocked_are_heard(void **state)
{
    struct child child;

    (void)state;
    child_run(begin_deaf, NULL, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

static int write_to_nobody(const void *data)
{
    struct rlimit small = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY}, usual;
    int ends[2];
    FILE *file = tmpfile();

    (void)data;
    interrupt_install();
    CHILD_EXPECT(pipe(ends) == 0);
    close(ends[0]);
    CHILD_EXPECT(write(ends[1], "x", 1) < 0 && errno == EPIPE);

    getrlimit(RLIMIT_FSIZE, &usual);
    small.rlim_max = usual.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    CHILD_EXPECT(write(fileno(file), "xy", 2) == 1);
    CHILD_EXPECT(write(fileno(file), "y", 1) < 0 && errno == EFBIG);
    setrlimit(RLIMIT_FSIZE, &usual);
    CHILD_EXPECT(interrupt_signal() == 0);
    fclose(file);
    return 0;
}

static void closed_pipes_and_full_files_are_errors_not_signals(void **state)
{
    struct child child;

    (void)state;
    child_run(write_to_nobody, NULL, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

static int ask_twice(const void *data)
{
    (void)data;
    interrupt_install();
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGINT);
    return 0;
}

static void a_second_signal_ends_the_process_at_once(void **state)
{
    struct child child;

    (void)state;
    child_run(ask_twice, NULL, &child);
    assert_int_equal(child.status, 128 + SIGINT);
}

static int wait_for_data(const void *data)
{
    short revents = -1;
    int ends[2];

    (void)data;
    interrupt_install();
    CHILD_EXPECT(pipe(ends) == 0);
    CHILD_EXPECT(interrupt_wait(ends[0], POLLIN, 0, &revents) == INTERRUPT_TIMEOUT);
    CHILD_EXPECT(revents == 0);
    CHILD_EXPECT(write(ends[1], "x", 1) == 1);
    CHILD_EXPECT(interrupt_wait(ends[0], POLLIN, -1, NULL) == INTERRUPT_READY);
    CHILD_EXPECT(interrupt_wait(ends[0], POLLIN, 1000, &revents) == INTERRUPT_READY);
    CHILD_EXPECT(revents == POLLIN);

    kill(getpid(), SIGTERM); /* both: the stop goes first */
    CHILD_EXPECT(interrupt_wait(ends[0], POLLIN, -1, &revents) == INTERRUPT_STOP);
    CHILD_EXPECT(revents == 0);
    return 0;
}

static void a_wait_tells_what_poll_said_unless_a_stop_came(void **state)
{
    struct child child;

    (void)state;
    child_run(wait_for_data, NULL, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

static int wait_for_any(const void *data)
{
    int one[2], two[2];

    (void)data;
    interrupt_install();
    CHILD_EXPECT(pipe(one) == 0 && pipe(two) == 0);
    struct pollfd fds[] = {
        {.fd = one[0], .events = POLLIN}, {.fd = -1}, {.fd = two[0], .events = POLLIN}, {0}, {0}};
    CHILD_EXPECT(interrupt_wait_any(fds, 3, 0) == INTERRUPT_TIMEOUT);
    CHILD_EXPECT(write(two[1], "x", 1) == 1);
    CHILD_EXPECT(interrupt_wait_any(fds, 3, -1) == INTERRUPT_READY);
    CHILD_EXPECT(fds[0].revents == 0 && fds[1].revents == 0 && fds[2].revents == POLLIN);
    kill(getpid(), SIGTERM);
    CHILD_EXPECT(interrupt_wait_any(fds, 3, -1) == INTERRUPT_STOP);
    return 0;
}

static void a_wait_for_several_tells_which_are_ready(void **state)
{
    struct child child;

    (void)state;
    child_run(wait_for_any, NULL, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

static void without_installation_a_wait_is_a_poll(void **state)
{
    int64_t start = clock_monotonic();

    (void)state;
    assert_int_equal(interrupt_wait(-1, 0, 20, NULL), INTERRUPT_TIMEOUT);
    assert_true(clock_monotonic() - start >= 20000);
    assert_false(interrupt_is_asked());
}

static int fail_to_poll(const void *data)
{
    poll_errno = *(const int *)data;
    return interrupt_wait(-1, 0, 0, NULL) == INTERRUPT_TIMEOUT ? 0 : 1;
}

static void an_unrelated_signal_does_not_end_a_wait(void **state)
{
    int cause = EINTR;
    struct child child;

    (void)state;
    child_run(fail_to_poll, &cause, &child);
    assert_int_equal(child.status, 0);
}

static void a_poll_that_is_refused_is_a_bug(void **state)
{
    int cause = EINVAL;
    struct child child;

    (void)state;
    child_run(fail_to_poll, &cause, &child);
    assert_non_null(strstr(child.err, "poll failed: Invalid argument; report it"));
}

/* The counts of a coverage build are written at the end, to files. */
static struct rlimit usual_files;

static void restore_files(void)
{
    setrlimit(RLIMIT_NOFILE, &usual_files);
}

static int install_without_descriptors(const void *data)
{
    struct rlimit none;

    (void)data;
    getrlimit(RLIMIT_NOFILE, &usual_files);
    atexit(restore_files);
    none = usual_files;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    interrupt_install();
    return 0;
}

static void without_a_descriptor_left_the_program_ends_with_75(void **state)
{
    struct child child;

    (void)state;
    child_run(install_without_descriptors, NULL, &child);
    assert_int_equal(child.status, 75);
    assert_string_equal(
        child.err,
        "factline: error: could not make a pipe: Too many open files; run again later\n");
}

static int die(const void *data)
{
    int number = *(const int *)data;
    sigset_t blocked;

    interrupt_install();
    sigemptyset(&blocked);
    sigaddset(&blocked, number);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    kill(getpid(), number);
    interrupt_die(number);
}

static void dying_is_dying_of_that_very_signal(void **state)
{
    struct child child;

    (void)state;
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++) {
        child_run(die, &asking[i], &child);
        assert_int_equal(child.signal, asking[i]);
    }
}

static void a_process_that_survives_its_signal_exits_all_the_same(void **state)
{
    int harmless = SIGURG; /* its default is nothing, as for a container's first process */
    struct child child;

    (void)state;
    child_run(die, &harmless, &child);
    assert_int_equal(child.status, 128 + SIGURG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_asking_signal_stops_a_wait),
        cmocka_unit_test(a_wait_without_end_wakes_for_a_signal),
        cmocka_unit_test(signals_left_ignored_or_blocked_are_heard),
        cmocka_unit_test(closed_pipes_and_full_files_are_errors_not_signals),
        cmocka_unit_test(a_second_signal_ends_the_process_at_once),
        cmocka_unit_test(a_wait_tells_what_poll_said_unless_a_stop_came),
        cmocka_unit_test(a_wait_for_several_tells_which_are_ready),
        cmocka_unit_test(without_installation_a_wait_is_a_poll),
        cmocka_unit_test(an_unrelated_signal_does_not_end_a_wait),
        cmocka_unit_test(a_poll_that_is_refused_is_a_bug),
        cmocka_unit_test(without_a_descriptor_left_the_program_ends_with_75),
        cmocka_unit_test(dying_is_dying_of_that_very_signal),
        cmocka_unit_test(a_process_that_survives_its_signal_exits_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

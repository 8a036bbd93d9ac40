/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "child.h"

/* Makes fd 1 one end of a pipe or a pair of sockets, and gives the other. */
static int connect_output(int is_socket)
{
    int ends[2];

    CHILD_EXPECT((is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    return ends[0];
}

static int lose_reader_while_waiting(const void *data)
{
    int reader = connect_output(*(const int *)data);

    interrupt_install();
    CHILD_EXPECT(interrupt_wait(-1, 0, 0, NULL) == INTERRUPT_TIMEOUT);
    CHILD_EXPECT(!interrupt_is_asked());
    close(reader);
    CHILD_EXPECT(interrupt_wait(-1, 0, -1, NULL) == INTERRUPT_STOP);
    CHILD_EXPECT(interrupt_signal() == SIGPIPE);
    CHILD_EXPECT(interrupt_is_asked());
    CHILD_EXPECT(interrupt_wait(-1, 0, -1, NULL) == INTERRUPT_STOP);
    return 0;
}

static int lose_reader_while_working(const void *data)
{
    int reader = connect_output(*(const int *)data);

    interrupt_install();
    CHILD_EXPECT(!interrupt_is_asked());
    close(reader);
    for (int64_t end = clock_monotonic() + 30 * CLOCK_SECOND; !interrupt_is_asked();)
        CHILD_EXPECT(clock_monotonic() < end);
    CHILD_EXPECT(interrupt_signal() == SIGPIPE);
    return 0;
}

static void an_output_whose_reader_is_gone_stops_waits_and_work(void **state)
{
    static const int kinds[] = {0, 1};
    struct child child;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        child_run(lose_reader_while_waiting, &kinds[i], &child);
        assert_string_equal(child.err, "");
        assert_int_equal(child.status, 0);
        child_run(lose_reader_while_working, &kinds[i], &child);
        assert_string_equal(child.err, "");
        assert_int_equal(child.status, 0);
    }
}

static int write_to(const void *data)
{
    if (data) {
        int fd = open(data, O_WRONLY);
        CHILD_EXPECT(fd >= 0);
        dup2(fd, STDOUT_FILENO);
    } else {
        interrupt_install(); /* makes its pipe, which else would take the closed one's place */
        close(STDOUT_FILENO);
    }
    interrupt_install();
    CHILD_EXPECT(interrupt_wait(-1, 0, 10, NULL) == INTERRUPT_TIMEOUT);
    CHILD_EXPECT(!interrupt_is_asked());
    return 0;
}

static int write_to_a_file(const void *data)
{
    (void)data; /* child_run's own output is one */
    interrupt_install();
    CHILD_EXPECT(interrupt_wait(-1, 0, 10, NULL) == INTERRUPT_TIMEOUT);
    CHILD_EXPECT(!interrupt_is_asked());
    return 0;
}

static void outputs_without_a_reader_raise_no_alarm(void **state)
{
    struct child child;

    (void)state;
    child_run(write_to_a_file, NULL, &child);
    assert_int_equal(child.status, 0);
    child_run(write_to, "/dev/null", &child);
    assert_int_equal(child.status, 0);
    child_run(write_to, "/dev/full", &child);
    assert_int_equal(child.status, 0);
    child_run(write_to, NULL, &child);
    assert_int_equal(child.status, 0);
}

static int settle(const void *data)
{
    int reader = connect_output(0), ends[2];
    short revents;

    (void)data;
    interrupt_install();
    CHILD_EXPECT(pipe(ends) == 0);
    kill(getpid(), SIGTERM);
    close(reader);
    CHILD_EXPECT(interrupt_wait(ends[0], POLLIN, -1, NULL) == INTERRUPT_STOP);
    interrupt_settle();
    CHILD_EXPECT(interrupt_wait(ends[0], POLLIN, 10, &revents) == INTERRUPT_TIMEOUT);
    CHILD_EXPECT(write(ends[1], "x", 1) == 1);
    CHILD_EXPECT(interrupt_wait(ends[0], POLLIN, -1, &revents) == INTERRUPT_READY);
    CHILD_EXPECT(revents == POLLIN);
    CHILD_EXPECT(interrupt_signal() == SIGTERM);
    return 0;
}

static void after_settling_waits_serve_the_clean_up(void **state)
{
    struct child child;

    (void)state;
    child_run(settle, NULL, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_output_whose_reader_is_gone_stops_waits_and_work),
        cmocka_unit_test(outputs_without_a_reader_raise_no_alarm),
        cmocka_unit_test(after_settling_waits_serve_the_clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

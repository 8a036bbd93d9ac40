/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#define LOOK_EVERY (CLOCK_SECOND / 10)

static const int asking[] = {SIGTERM, SIGINT, SIGHUP};

static volatile sig_atomic_t asked_by;
static int wake[2] = {-1, -1}; /* the handler writes, the waits read */
static int watched = -1;       /* standard output where its reader's end can be seen */
static bool is_closed, is_settled;
static int64_t looked_at;

/* The first signal asks, the second does not ask. Only async-signal-safe calls. */
static void on_signal(int number)
{
    int saved_errno = errno;

    if (asked_by)
        _exit(128 + number);
    asked_by = number;
    ssize_t written = write(wake[1], "", 1);
    (void)written; /* a full pipe wakes just as well */
    errno = saved_errno;
}

static void set_handler(int number, void (*handler)(int))
{
    /* Without SA_RESTART: a call that blocks outside of our waits ends, too. */
    struct sigaction action = {.sa_handler = handler};

    sigfillset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0)
        BUG("signal %d cannot be handled", number); /* uncovered: the numbers are constants */
}

static void open_wake(void)
{
    struct error err;

    if (pipe(wake) != 0) {
        error_set(&err, STATUS_TEMPORARY, "could not make a pipe: %s; run again later",
                  strerror(errno));
        log_failure(&err);
        exit(STATUS_TEMPORARY);
    }
    for (int i = 0; i < 2; i++) {
        fcntl(wake[i], F_SETFD, FD_CLOEXEC);
        fcntl(wake[i], F_SETFL, O_NONBLOCK);
    }
}

/* A file, a terminal or /dev/null has no reader that could go away, and must not seem to. */
static int output_to_watch(void)
{
    struct stat status;

    if (fstat(STDOUT_FILENO, &status) != 0)
        return -1;
    return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ? STDOUT_FILENO : -1;
}

static void forget(void)
{
    char byte;

    asked_by = 0;
    is_closed = is_settled = false;
    looked_at = 0;
    while (read(wake[0], &byte, 1) > 0)
        continue;
}

void interrupt_install(void)
{
    sigset_t none;

    if (wake[0] < 0)
        open_wake();
    forget();
    watched = output_to_watch();

    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        set_handler(asking[i], on_signal);
    set_handler(SIGPIPE, SIG_IGN);
    set_handler(SIGXFSZ, SIG_IGN);

    /* Last: a signal that was blocked and is pending comes at this moment. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool has_lost_reader(const struct pollfd *output)
{
    return output->fd >= 0 && (output->revents & (POLLERR | POLLHUP)) != 0;
}

static void look_at_output(void)
{
    struct pollfd output = {.fd = watched};

    if (poll(&output, 1, 0) > 0 && has_lost_reader(&output))
        is_closed = true;
}

int interrupt_signal(void)
{
    if (asked_by)
        return asked_by;
    return is_closed ? SIGPIPE : 0;
}

int interrupt_is_asked(void)
{
    if (watched >= 0 && !is_closed && clock_monotonic() >= looked_at + LOOK_EVERY) {
        look_at_output();
        looked_at = clock_monotonic();
    }
    return interrupt_signal() != 0;
}

static int remaining_ms(int64_t deadline)
{
    int64_t left = deadline - clock_monotonic();

    return left <= 0 ? 0 : (int)((left + 999) / 1000);
}

enum interrupt_waited interrupt_wait_any(struct pollfd *fds, size_t count, int timeout_ms)
{
    int64_t deadline = clock_monotonic() + timeout_ms * INT64_C(1000);
    int ready = 0;

    fds[count] = (struct pollfd){.fd = is_settled ? -1 : wake[0], .events = POLLIN};
    fds[count + 1] = (struct pollfd){.fd = is_settled ? -1 : watched};
    do {
        if (!is_settled && interrupt_signal())
            return INTERRUPT_STOP;
        ready = poll(fds, count + 2, timeout_ms < 0 ? -1 : remaining_ms(deadline));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        BUG("poll failed: %s", strerror(errno));

    if (ready > 0 && has_lost_reader(&fds[count + 1]))
        is_closed = true;
    if (!is_settled && interrupt_signal())
        return INTERRUPT_STOP;
    for (size_t i = 0; i < count; i++)
        if (fds[i].revents != 0)
            return INTERRUPT_READY;
    return INTERRUPT_TIMEOUT;
}

enum interrupt_waited interrupt_wait(int fd, short events, int timeout_ms, short *revents)
{
    struct pollfd fds[3] = {{.fd = fd, .events = events}};
    enum interrupt_waited waited = interrupt_wait_any(fds, 1, timeout_ms);

    if (revents)
        *revents = waited == INTERRUPT_READY ? fds[0].revents : 0;
    return waited;
}

void interrupt_settle(void)
{
    is_settled = true;
}

void interrupt_die(int number)
{
    sigset_t only;

    set_handler(number, SIG_DFL);
    sigemptyset(&only);
    sigaddset(&only, number);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    raise(number);
    /* The first process of a container does not die of a signal by default. */
    _exit(128 + number);
}

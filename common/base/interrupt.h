/* SPDX-License-Identifier: MIT
 *
 * Being asked to stop: SIGTERM, SIGINT and SIGHUP, and standard output whose
 * reader went away (a launcher that was killed sends no signal; POLLERR on the
 * pipe is all that we see of it).
 *
 * interrupt_install once at start. Whoever waits for the outside world waits
 * through interrupt_wait; on INTERRUPT_STOP it cancels, cleans up and returns
 * STATUS_INTERRUPTED. A second signal ends the process at once, by _exit.
 */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include <poll.h>
#include <stddef.h>

enum interrupt_waited { INTERRUPT_READY, INTERRUPT_TIMEOUT, INTERRUPT_STOP };

/* Handlers for TERM, INT, HUP (even where a launcher left them ignored or
 * blocked), SIGPIPE and SIGXFSZ ignored, a pipe to wake the waits. Standard output is watched
 * where it is a pipe or a socket. A second call forgets an earlier stop. */
void interrupt_install(void);

/* The signal that asked, SIGPIPE where it was the closed output, 0 for none. */
int interrupt_signal(void);

/* True once a stop was asked for, by signal or by a closed output. Cheap enough to ask for each
 * record: the output is looked at here, too, but ten times a second at most. */
int interrupt_is_asked(void);

/* Waits for events (as of poll) on fd, at most timeout_ms (-1: for ever).
 * *revents, if not NULL, gets what poll said of fd. fd may be -1: wait for time only. */
enum interrupt_waited interrupt_wait(int fd, short events, int timeout_ms, short *revents);

/* The same for several at once, as poll fills them in; an fd may be -1. The two entries behind the
 * last one are ours to use. */
enum interrupt_waited interrupt_wait_any(struct pollfd *fds, size_t count, int timeout_ms);

/* From here on a stop is no longer noticed by waits: for cancelling and rolling back after one. */
void interrupt_settle(void);

/* Ends the process as the signal would have done by itself, so that a launcher sees which it was.
 */
_Noreturn void interrupt_die(int number);

#endif

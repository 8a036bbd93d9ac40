/* SPDX-License-Identifier: MIT
 *
 * A server that says what a test wants: a process that listens on a Unix
 * socket and speaks the protocol as its script, a function of the test, tells.
 * For answers that a real server gives once in a lifetime, or never.
 *
 *   static void refuse(int fd) { fake_greet(fd); fake_read_query(fd); fake_error(...); ... }
 *   fake_start(refuse);  ... db_open(&err) ...  fake_stop();
 *
 * The script's process ends with the script, and then its connection does.
 */
#ifndef TESTS_UNIT_IO_FAKE_SERVER_H
#define TESTS_UNIT_IO_FAKE_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    char folder[64], path[96];
    int listener;
    pid_t pid;
} fake;

/* ---- the script's words ---- */

/* A client that has gone is no failure of the script. */
static inline void fake_write(int fd, const void *bytes, size_t length)
{
    if (send(fd, bytes, length, MSG_NOSIGNAL) < 0)
        _exit(0);
}

static inline void fake_send(int fd, char type, const void *bytes, size_t length)
{
    uint32_t size = htonl((uint32_t)length + 4);
    fake_write(fd, &type, 1);
    fake_write(fd, &size, 4);
    if (length > 0)
        fake_write(fd, bytes, length);
}

static inline bool fake_read(int fd, size_t length)
{
    char buffer[65536];
    while (length > 0) {
        ssize_t got = read(fd, buffer, length < sizeof buffer ? length : sizeof buffer);
        if (got <= 0)
            return false;
        length -= (size_t)got;
    }
    return true;
}

/* Reads messages until one of these types has come; its type, 0 at the end. */
static inline char fake_read_message(int fd, const char *types)
{
    char type;
    uint32_t size;
    while (read(fd, &type, 1) == 1) {
        if (recv(fd, &size, 4, MSG_WAITALL) != 4 || !fake_read(fd, ntohl(size) - 4))
            break;
        if (strchr(types, type))
            return type;
    }
    return 0;
}

/* The end of a simple query, or of one with parameters. */
static inline void fake_read_query(int fd)
{
    if (!fake_read_message(fd, "QS"))
        _exit(0);
}

static inline void fake_ready(int fd, char state)
{
    fake_send(fd, 'Z', &state, 1);
}

static inline void fake_complete(int fd, const char *tag, char state)
{
    fake_send(fd, 'C', tag, strlen(tag) + 1);
    fake_ready(fd, state);
}

/* fields: more of them, as "ttable\0", with its length. */
static inline void fake_error(int fd, const char *severity, const char *sqlstate,
                              const char *message, const char *fields, size_t length)
{
    char text[1024];
    int size = snprintf(text, sizeof text, "S%s%cV%s%cC%s%cM%s%c", severity, 0, severity, 0,
                        sqlstate, 0, message, 0);
    memcpy(text + size, fields, length);
    text[(size_t)size + length] = '\0';
    fake_send(fd, 'E', text, (size_t)size + length + 1);
}

static inline void fake_read_startup(int fd)
{
    uint32_t size;
    if (read(fd, &size, 4) != 4 || !fake_read(fd, ntohl(size) - 4))
        _exit(0);
}

static inline void fake_ask_password(int fd)
{
    fake_send(fd, 'R', "\0\0\0\3", 4);
}

static inline void fake_welcome(int fd)
{
    fake_send(fd, 'R', "\0\0\0\0", 4);
    fake_send(fd, 'S', "server_version\00015.0", 20);
    fake_send(fd, 'S', "client_encoding\0UTF8", 21);
    fake_send(fd, 'K', "\0\0\0\1\0\0\0\2", 8);
    fake_ready(fd, 'I');
}

/* Startup and the two questions that set a session up. */
static inline void fake_greet(int fd)
{
    fake_read_startup(fd);
    fake_welcome(fd);
    for (int i = 0; i < 2; i++) {
        fake_read_query(fd);
        fake_complete(fd, "SELECT 1", 'I');
    }
}

/* Until the client cannot send more, for nobody reads. */
static inline void fake_wait_until_full(int fd)
{
    int before = -1, waiting = 0;
    while (waiting < 65536 || waiting != before) {
        before = waiting;
        poll(NULL, 0, 10);
        if (ioctl(fd, FIONREAD, &waiting) != 0)
            _exit(0);
    }
}

/* Until the client has read all that was sent. */
static inline void fake_wait_until_heard(int fd)
{
    int unread = 1;
    while (unread > 0 && ioctl(fd, TIOCOUTQ, &unread) == 0)
        poll(NULL, 0, 1);
}

/* Takes the connection by which the client cancels. */
static inline void fake_take_cancel(void)
{
    int fd = accept(fake.listener, NULL, NULL);
    fake_read_startup(fd);
    close(fd);
}

/* Asks the client's process to stop. */
static inline void fake_signal_client(void)
{
    kill(getppid(), SIGTERM);
}

/* Waits until the client closes. */
static inline void fake_wait_for_end(int fd)
{
    while (fake_read_message(fd, "X"))
        continue;
}

/* ---- the test's words ---- */

static inline void fake_start(void (*script)(int fd))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(fake.folder, sizeof fake.folder, "/tmp/factline-fake.XXXXXX");
    if (!mkdtemp(fake.folder))
        abort();
    snprintf(fake.path, sizeof fake.path, "%s/.s.PGSQL.5432", fake.folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", fake.path);
    fake.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fake.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fake.listener, 8) != 0)
        abort();
    fflush(NULL);
    fake.pid = fork();
    if (fake.pid == 0) {
        signal(SIGTERM, SIG_DFL);
        alarm(60);
        int fd = accept(fake.listener, NULL, NULL);
        script(fd);
        close(fd);
        _exit(0);
    }
    close(fake.listener);
    setenv("PGHOST", fake.folder, 1);
    setenv("PGPORT", "5432", 1);
    setenv("PGUSER", "user", 1);
    setenv("PGDATABASE", "database", 1);
    setenv("PGPASSFILE", "/dev/null/none", 1);
}

static inline void fake_stop(void)
{
    kill(fake.pid, SIGKILL);
    waitpid(fake.pid, NULL, 0);
    unlink(fake.path);
    rmdir(fake.folder);
    fake.pid = 0;
}

#endif

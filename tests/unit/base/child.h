/* SPDX-License-Identifier: MIT
 *
 * A part of a test in a process of its own, for what ends the process or
 * changes it for good: signals, closed descriptors, exit statuses.
 *
 * cmocka's assertions belong into the parent: in a child they would run the
 * remaining tests a second time. A child says what it saw by CHILD_EXPECT.
 */
#ifndef TESTS_UNIT_BASE_CHILD_H
#define TESTS_UNIT_BASE_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    int status; /* exit status, -1 where a signal ended it */
    int signal; /* that signal, else 0 */
    char out[8192], err[8192];
};

/* Ends the child with a status that no test expects. */
#define CHILD_EXPECT(condition)                                                    \
    do {                                                                           \
        if (!(condition)) {                                                        \
            dprintf(STDERR_FILENO, "line %d: not so: %s\n", __LINE__, #condition); \
            exit(199);                                                             \
        }                                                                          \
    } while (0)

/* These take the place of the C library's in this program, and save the counts
 * of a coverage build, which such an end of the process would lose. */
extern void __gcov_exit(void) __attribute__((weak));

static void child_save_coverage(void)
{
    if (__gcov_exit)
        __gcov_exit();
}

void _exit(int status)
{
    child_save_coverage();
    _Exit(status);
}

int raise(int number)
{
    if (number != SIGURG) /* which ends no process */
        child_save_coverage();
    return kill(getpid(), number);
}

static void child_read_back(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void child_wait(pid_t pid, struct child *child)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        continue;
    child->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    child->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Runs body(data), whose result is the exit status, with standard output and
 * standard error kept in files. */
static void child_run(int (*body)(const void *), const void *data, struct child *child)
{
    FILE *out = tmpfile(), *err = tmpfile();

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        fclose(out);
        fclose(err);
        exit(body(data));
    }
    child_wait(pid, child);
    child_read_back(out, child->out, sizeof child->out);
    child_read_back(err, child->err, sizeof child->err);
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * What must end the program as a contradiction: BUG() exits with 70, or aborts
 * in the debug variants. So it runs in a process of its own.
 */
#ifndef TESTS_UNIT_IO_EXPECT_BUG_H
#define TESTS_UNIT_IO_EXPECT_BUG_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

/* Fails the test unless body(data) ends as a BUG whose line holds part. */
static inline void expect_bug(void (*body)(void *data), void *data, const char *part)
{
    char text[1024];
    int status = 0;
    FILE *said = tmpfile();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(fileno(said), STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka would take it for a failure of its own */
        body(data);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0)
        continue;
    rewind(said);
    text[fread(text, 1, sizeof text - 1, said)] = '\0';
    fclose(said);
    if (!(WIFEXITED(status) && WEXITSTATUS(status) == STATUS_BUG) &&
        !(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT))
        fail_msg("no bug, but wait status %d: %s", status, text);
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

#endif

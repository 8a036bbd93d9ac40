/* SPDX-License-Identifier: MIT
 *
 * task_main as a process sees it: a task, a command line, and what came before.
 */
#ifndef TESTS_UNIT_BASE_TASK_CALL_H
#define TESTS_UNIT_BASE_TASK_CALL_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/task.h"
#include "child.h"

#define WORDS_MAX 12

#define LINE "{\"schema_version\":1,\"status\":\"done\"}\n"
#define COMMITTED "; the work is committed, run the step again and it is found done\n"

/* One run: the task, its command line, and what happens to the process before. */
struct call {
    struct task task;
    const char *words[WORDS_MAX];
    void (*before)(void);
};

static inline int call_task(const void *data)
{
    const struct call *call = data;
    char *argv[WORDS_MAX + 1] = {mem_strdup("load-staging")};
    int argc = 1;
    struct task task = call->task;

    for (; call->words[argc - 1]; argc++)
        argv[argc] = mem_strdup(call->words[argc - 1]);
    task.name = "load-staging";
    task.summary = "Load one window.";
    if (call->before)
        call->before();
    int status = task_main(&task, argc, argv);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return status;
}

#define CALL(child, ...) child_run(call_task, &(const struct call){__VA_ARGS__}, child)

/* The last line on standard error, without what was logged before. */
static inline const char *last_line(const struct child *child)
{
    const char *line = child->err;

    for (const char *at = child->err; *at; at++)
        if (*at == '\n' && at[1])
            line = at + 1;
    return line;
}

static inline void has_failed(const struct child *child, int status, const char *line)
{
    assert_string_equal(last_line(child), line);
    assert_int_equal(child->status, status);
    assert_string_equal(child->out, "");
}

static inline bool succeed(struct result *result, struct error *err)
{
    (void)err;
    result_set_int(result, "schema_version", 1);
    result_set_text(result, "status", "done");
    return true;
}

/* Something to do before: an output that takes nothing. */
static inline void fill_output(void)
{
    dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
}

#endif

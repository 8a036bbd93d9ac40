/* SPDX-License-Identifier: MIT
 *
 * What every executable does alike: options and help from one table, standard
 * streams, signals, the error line or the result line, the exit status.
 *
 *   static bool run(struct result *result, struct error *err);
 *   int main(int argc, char **argv) { return task_main(&task, argc, argv); }
 *
 * task_main answers --help and --version; refuses what it does not know (64);
 * puts /dev/null on standard input unless an option or argument is "-"; opens
 * descriptors 0 to 2 where they are closed; switches core dumps off; installs
 * base/interrupt; calls run. If run succeeds it writes the result file (temporary
 * file, fsync, rename) and the line, one write, to standard output, and looks whether it
 * arrived (74). If run fails it prints the error line; after an interrupt it
 * ends by that very signal. With --skip-if-empty a "nothing-to-do" gives 99 and
 * no line. STATUS_STALE set by run with a document prints the document first.
 */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/result.h"

#ifndef FACTLINE_VERSION
#define FACTLINE_VERSION "0.1.0"
#endif

/* Texts given by an option that may be repeated, in order; borrowed from argv. */
struct task_list {
    const char **items;
    size_t count;
};

/* One option or argument. Exactly one of to, flag, list, duration, time, number is set. */
struct task_option {
    const char *name; /* without "--"; NULL for the positional argument */
    const char *arg;  /* placeholder in the help; NULL for a flag */
    const char *help; /* one line */
    const char **to;  /* its text; stays NULL when absent */
    bool *flag;       /* set to true */
    struct task_list *list;
    int64_t *duration; /* DURATION, microseconds; keeps its default when absent */
    int64_t *time;     /* TIME, microseconds; keeps its default when absent */
    int64_t *number;   /* an integer from 0; keeps its default when absent */
    bool is_id;        /* the text must be an id or key (task_is_id), or "-" if may_be_stdin */
    bool may_be_stdin; /* "-" is standard input, which is then kept; else "-" is refused */
    bool is_optional;  /* of the positional argument */
};

struct task {
    const char *name;
    const char *summary;               /* one line */
    const struct task_option *options; /* ends with a zeroed one */
    bool is_step;                      /* takes the options of steps, too */
    bool takes_batch; /* a step that goes on with another's batch: --batch-id may be
                         "-" (standard input), and --batch-file names a result file */
    bool (*run)(struct result *result, struct error *err);
};

/* The options that all tasks (and all steps) share. */
struct task_common {
    bool quiet, verbose, dry_run;
    const char *result_file;
    int64_t lock_timeout; /* microseconds */
    /* steps only */
    const char
        *run_key; /* --run-key, else from AIRFLOW_CTX_DAG_ID/AIRFLOW_CTX_DAG_RUN_ID, else NULL */
    const char *batch_id;   /* --batch-id; "-" only where the task takes_batch */
    const char *batch_file; /* --batch-file; only where the task takes_batch */
    bool skip_if_empty, force;
    int try_number; /* AIRFLOW_CTX_TRY_NUMBER, 0 if unknown */
};
const struct task_common *task_common(void);

/* The running task's name; "factline" outside of task_main (tests). */
const char *task_name(void);

/* 1 to 255 bytes of [A-Za-z0-9_.~:+/-], and none of None, null, nan in any case. */
bool task_is_id(const char *text);

int task_main(const struct task *task, int argc, char **argv);

#endif

/* SPDX-License-Identifier: MIT */
#include "base/task.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/help.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/option.h"
#include "base/output.h"
#include "base/str.h"

#define ID_MAX 255

/* The server counts a lock timeout in milliseconds, takes 0 for "for ever", and no more
 * than an int of them. */
#define LOCK_TIMEOUT_MIN (CLOCK_SECOND / 1000)
#define LOCK_TIMEOUT_MAX (24 * CLOCK_DAY)

#define INTERRUPTED "run the step again"
#define COMMITTED "the work is committed, run the step again and it is found done"

static const char *running = "factline";
static struct task_common common = {.lock_timeout = 60 * CLOCK_SECOND};
static bool asks_help, asks_version;

static const struct task_option shared_options[] = {
    {.name = "result-file",
     .arg = "PATH",
     .to = &common.result_file,
     .help = "also write the result line to this file, whole or not at all"},
    {.name = "lock-timeout",
     .arg = "DURATION",
     .duration = &common.lock_timeout,
     .help = "how long to wait for a lock before giving up with 75 (60s)"},
    {.name = "dry-run",
     .flag = &common.dry_run,
     .help = "write nothing; show bounds, statements and plans on standard error"},
    {.name = "quiet", .flag = &common.quiet, .help = "log errors only"},
    {.name = "verbose", .flag = &common.verbose, .help = "log details, too"},
    {.name = "help", .flag = &asks_help, .help = "print this help and end"},
    {.name = "version", .flag = &asks_version, .help = "print the version and end"},
    {0},
};

static const struct task_option step_options[] = {
    {.name = "run-key",
     .arg = "KEY",
     .to = &common.run_key,
     .is_id = true,
     .help = "name by which a retry finds its batch (Airflow's DAG run, else new)"},
    {.name = "skip-if-empty",
     .flag = &common.skip_if_empty,
     .help = "end with 99 and no result line where there is nothing to do"},
    {.name = "force", .flag = &common.force, .help = "do anew what this run key has done"},
    {0},
};

static const struct task_option own_batch_options[] = {
    {.name = "batch-id",
     .arg = "ID",
     .to = &common.batch_id,
     .is_id = true,
     .help = "batch to work on; goes before the run key"},
    {0},
};

static const struct task_option taken_batch_options[] = {
    {.name = "batch-id",
     .arg = "ID",
     .to = &common.batch_id,
     .is_id = true,
     .may_be_stdin = true,
     .help = "batch to go on with; - reads the last step's result line from stdin"},
    {.name = "batch-file",
     .arg = "PATH",
     .to = &common.batch_file,
     .help = "go on with the batch that the last step's --result-file names"},
    {0},
};

const struct task_common *task_common(void)
{
    return &common;
}

const char *task_name(void)
{
    return running;
}

bool task_is_id(const char *text)
{
    static const char *const missing[] = {"none", "null", "nan"};
    size_t length = strlen(text);

    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (strcasecmp(text, missing[i]) == 0)
            return false;
    return length >= 1 && length <= ID_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                        "_.~:+/-") == length;
}

/* ---- before the work ---- */

/* A descriptor of ours that took the place of a closed stream would receive what is meant for
 * the stream. A result that nobody can get must still fail: hence read-only for 1. */
static void open_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

/* Under Airflow 3 descriptor 0 is the launcher's own socket; a byte taken from it breaks the
 * launcher. */
static void detach_stdin(void)
{
    int fd = open("/dev/null", O_RDONLY);

    if (fd >= 0) {
        dup2(fd, STDIN_FILENO);
        close(fd);
    }
}

/* A core holds rows and passwords. 1 byte, not 0: at 0 Linux still feeds a program that
 * core_pattern names. */
static void forbid_core_dumps(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max > 0 ? 1 : 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
}

/* ---- the command line ---- */

/* The key that Airflow's variables name. An empty variable is an absent one. */
static bool read_airflow(struct error *err)
{
    static char key[2 * ID_MAX + 2];
    static const char *const names[] = {"AIRFLOW_CTX_DAG_ID", "AIRFLOW_CTX_DAG_RUN_ID"};
    const char *dag = getenv(names[0]), *run = getenv(names[1]);
    const char *try_number = getenv("AIRFLOW_CTX_TRY_NUMBER");

    if (try_number && isdigit((unsigned char)*try_number))
        common.try_number = (int)strtol(try_number, NULL, 10);
    if (common.run_key || !dag || !*dag || !run || !*run)
        return true;
    if (task_is_id(dag) && task_is_id(run)) {
        snprintf(key, sizeof key, "%s/%s", dag, run);
        common.run_key = key;
        return true;
    }
    if (common.batch_id || common.batch_file) /* which goes before the run key */
        return true;
    return error_set(err, STATUS_USAGE,
                     "variable %s is not a key (up to 255 of A-Z a-z 0-9 _ . ~ : + / -); pass"
                     " --run-key",
                     names[task_is_id(dag) ? 1 : 0]);
}

static bool check_common(const struct task *task, struct error *err)
{
    if (common.quiet && common.verbose)
        return error_set(err, STATUS_USAGE,
                         "--quiet and --verbose exclude each other; give one of them");
    if (common.batch_id && common.batch_file)
        return error_set(err, STATUS_USAGE,
                         "--batch-id and --batch-file exclude each other; give one of them");
    if (common.lock_timeout > LOCK_TIMEOUT_MAX)
        return error_set(err, STATUS_USAGE,
                         "option \"--lock-timeout\" is longer than the server can wait; give at"
                         " most 24d");
    if (common.lock_timeout < LOCK_TIMEOUT_MIN)
        common.lock_timeout = LOCK_TIMEOUT_MIN;
    if (common.result_file && !output_check_file(common.result_file, err))
        return false;
    return !task->is_step || read_airflow(err);
}

static bool read_command_line(const struct task *task, const struct option_group *groups, int argc,
                              char **argv, struct error *err)
{
    bool keeps_stdin = false;

    if (!option_parse(groups, argc, argv, &keeps_stdin, err))
        return false;
    if (!keeps_stdin)
        detach_stdin();
    if (asks_help || asks_version)
        return true;
    log_open(task->name, common.verbose ? LOG_DEBUG : common.quiet ? LOG_ERROR : LOG_INFO);
    return option_require(groups, err) && check_common(task, err);
}

/* ---- after the work ---- */

static const char *signal_name(int number)
{
    return number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP";
}

/* A call that a signal cut short may have failed in any of the ways that pass. */
static bool may_be_of_stop(enum status status)
{
    return status == STATUS_INTERRUPTED || status == STATUS_IO || status == STATUS_TEMPORARY ||
           status == STATUS_UNAVAILABLE;
}

/* The last line of a task that ends by a stop; remedy tells what became of the work. */
static int end_stopped(const char *remedy)
{
    struct error err;
    int number = interrupt_signal();

    if (number == SIGPIPE) { /* dying of it would look like a crash */
        error_set(&err, STATUS_IO, "nobody reads standard output any more; %s", remedy);
        log_failure(&err);
        return STATUS_IO;
    }
    error_set(&err, STATUS_INTERRUPTED, "interrupted by signal %d (%s); %s", number,
              signal_name(number), remedy);
    log_failure(&err);
    interrupt_die(number);
}

/* The exit status of a failure, after its line. */
static int end_failed(const struct error *err, const char *remedy)
{
    int number = interrupt_signal();

    if (err->status == STATUS_INTERRUPTED && number == 0)
        BUG("interrupted by nobody");
    if (err->status == STATUS_OK)
        BUG("failed without a reason");
    if (err->status == STATUS_INTERRUPTED ||
        (number != 0 && number != SIGPIPE && may_be_of_stop(err->status)))
        return end_stopped(remedy);
    log_failure(err);
    return err->status;
}

/* The result file first: who sees the line may count on the file. */
static bool deliver(const struct result *result, struct error *err)
{
    const char *document = result_get_document(result);
    const char *remedy = document ? "make room and run it again" : COMMITTED;
    struct str text;

    str_init(&text);
    if (document)
        str_add_text(&text, document);
    else
        result_format(result, &text);

    bool ok = (!common.result_file ||
               output_put_file(common.result_file, text.text, text.length, remedy, err)) &&
              output_print(text.text, text.length, remedy, err);
    str_release(&text);
    return ok;
}

static int end_run(bool ok, const struct result *result, struct error *err)
{
    struct error lost;

    if (!ok && err->status == STATUS_STALE && result_get_document(result) &&
        !deliver(result, &lost))
        return end_failed(&lost, COMMITTED);
    if (!ok)
        return end_failed(err, INTERRUPTED);
    if (interrupt_signal() != 0 && interrupt_signal() != SIGPIPE)
        return end_stopped(COMMITTED);
    if (common.skip_if_empty && result_is_empty(result)) {
        error_set(err, STATUS_SKIP, "nothing to do; skipped, as --skip-if-empty asks");
        return end_failed(err, COMMITTED);
    }
    return deliver(result, err) ? STATUS_OK : end_failed(err, COMMITTED);
}

static int run(const struct task *task)
{
    struct error err = {0};
    struct result result;
    int64_t start = clock_monotonic();

    result_init(&result);
    log_event(LOG_INFO, "start", "version=%s try=%d", FACTLINE_VERSION, common.try_number);
    bool ok = task->run(&result, &err);
    log_event(LOG_INFO, "end", "outcome=%s ms=%" PRId64, ok ? "done" : "failed",
              (clock_monotonic() - start) / 1000);

    int status = end_run(ok, &result, &err);
    result_release(&result);
    return status;
}

/* --help and --version. */
static int tell(const struct task *task, const struct option_group *groups)
{
    struct error err;
    struct str text;

    str_init(&text);
    if (asks_help)
        help_add(&text, task->name, task->summary, groups);
    else
        str_add_format(&text, "%s (factline) %s\n", task->name, FACTLINE_VERSION);

    bool ok = output_print(text.text, text.length, "make room for it", &err);
    str_release(&text);
    return ok ? STATUS_OK : end_failed(&err, "ask again");
}

int task_main(const struct task *task, int argc, char **argv)
{
    static const struct task_option none[] = {{0}};
    const struct option_group groups[] = {
        {"Options", task->options ? task->options : none},
        {"The batch", task->takes_batch ? taken_batch_options
                      : task->is_step   ? own_batch_options
                                        : none},
        {"Options of every step", task->is_step ? step_options : none},
        {"Options of every task", shared_options},
        {0},
    };
    struct error err;
    int status;

    running = task->name;
    open_streams();
    forbid_core_dumps();
    interrupt_install();
    log_open(task->name, LOG_ERROR);

    if (!read_command_line(task, groups, argc, argv, &err))
        status = end_failed(&err, INTERRUPTED);
    else if (asks_help || asks_version)
        status = tell(task, groups);
    else
        status = run(task);
    option_release(groups);
    return status;
}

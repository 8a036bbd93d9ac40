/* SPDX-License-Identifier: MIT
 *
 * The command line against the option tables of base/task.h, through
 * getopt_long: long options only, before or after the arguments. For base/task
 * and base/help; a task's main file only fills in its table.
 *
 * No message quotes a value or an argument that was not asked for: it may be a
 * password in the wrong place.
 */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include <stdbool.h>

#include "base/error.h"
#include "base/task.h"

/* Options that the help shows under one title. options ends with a zeroed one. */
struct option_group {
    const char *title;
    const struct task_option *options;
};

/* True for the zeroed one. */
bool option_is_end(const struct task_option *option);

/*
 * Sets what the command line names; groups ends with one without options.
 * *keeps_stdin tells whether some value is standard input. False with
 * STATUS_USAGE for whatever is unknown, ambiguous, malformed, empty or given
 * twice. Two options of one name, or one without exactly one target, are a BUG.
 * Call once per process: getopt keeps its place.
 */
bool option_parse(const struct option_group *groups, int argc, char **argv, bool *keeps_stdin,
                  struct error *err);

/* False where an argument that is not optional was not given. Apart from
 * option_parse, since --help alone must do. */
bool option_require(const struct option_group *groups, struct error *err);

/* Frees the arrays of the lists. */
void option_release(const struct option_group *groups);

#endif

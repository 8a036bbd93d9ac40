/* SPDX-License-Identifier: MIT
 *
 * The text of --help, made from the option tables, so that it cannot drift
 * from what is accepted.
 */
#ifndef BASE_HELP_H
#define BASE_HELP_H

#include "base/option.h"
#include "base/str.h"

/* Adds usage, summary, arguments, the groups under their titles, how values are
 * written, and the exit statuses. groups ends with one without options. */
void help_add(struct str *to, const char *name, const char *summary,
              const struct option_group *groups);

#endif

/* SPDX-License-Identifier: MIT */
#include "base/help.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Where the explanations begin. */
#define COLUMN 28

static const struct {
    enum status status;
    const char *meaning;
} statuses[] = {
    {STATUS_OK, "done, done before, or nothing to do"},
    {STATUS_USAGE, "wrong command line"},
    {STATUS_DATA, "the data cannot be taken as it is"},
    {STATUS_UNAVAILABLE, "no session could be had; try again"},
    {STATUS_BUG, "our own mistake; report it"},
    {STATUS_IO, "reading or writing failed; try again"},
    {STATUS_TEMPORARY, "lock busy, session lost, server full; try again"},
    {STATUS_PERMISSION, "refused by server or file system"},
    {STATUS_CONFIG, "environment, database or schema is not as needed"},
    {STATUS_STALE, "older than --max-lag; try again"},
    {STATUS_SKIP, "nothing to do, only with --skip-if-empty"},
};

/* One line: left, then its explanation in its column, on a line of its own where left is long. */
static void add_line(struct str *to, const struct str *left, const char *explanation)
{
    str_add(to, left->text, left->length);
    if (left->length + 2 > COLUMN)
        str_add_format(to, "\n%*s", COLUMN, "");
    else
        str_add_format(to, "%*s", (int)(COLUMN - left->length), "");
    str_add_text(to, explanation);
}

static void add_option(struct str *to, const struct task_option *option)
{
    struct str left;

    str_init(&left);
    if (option->name)
        str_add_format(&left, "  --%s%s%s", option->name, option->arg ? " " : "",
                       option->arg ? option->arg : "");
    else
        str_add_format(&left, "  %s", option->arg);
    add_line(to, &left, option->help);
    str_add_text(to, option->list ? "; may be repeated\n" : "\n");
    str_release(&left);
}

/* "named" tells options from arguments. */
static void add_options(struct str *to, const char *title, const struct task_option *options,
                        bool named)
{
    bool is_first = true;

    for (; !option_is_end(options); options++) {
        if (!options->name == named)
            continue;
        if (is_first)
            str_add_format(to, "\n%s:\n", title);
        is_first = false;
        add_option(to, options);
    }
}

static void add_usage(struct str *to, const char *name, const struct option_group *groups)
{
    str_add_format(to, "Usage: %s", name);
    for (; groups->options; groups++)
        for (const struct task_option *option = groups->options; !option_is_end(option); option++)
            if (!option->name)
                str_add_format(to, option->is_optional ? " [%s]" : " %s", option->arg);
    str_add_text(to, " [OPTIONS]\n");
}

static void add_value_forms(struct str *to, const struct option_group *groups)
{
    bool has_duration = false, has_time = false;

    for (; groups->options; groups++)
        for (const struct task_option *option = groups->options; !option_is_end(option); option++) {
            has_duration = has_duration || option->duration;
            has_time = has_time || option->time;
        }
    if (has_duration || has_time)
        str_add_char(to, '\n');
    if (has_duration)
        str_add_text(to, "A duration is a number with s, min, h or d; a bare number is seconds.\n");
    if (has_time)
        str_add_text(to, "A time is 2026-01-31T08:30:00Z, 2026-01-31T10:30:00+02:00 or 2026-01-31;"
                         " without a zone it is UTC.\n");
}

static void add_statuses(struct str *to)
{
    str_add_text(to, "\nExit status:\n");
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        str_add_format(to, "  %3d %-12s %s\n", (int)statuses[i].status,
                       status_name(statuses[i].status), statuses[i].meaning);
    str_add_text(to, "  128+n            ended by signal n; try again\n");
}

void help_add(struct str *to, const char *name, const char *summary,
              const struct option_group *groups)
{
    add_usage(to, name, groups);
    str_add_format(to, "%s\n", summary);
    for (const struct option_group *group = groups; group->options; group++)
        add_options(to, "Arguments", group->options, false);
    for (const struct option_group *group = groups; group->options; group++)
        add_options(to, group->title, group->options, true);
    add_value_forms(to, groups);
    add_statuses(to);
}

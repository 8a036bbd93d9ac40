/* SPDX-License-Identifier: MIT */
#include "base/option.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* What getopt_long returns for the option of index 0; above every character. */
#define FIRST_CODE 1000

/* All groups as one table, and what has been seen of it. */
struct parse {
    const struct task_option **options;
    bool *seen;
    size_t count;
    int argc;
    int stdin_count;
};

bool option_is_end(const struct task_option *option)
{
    return !option->name && !option->arg;
}

static int target_count(const struct task_option *option)
{
    return !!option->to + !!option->flag + !!option->list + !!option->duration + !!option->time +
           !!option->number;
}

static void add_option(struct parse *parse, const struct task_option *option)
{
    const char *name = option->name ? option->name : option->arg;

    if (target_count(option) != 1 || !option->help || !option->flag != !!option->arg)
        BUG("option \"%s\" is not declared in full", name);
    for (size_t i = 0; i < parse->count; i++)
        if (option->name && parse->options[i]->name &&
            strcmp(option->name, parse->options[i]->name) == 0)
            BUG("option \"%s\" is declared twice", name);

    parse->options = mem_resize(parse->options, (parse->count + 1) * sizeof *parse->options);
    parse->options[parse->count++] = option;
}

static void init_parse(struct parse *parse, const struct option_group *groups, int argc)
{
    *parse = (struct parse){.argc = argc};
    for (; groups->options; groups++)
        for (const struct task_option *option = groups->options; !option_is_end(option); option++)
            add_option(parse, option);
    parse->seen = mem_alloc(parse->count * sizeof *parse->seen);
}

static void release_parse(struct parse *parse)
{
    free(parse->options);
    free(parse->seen);
}

/* getopt's table. Arguments get a name that nobody can type, to keep the indexes equal. */
static struct option *make_long_options(const struct parse *parse)
{
    struct option *table = mem_alloc((parse->count + 1) * sizeof *table);

    for (size_t i = 0; i < parse->count; i++)
        table[i] = (struct option){
            .name = parse->options[i]->name ? parse->options[i]->name : "=",
            .has_arg = parse->options[i]->flag ? no_argument : required_argument,
            .val = FIRST_CODE + (int)i,
        };
    return table;
}

/* How messages call it: option "--since", argument FEED. */
struct label {
    char text[80];
};

static struct label label_of(const struct task_option *option)
{
    struct label label;

    if (option->name)
        snprintf(label.text, sizeof label.text, "option \"--%s\"", option->name);
    else
        snprintf(label.text, sizeof label.text, "argument %s", option->arg);
    return label;
}

static bool set_time(const struct task_option *option, const char *text, struct error *err)
{
    switch (clock_parse(text, strlen(text), option->time)) {
    case CLOCK_OK: return true;
    case CLOCK_OUT_OF_RANGE:
        return error_set(err, STATUS_USAGE,
                         "%s names a day or an hour that does not exist; correct it",
                         label_of(option).text);
    case CLOCK_MALFORMED: break;
    }
    return error_set(err, STATUS_USAGE,
                     "%s is not a time; write it like 2026-01-31T08:30:00Z or 2026-01-31",
                     label_of(option).text);
}

static bool set_number(const struct task_option *option, const char *text, struct error *err)
{
    errno = 0;
    long long number = strtoll(text, NULL, 10);

    if (text[strspn(text, "0123456789")] != '\0' || errno != 0)
        return error_set(err, STATUS_USAGE, "%s is not an integer from 0; write digits only",
                         label_of(option).text);
    *option->number = number;
    return true;
}

static void add_to_list(struct task_list *list, const char *text, int argc)
{
    if (!list->items)
        list->items = mem_alloc((size_t)argc * sizeof *list->items);
    list->items[list->count++] = text;
}

/* Standard input by its path would be the empty file that takes its place. */
static bool is_path_of_stdin(const char *text)
{
    static const char *const paths[] = {"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(text, paths[i]) == 0)
            return true;
    return false;
}

/* Templates of an orchestrator print missing values as nothing, None, null or
 * nan; such a value must never come to mean "no filter". */
static bool check_text(struct parse *parse, const struct task_option *option, const char *text,
                       struct error *err)
{
    bool is_stdin = strcmp(text, "-") == 0;

    if (!*text)
        return error_set(err, STATUS_USAGE, "%s is empty; give %s or leave it out",
                         label_of(option).text, option->arg);
    if (is_stdin && option->may_be_stdin) {
        if (++parse->stdin_count > 1)
            return error_set(err, STATUS_USAGE,
                             "standard input is named twice; it can be read once");
        return true;
    }
    if (is_stdin)
        return error_set(err, STATUS_USAGE, "%s cannot be \"-\"; give %s", label_of(option).text,
                         option->arg);
    if (is_path_of_stdin(text))
        return error_set(err, STATUS_USAGE, "%s cannot be read by this path; give %s",
                         label_of(option).text, option->may_be_stdin ? "\"-\"" : option->arg);
    if (option->is_id && !task_is_id(text))
        return error_set(err, STATUS_USAGE,
                         "%s is not an id; give up to 255 of A-Z a-z 0-9 _ . ~ : + / -, and not"
                         " None, null or nan",
                         label_of(option).text);
    return true;
}

static bool set_value(struct parse *parse, const struct task_option *option, const char *text,
                      struct error *err)
{
    if (option->flag) {
        *option->flag = true;
        return true;
    }
    if (!check_text(parse, option, text, err))
        return false;
    if (option->time)
        return set_time(option, text, err);
    if (option->number)
        return set_number(option, text, err);
    if (option->duration)
        return clock_parse_duration(text, option->duration) ||
               error_set(err, STATUS_USAGE,
                         "%s is not a duration; write a number with s, min, h or d",
                         label_of(option).text);
    if (option->list)
        add_to_list(option->list, text, parse->argc);
    else
        *option->to = text;
    return true;
}

static bool take(struct parse *parse, size_t index, const char *text, struct error *err)
{
    const struct task_option *option = parse->options[index];

    if (parse->seen[index] && !option->list)
        return error_set(err, STATUS_USAGE, "%s is given twice; give it once",
                         label_of(option).text);
    parse->seen[index] = true;
    return set_value(parse, option, text, err);
}

static bool take_argument(struct parse *parse, const char *text, struct error *err)
{
    for (size_t i = 0; i < parse->count; i++)
        if (!parse->options[i]->name && (!parse->seen[i] || parse->options[i]->list))
            return take(parse, i, text, err);
    return error_set(err, STATUS_USAGE, "there are too many arguments; see --help");
}

/* argument begins with "-" and is none of our options, or the beginning of several. */
static bool refuse(const struct parse *parse, const char *argument, struct error *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    size_t length = is_long ? strspn(name, letters) : 1;
    int alike = 0;

    for (size_t i = 0; is_long && i < parse->count; i++)
        if (parse->options[i]->name && strncmp(parse->options[i]->name, name, length) == 0)
            alike++;
    if (alike > 1)
        return error_set(err, STATUS_USAGE,
                         "option \"--%.*s\" is the beginning of several; write it out, see --help",
                         (int)length, name);
    return error_set(err, STATUS_USAGE, "unrecognized option \"%.*s\"; see --help",
                     (int)(length < 40 ? length : 40) + (is_long ? 2 : 1), argument);
}

/* Acts on what getopt_long returned for argument. */
static bool take_code(struct parse *parse, int code, const char *argument, struct error *err)
{
    if (code == 1)
        return take_argument(parse, optarg, err);
    if (code == ':') {
        const struct task_option *option = parse->options[optopt - FIRST_CODE];
        return error_set(err, STATUS_USAGE, "%s needs a value; write --%s %s",
                         label_of(option).text, option->name, option->arg);
    }
    if (code == '?' && optopt >= FIRST_CODE)
        return error_set(err, STATUS_USAGE, "%s takes no value; write it alone",
                         label_of(parse->options[optopt - FIRST_CODE]).text);
    if (code == '?')
        return refuse(parse, argument, err);
    return take(parse, (size_t)(code - FIRST_CODE), optarg, err);
}

bool option_parse(const struct option_group *groups, int argc, char **argv, bool *keeps_stdin,
                  struct error *err)
{
    struct parse parse;
    struct option *long_options;
    bool ok = true;

    init_parse(&parse, groups, argc);
    long_options = make_long_options(&parse);

    /* "-" gives arguments in their place, whatever POSIXLY_CORRECT says; ":" tells a
     * missing value from an unknown option, and lets us print the message. */
    while (ok) {
        const char *argument = optind < argc ? argv[optind] : NULL;
        int code = getopt_long(argc, argv, "-:", long_options, NULL);
        if (code == -1)
            break;
        ok = take_code(&parse, code, argument, err);
    }
    for (; ok && optind < argc; optind++) /* what follows a "--" */
        ok = take_argument(&parse, argv[optind], err);

    *keeps_stdin = parse.stdin_count > 0;
    free(long_options);
    release_parse(&parse);
    return ok;
}

static bool is_given(const struct task_option *option)
{
    return option->list ? option->list->count > 0 : !option->to || *option->to;
}

bool option_require(const struct option_group *groups, struct error *err)
{
    for (; groups->options; groups++)
        for (const struct task_option *option = groups->options; !option_is_end(option); option++)
            if (!option->name && !option->is_optional && !is_given(option))
                return error_set(err, STATUS_USAGE, "%s is missing; see --help",
                                 label_of(option).text);
    return true;
}

void option_release(const struct option_group *groups)
{
    for (; groups->options; groups++)
        for (const struct task_option *option = groups->options; !option_is_end(option); option++)
            if (option->list) {
                free(option->list->items);
                *option->list = (struct task_list){0};
            }
}

/* SPDX-License-Identifier: MIT */
#include "base/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *text;
static struct task_list list;
static int64_t number;
static bool flag;

static const struct task_option own_options[] = {
    {.name = "source", .arg = "SPEC", .help = "where from", .list = &list},
    {.arg = "FEED", .help = "feed to load", .to = &text},
    {.arg = "REST", .help = "more", .to = &text, .is_optional = true},
    {.name = "start", .arg = "TIME", .help = "no history before", .time = &number},
    {0},
};
static const struct task_option no_options[] = {{0}};
static const struct task_option shared_options[] = {
    {.name = "lock-timeout-of-great-length",
     .arg = "DURATION",
     .help = "how long to wait",
     .duration = &number},
    {.name = "quiet", .help = "log errors only", .flag = &flag},
    {0},
};
static const struct task_option flags_only[] = {
    {.name = "quiet", .help = "log errors only", .flag = &flag},
    {0},
};

static void help_is_made_from_the_tables(void **state)
{
    static const struct option_group groups[] = {
        {"Options", own_options}, {"Nothing", no_options}, {"Shared", shared_options}, {0}};
    static const char expected[] =
        "Usage: load-staging FEED [REST] [OPTIONS]\n"
        "Load one window.\n"
        "\n"
        "Arguments:\n"
        "  FEED                      feed to load\n"
        "  REST                      more\n"
        "\n"
        "Options:\n"
        "  --source SPEC             where from; may be repeated\n"
        "  --start TIME              no history before\n"
        "\n"
        "Shared:\n"
        "  --lock-timeout-of-great-length DURATION\n"
        "                            how long to wait\n"
        "  --quiet                   log errors only\n"
        "\n"
        "A duration is a number with s, min, h or d; a bare number is seconds.\n"
        "A time is 2026-01-31T08:30:00Z, 2026-01-31T10:30:00+02:00 or 2026-01-31; without a zone"
        " it is UTC.\n"
        "\n"
        "Exit status:\n"
        "    0 OK           done, done before, or nothing to do\n";
    struct str help;

    (void)state;
    str_init(&help);
    help_add(&help, "load-staging", "Load one window.", groups);
    help.text[sizeof expected - 1] = '\0';
    assert_string_equal(help.text, expected);
    str_release(&help);
}

static void forms_of_values_are_told_where_there_are_such_values(void **state)
{
    static const struct option_group groups[] = {{"Options", flags_only}, {0}};
    struct str help;

    (void)state;
    str_init(&help);
    help_add(&help, "x", "Do it.", groups);
    assert_null(strstr(help.text, "duration"));
    assert_null(strstr(help.text, "A time is"));
    assert_null(strstr(help.text, "Arguments"));
    str_release(&help);
}

static void every_exit_status_is_told(void **state)
{
    static const char *const lines[] = {
        "\n    0 OK ",     "\n   64 USAGE ", "\n   65 DATA ",      "\n   69 UNAVAILABLE ",
        "\n   70 BUG ",    "\n   74 IO ",    "\n   75 TEMPORARY ", "\n   77 PERMISSION ",
        "\n   78 CONFIG ", "\n   79 STALE ", "\n   99 SKIP ",      "\n  128+n ",
    };
    static const struct option_group groups[] = {{"Options", flags_only}, {0}};
    struct str help;

    (void)state;
    str_init(&help);
    help_add(&help, "x", "Do it.", groups);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_non_null(strstr(help.text, lines[i]));
    str_release(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_made_from_the_tables),
        cmocka_unit_test(forms_of_values_are_told_where_there_are_such_values),
        cmocka_unit_test(every_exit_status_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

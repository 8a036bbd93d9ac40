/* SPDX-License-Identifier: MIT */
#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "child.h"

#define WORDS_MAX 16

static const char *feed, *extra, *format;
static struct task_list sources, keys;
static int64_t overlap, since, jobs;
static bool force;

static const struct task_option own_options[] = {
    {.arg = "FEED", .help = "feed", .to = &feed, .is_id = true},
    {.arg = "EXTRA", .help = "more", .to = &extra, .is_optional = true, .may_be_stdin = true},
    {.name = "source", .arg = "SPEC", .help = "source", .list = &sources, .may_be_stdin = true},
    {.name = "start", .arg = "TIME", .help = "start", .time = &since},
    {.name = "format", .arg = "NAME", .help = "format", .to = &format},
    {0},
};
static const struct task_option more_options[] = {
    {.name = "overlap", .arg = "DURATION", .help = "overlap", .duration = &overlap},
    {.name = "jobs", .arg = "N", .help = "jobs", .number = &jobs},
    {.name = "key", .arg = "KEY", .help = "key", .list = &keys, .is_id = true},
    {.name = "force", .help = "force", .flag = &force},
    {0},
};
static const struct option_group groups[] = {{"Own", own_options}, {"More", more_options}, {0}};

/* The words of a command line, and what must be so after it was taken. */
struct command {
    const char *words[WORDS_MAX];
    bool keeps_stdin;
    void (*check)(void);
};

/* Parses; prints the message of a refusal. getopt keeps its place, hence in a child. */
static int parse(const void *data)
{
    const struct command *command = data;
    char *argv[WORDS_MAX + 2] = {mem_strdup("task")};
    int argc = 1;
    bool keeps_stdin = true;
    struct error err;

    for (; command->words[argc - 1]; argc++)
        argv[argc] = mem_strdup(command->words[argc - 1]);
    bool ok = option_parse(groups, argc, argv, &keeps_stdin, &err) && option_require(groups, &err);
    if (ok) {
        CHILD_EXPECT(keeps_stdin == command->keeps_stdin);
        if (command->check)
            command->check();
    } else {
        dprintf(STDERR_FILENO, "%s", err.message);
    }
    option_release(groups);
    CHILD_EXPECT(!sources.items && sources.count == 0);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return ok ? 0 : (int)err.status;
}

static void is_taken(const struct command *command)
{
    struct child child;

    child_run(parse, command, &child);
    assert_string_equal(child.err, "");
    assert_int_equal(child.status, 0);
}

/* message is all of it. */
static void is_refused(const struct command *command, const char *message)
{
    struct child child;

    child_run(parse, command, &child);
    assert_string_equal(child.err, message);
    assert_int_equal(child.status, 64);
}

#define TAKEN(...) is_taken(&(const struct command){__VA_ARGS__})
#define REFUSED(message, ...) is_refused(&(const struct command){.words = {__VA_ARGS__}}, message)

static void all_are_set(void)
{
    CHILD_EXPECT(strcmp(feed, "form") == 0);
    CHILD_EXPECT(strcmp(extra, "more") == 0);
    CHILD_EXPECT(strcmp(format, "csv") == 0);
    CHILD_EXPECT(sources.count == 2);
    CHILD_EXPECT(strcmp(sources.items[0], "a b") == 0);
    CHILD_EXPECT(strcmp(sources.items[1], "dbname=x") == 0);
    CHILD_EXPECT(since == CLOCK_DAY);
    CHILD_EXPECT(overlap == 900 * CLOCK_SECOND);
    CHILD_EXPECT(jobs == 4);
    CHILD_EXPECT(force);
}

static void options_may_stand_before_and_after_the_arguments(void **state)
{
    (void)state;
    TAKEN(.words = {"--source", "a b", "form", "--source=dbname=x", "--start", "1970-01-02",
                    "--overlap", "15min", "more", "--jobs", "4", "--force", "--format", "csv"},
          .check = all_are_set);
}

static void posixly_correct_changes_nothing(void **state)
{
    (void)state;
    setenv("POSIXLY_CORRECT", "1", 1);
    TAKEN(.words = {"form", "--source", "a b", "--source=dbname=x", "--start", "1970-01-02",
                    "--overlap", "15min", "more", "--jobs", "4", "--force", "--format", "csv"},
          .check = all_are_set);
    unsetenv("POSIXLY_CORRECT");
}

static void defaults_stay(void)
{
    CHILD_EXPECT(!extra && !format && !force && sources.count == 0);
    CHILD_EXPECT(jobs == 7);
}

static void what_is_not_given_keeps_its_default(void **state)
{
    (void)state;
    jobs = 7;
    TAKEN(.words = {"form"}, .check = defaults_stay);
    jobs = 0;
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    TAKEN(.words = {"--", "form"});
    TAKEN(.words = {"form", "--", "--force"});
    REFUSED("argument FEED is not an id; give up to 255 of A-Z a-z 0-9 _ . ~ : + / -, and not None,"
            " null or nan",
            "--", "a b");
}

static void a_beginning_that_fits_one_option_is_enough(void **state)
{
    (void)state;
    TAKEN(.words = {"form", "more", "--sou", "a b", "--source", "dbname=x", "--st", "1970-01-02",
                    "--over", "15min", "--j", "4", "--forc", "--form", "csv"},
          .check = all_are_set);
}

static void a_dash_is_standard_input_where_it_may_be(void **state)
{
    (void)state;
    TAKEN(.words = {"form", "--source", "-"}, .keeps_stdin = true);
    TAKEN(.words = {"form", "--source", "file", "--source", "-"}, .keeps_stdin = true);
    TAKEN(.words = {"form", "-"}, .keeps_stdin = true);
    REFUSED("option \"--format\" cannot be \"-\"; give NAME", "form", "--format", "-");
    REFUSED("option \"--key\" cannot be \"-\"; give KEY", "form", "--key", "-");
    REFUSED("standard input is named twice; it can be read once", "form", "--source", "-",
            "--source", "-");
    REFUSED("option \"--source\" cannot be read by this path; give \"-\"", "form", "--source",
            "/dev/stdin");
    REFUSED("option \"--format\" cannot be read by this path; give NAME", "form", "--format",
            "/dev/fd/0");
}

static void what_is_unknown_is_refused_without_its_value(void **state)
{
    (void)state;
    REFUSED("unrecognized option \"--password\"; see --help", "form", "--password=secret");
    REFUSED("unrecognized option \"--x\"; see --help", "form", "--x\nsecret");
    REFUSED("unrecognized option \"-p\"; see --help", "form", "-psecret");
    REFUSED("unrecognized option \"--0123456789012345678901234567890123456789\"; see --help",
            "--01234567890123456789012345678901234567890123456789");
    REFUSED("there are too many arguments; see --help", "form", "more", "secret");
    REFUSED("there are too many arguments; see --help", "--", "form", "more", "secret");
}

static void the_beginning_of_several_options_is_refused(void **state)
{
    (void)state;
    REFUSED("option \"--s\" is the beginning of several; write it out, see --help", "form",
            "--s=secret");
}

static void a_missing_argument_is_refused(void **state)
{
    (void)state;
    REFUSED("argument FEED is missing; see --help", "--force");
}

static void a_missing_value_is_refused(void **state)
{
    (void)state;
    REFUSED("option \"--source\" needs a value; write --source SPEC", "form", "--source");
}

static void a_flag_takes_no_value(void **state)
{
    (void)state;
    REFUSED("option \"--force\" takes no value; write it alone", "form", "--force=secret");
}

static void what_is_no_list_is_given_once(void **state)
{
    (void)state;
    REFUSED("option \"--jobs\" is given twice; give it once", "form", "--jobs", "1", "--jobs", "1");
    REFUSED("option \"--force\" is given twice; give it once", "form", "--force", "--force");
}

static void an_empty_value_is_refused(void **state)
{
    (void)state;
    REFUSED("option \"--source\" is empty; give SPEC or leave it out", "form", "--source", "");
    REFUSED("option \"--start\" is empty; give TIME or leave it out", "form", "--start=");
    REFUSED("argument FEED is empty; give FEED or leave it out", "");
}

static void an_id_is_never_no_filter(void **state)
{
    static const char message[] = "option \"--key\" is not an id; give up to 255 of A-Z a-z 0-9 _"
                                  " . ~ : + / -, and not None, null or nan";

    (void)state;
    TAKEN(.words = {"form", "--key", "manual__2026-01-01T00:00:00+00:00"});
    REFUSED(message, "form", "--key", "None");
    REFUSED(message, "form", "--key", "ok", "--key", "a b");
    REFUSED("option \"--key\" is empty; give KEY or leave it out", "form", "--key", "");
}

static void values_of_the_wrong_form_are_refused_unquoted(void **state)
{
    (void)state;
    REFUSED("option \"--start\" is not a time; write it like 2026-01-31T08:30:00Z or 2026-01-31",
            "form", "--start", "secret");
    REFUSED("option \"--start\" names a day or an hour that does not exist; correct it", "form",
            "--start", "2026-02-30");
    REFUSED("option \"--overlap\" is not a duration; write a number with s, min, h or d", "form",
            "--overlap", "1m");
    REFUSED("option \"--jobs\" is not an integer from 0; write digits only", "form", "--jobs",
            "-1");
    REFUSED("option \"--jobs\" is not an integer from 0; write digits only", "form", "--jobs",
            "99999999999999999999");
}

static const char *text;
static bool flag;

static const struct task_option two_of_a_name[] = {
    {.name = "x", .arg = "X", .help = "x", .to = &text},
    {.name = "x", .help = "x", .flag = &flag},
    {0},
};
static const struct task_option without_target[] = {{.name = "x", .arg = "X", .help = "x"}, {0}};
static const struct task_option two_targets[] = {
    {.name = "x", .arg = "X", .help = "x", .to = &text, .number = &jobs}, {0}};
static const struct task_option without_help[] = {{.name = "x", .arg = "X", .to = &text}, {0}};
static const struct task_option flag_with_value[] = {
    {.name = "x", .arg = "X", .help = "x", .flag = &flag}, {0}};
static const struct task_option value_without_placeholder[] = {
    {.name = "x", .help = "x", .to = &text}, {0}};

static int parse_table(const void *data)
{
    const struct option_group wrong[] = {{"Wrong", data}, {0}};
    char name[] = "task", *argv[] = {name, NULL};
    bool keeps_stdin;
    struct error err;

    return option_parse(wrong, 1, argv, &keeps_stdin, &err) ? 0 : 1;
}

static void a_table_that_contradicts_itself_is_a_bug(void **state)
{
    static const struct task_option *const tables[] = {without_target, two_targets, without_help,
                                                       flag_with_value, value_without_placeholder};
    struct child child;

    (void)state;
    child_run(parse_table, two_of_a_name, &child);
    assert_non_null(strstr(child.err, "option \"x\" is declared twice; report it"));
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        child_run(parse_table, tables[i], &child);
        assert_non_null(strstr(child.err, "option \"x\" is not declared in full; report it"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_before_and_after_the_arguments),
        cmocka_unit_test(posixly_correct_changes_nothing),
        cmocka_unit_test(what_is_not_given_keeps_its_default),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_beginning_that_fits_one_option_is_enough),
        cmocka_unit_test(a_dash_is_standard_input_where_it_may_be),
        cmocka_unit_test(what_is_unknown_is_refused_without_its_value),
        cmocka_unit_test(the_beginning_of_several_options_is_refused),
        cmocka_unit_test(a_missing_argument_is_refused),
        cmocka_unit_test(a_missing_value_is_refused),
        cmocka_unit_test(a_flag_takes_no_value),
        cmocka_unit_test(what_is_no_list_is_given_once),
        cmocka_unit_test(an_empty_value_is_refused),
        cmocka_unit_test(an_id_is_never_no_filter),
        cmocka_unit_test(values_of_the_wrong_form_are_refused_unquoted),
        cmocka_unit_test(a_table_that_contradicts_itself_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "base/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "task_call.h"

static const char *feed;
static struct task_list sources;

static const struct task_option feed_options[] = {
    {.arg = "FEED", .help = "feed", .to = &feed},
    {.name = "source", .arg = "SPEC", .help = "source", .list = &sources, .may_be_stdin = true},
    {0},
};

static void ids_are_of_a_closed_set_of_characters(void **state)
{
    static const char *const ids[] = {
        "1", "form", "manual__2026-01-01T00:00:00+00:00", "a.b~c/d", "nanny", "nullable", "-",
    };
    static const char *const others[] = {
        "",    "None", "none", "NONE", "null",        "Null", "NULL", "nan",
        "NaN", "a b",  "a'b",  "a\"b", "caf\xc3\xa9", "a;b",  "a\n",  "{}",
    };
    char longest[257];

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_true(task_is_id(ids[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(task_is_id(others[i]));
    memset(longest, 'x', sizeof longest - 1);
    longest[256] = '\0';
    assert_false(task_is_id(longest));
    longest[255] = '\0';
    assert_true(task_is_id(longest));
}

static void outside_of_a_task_the_name_is_the_suite_and_options_have_defaults(void **state)
{
    (void)state;
    assert_string_equal(task_name(), "factline");
    assert_int_equal(task_common()->lock_timeout, 60 * CLOCK_SECOND);
    assert_false(task_common()->quiet);
}

/* ---- help and version ---- */

static void help_lists_own_and_shared_options_and_ends_with_0(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.options = feed_options, .is_step = true}, .words = {"--help"});
    assert_int_equal(child.status, 0);
    assert_string_equal(child.err, "");
    assert_non_null(strstr(child.out, "Usage: load-staging FEED [OPTIONS]\nLoad one window.\n"));
    assert_non_null(strstr(child.out, "\n  --source SPEC"));
    assert_non_null(strstr(child.out, "\n  --batch-id ID"));
    assert_non_null(strstr(child.out, "\n  --run-key KEY"));
    assert_non_null(strstr(child.out, "\n  --lock-timeout DURATION"));
    assert_null(strstr(child.out, "--batch-file"));
}

static void help_shows_what_kind_of_task_it_is(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.is_step = true, .takes_batch = true}, .words = {"--help"});
    assert_non_null(strstr(child.out, "\n  --batch-file PATH"));
    CALL(&child, .task = {0}, .words = {"--help"});
    assert_null(strstr(child.out, "--run-key"));
    assert_null(strstr(child.out, "--batch-id"));
}

static void version_is_one_line(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.options = feed_options}, .words = {"--version"});
    assert_int_equal(child.status, 0);
    assert_string_equal(child.out, "load-staging (factline) " FACTLINE_VERSION "\n");
    assert_string_equal(child.err, "");
}

static void help_that_cannot_be_written_is_an_io_error(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .words = {"--help"}, .before = fill_output);
    has_failed(&child, 74,
               "load-staging: error: could not write to standard output: No space left"
               " on device; make room for it\n");
}

/* ---- the command line ---- */

static bool tell_options(struct result *result, struct error *err)
{
    const struct task_common *common = task_common();

    (void)err;
    result_set_text(result, "name", task_name());
    result_set_text(result, "run_key", common->run_key);
    result_set_text(result, "batch_id", common->batch_id);
    result_set_text(result, "batch_file", common->batch_file);
    result_set_int(result, "lock_timeout", common->lock_timeout);
    result_set_int(result, "try", common->try_number);
    result_set_int(result, "flags",
                   common->quiet + 10 * common->verbose + 100 * common->dry_run +
                       1000 * common->skip_if_empty + 10000 * common->force);
    return true;
}

#define TELL .task = {.is_step = true, .run = tell_options}
#define TELL_TAKING .task = {.is_step = true, .takes_batch = true, .run = tell_options}

static void shared_options_reach_the_task(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL,
         .words = {"--run-key", "k", "--batch-id", "7", "--lock-timeout", "2min", "--dry-run",
                   "--quiet", "--skip-if-empty", "--force"});
    assert_string_equal(child.out,
                        "{\"name\":\"load-staging\",\"run_key\":\"k\",\"batch_id\":\"7\","
                        "\"batch_file\":null,\"lock_timeout\":120000000,\"try\":0,"
                        "\"flags\":11101}\n");
    assert_int_equal(child.status, 0);
}

static void usage_errors_are_64_with_one_line(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.options = feed_options}, .words = {"--quiet"});
    assert_string_equal(child.err, "load-staging: error: argument FEED is missing; see --help\n");
    assert_int_equal(child.status, 64);
    CALL(&child, .words = {"form"});
    has_failed(&child, 64, "load-staging: error: there are too many arguments; see --help\n");
    CALL(&child, .words = {"--run-key", "x"}); /* no step */
    has_failed(&child, 64, "load-staging: error: unrecognized option \"--run-key\"; see --help\n");
}

static void options_that_exclude_each_other_are_refused(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL, .words = {"--quiet", "--verbose"});
    has_failed(&child, 64,
               "load-staging: error: --quiet and --verbose exclude each other; give one"
               " of them\n");
    CALL(&child, TELL_TAKING, .words = {"--batch-id", "1", "--batch-file", "x"});
    has_failed(&child, 64,
               "load-staging: error: --batch-id and --batch-file exclude each other;"
               " give one of them\n");
}

static void the_lock_timeout_is_one_that_the_server_can_keep(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL, .words = {"--lock-timeout", "25d"});
    has_failed(&child, 64,
               "load-staging: error: option \"--lock-timeout\" is longer than the"
               " server can wait; give at most 24d\n");
    CALL(&child, TELL, .words = {"--lock-timeout", "0"}); /* the server's 0 is for ever */
    assert_non_null(strstr(child.out, "\"lock_timeout\":1000,"));
}

static void a_batch_from_standard_input_is_for_tasks_that_take_one(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL_TAKING, .words = {"--batch-id", "-"});
    assert_non_null(strstr(child.out, "\"batch_id\":\"-\""));
    CALL(&child, TELL_TAKING, .words = {"--batch-file", "step.json"});
    assert_non_null(strstr(child.out, "\"batch_file\":\"step.json\""));
    CALL(&child, TELL, .words = {"--batch-id", "-"});
    has_failed(&child, 64, "load-staging: error: option \"--batch-id\" cannot be \"-\"; give ID\n");
}

/* ---- Airflow ---- */

static void be_in_a_dag_run(void)
{
    setenv("AIRFLOW_CTX_DAG_ID", "commcare_form", 1);
    setenv("AIRFLOW_CTX_DAG_RUN_ID", "manual__2026-01-01T00:00:00+00:00", 1);
    setenv("AIRFLOW_CTX_TRY_NUMBER", "3", 1);
}

static void be_in_half_a_dag_run(void)
{
    be_in_a_dag_run();
    setenv("AIRFLOW_CTX_DAG_RUN_ID", "", 1);
    setenv("AIRFLOW_CTX_TRY_NUMBER", "x", 1);
}

static void be_in_an_odd_run(void)
{
    be_in_a_dag_run();
    setenv("AIRFLOW_CTX_DAG_RUN_ID", "my run", 1);
}

static void be_in_an_odd_dag(void)
{
    be_in_a_dag_run();
    setenv("AIRFLOW_CTX_DAG_ID", "None", 1);
}

static void the_run_key_is_that_of_the_dag_run(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL, .before = be_in_a_dag_run);
    assert_non_null(
        strstr(child.out, "\"run_key\":\"commcare_form/manual__2026-01-01T00:00:00+00:00\""));
    assert_non_null(strstr(child.out, "\"try\":3,"));
    CALL(&child, TELL, .words = {"--run-key", "mine"}, .before = be_in_a_dag_run);
    assert_non_null(strstr(child.out, "\"run_key\":\"mine\""));
}

static void half_a_dag_run_is_none(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL, .before = be_in_half_a_dag_run);
    assert_non_null(strstr(child.out, "\"run_key\":null"));
    assert_non_null(strstr(child.out, "\"try\":0,"));
}

static void what_is_no_step_has_no_run_key(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, .task = {.run = tell_options}, .before = be_in_an_odd_run);
    assert_non_null(strstr(child.out, "\"run_key\":null"));
}

static void a_dag_run_that_makes_no_key_is_named_by_its_variable(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL, .before = be_in_an_odd_run);
    has_failed(&child, 64,
               "load-staging: error: variable AIRFLOW_CTX_DAG_RUN_ID is not a key (up to"
               " 255 of A-Z a-z 0-9 _ . ~ : + / -); pass --run-key\n");
    CALL(&child, TELL, .before = be_in_an_odd_dag);
    assert_non_null(strstr(child.err, "variable AIRFLOW_CTX_DAG_ID is not a key"));
}

static void an_odd_dag_run_does_no_harm_where_the_batch_is_named(void **state)
{
    struct child child;

    (void)state;
    CALL(&child, TELL, .words = {"--batch-id", "7"}, .before = be_in_an_odd_run);
    assert_non_null(strstr(child.out, "\"run_key\":null"));
    CALL(&child, TELL_TAKING, .words = {"--batch-file", "f"}, .before = be_in_an_odd_run);
    assert_int_equal(child.status, 0);
    CALL(&child, TELL, .words = {"--run-key", "mine"}, .before = be_in_an_odd_run);
    assert_non_null(strstr(child.out, "\"run_key\":\"mine\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_of_a_closed_set_of_characters),
        cmocka_unit_test(outside_of_a_task_the_name_is_the_suite_and_options_have_defaults),
        cmocka_unit_test(help_lists_own_and_shared_options_and_ends_with_0),
        cmocka_unit_test(help_shows_what_kind_of_task_it_is),
        cmocka_unit_test(version_is_one_line),
        cmocka_unit_test(help_that_cannot_be_written_is_an_io_error),
        cmocka_unit_test(shared_options_reach_the_task),
        cmocka_unit_test(usage_errors_are_64_with_one_line),
        cmocka_unit_test(options_that_exclude_each_other_are_refused),
        cmocka_unit_test(the_lock_timeout_is_one_that_the_server_can_keep),
        cmocka_unit_test(a_batch_from_standard_input_is_for_tasks_that_take_one),
        cmocka_unit_test(the_run_key_is_that_of_the_dag_run),
        cmocka_unit_test(half_a_dag_run_is_none),
        cmocka_unit_test(what_is_no_step_has_no_run_key),
        cmocka_unit_test(a_dag_run_that_makes_no_key_is_named_by_its_variable),
        cmocka_unit_test(an_odd_dag_run_does_no_harm_where_the_batch_is_named),
    };

    /* A test may itself run under Airflow. */
    unsetenv("AIRFLOW_CTX_DAG_ID");
    unsetenv("AIRFLOW_CTX_DAG_RUN_ID");
    unsetenv("AIRFLOW_CTX_TRY_NUMBER");
    return cmocka_run_group_tests(tests, NULL, NULL);
}

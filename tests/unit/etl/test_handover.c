/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=task_common */
#include "etl/handover.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/result.h"
#include "base/task.h"

#define LINE(id, workflow)                                                     \
    "{\"schema_version\":1,\"step\":\"load-staging\",\"workflow\":\"" workflow \
    "\",\"batch_id\":\"" id "\",\"status\":\"done\"}\n"

static char path[64];

/* What the command line said. */
static struct task_common given;
const struct task_common *__wrap_task_common(void);
const struct task_common *__wrap_task_common(void)
{
    return &given;
}

static void put(const char *text, size_t length)
{
    snprintf(path, sizeof path, "/tmp/factline-handover.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    close(fd);
}

static char *read_back(const char *text, struct error *err)
{
    put(text, strlen(text));
    char *id = handover_read(path, "form", err);
    unlink(path);
    return id;
}

static void assert_refused(const char *text, enum status status, const char *part)
{
    struct error err = {0};
    assert_null(read_back(text, &err));
    assert_int_equal(err.status, status);
    if (!strstr(err.message, part))
        fail_msg("no \"%s\" in \"%s\"", part, err.message);
}

static void the_line_names_the_batch(void **state)
{
    struct error err = {0};
    char *id = read_back(LINE("42", "form"), &err);
    (void)state;
    assert_string_equal(id, "42");
    free(id);
}

static void a_line_may_lack_its_end(void **state)
{
    struct error err = {0};
    char *id = read_back("{\"workflow\":\"f\\u006frm\",\"batch_id\":\"4\\u0032\"}", &err);
    (void)state;
    assert_string_equal(id, "42");
    free(id);
}

static void nothing_to_do_has_no_batch(void **state)
{
    struct error err = {0};
    char *id = read_back(LINE("", "form"), &err);
    (void)state;
    assert_string_equal(id, "");
    free(id);
}

static void nothing_there_is_the_failure_of_the_step_before(void **state)
{
    (void)state;
    assert_refused("", STATUS_IO, "the step before");
}

static void what_is_no_result_line_is_refused(void **state)
{
    (void)state;
    assert_refused("batch 42\n", STATUS_USAGE, "result line");
    assert_refused("\n", STATUS_USAGE, "result line");
    assert_refused("{}", STATUS_USAGE, "result line");
    assert_refused("[]", STATUS_USAGE, "result line");
    assert_refused("{\"batch_id\":42,\"workflow\":\"form\"}", STATUS_USAGE, "result line");
    assert_refused("{\"batch_id\":\"42\"}", STATUS_USAGE, "result line");
    assert_refused(LINE("42", "form") LINE("43", "form"), STATUS_USAGE, "result line");
}

static void the_line_of_another_workflow_is_refused(void **state)
{
    (void)state;
    assert_refused(LINE("42", "synclog"), STATUS_USAGE, "\"form\"");
    assert_refused(LINE("42", "forms"), STATUS_USAGE, "\"form\"");
    assert_refused(LINE("42", "for"), STATUS_USAGE, "\"form\"");
}

static void a_file_that_is_missing_or_too_long_is_told(void **state)
{
    struct error err = {0};
    char *text = mem_alloc(RESULT_MAX + 2);
    (void)state;
    assert_null(handover_read("/tmp/factline-no-such-folder/result.json", "form", &err));
    assert_int_equal(err.status, STATUS_IO);
    err = (struct error){0};
    memset(text, ' ', RESULT_MAX + 1);
    assert_null(read_back(text, &err));
    assert_int_equal(err.status, STATUS_IO);
    free(text);
}

static char *find(struct task_common common, bool expected, struct error *err)
{
    char *id = NULL;
    given = common;
    assert_true(handover_find("form", &id, err) == expected);
    return id;
}

static void a_dash_is_standard_input(void **state)
{
    struct error err = {0};
    (void)state;
    put(LINE("42", "form"), strlen(LINE("42", "form")));
    int kept = dup(STDIN_FILENO), fd = open(path, O_RDONLY);
    dup2(fd, STDIN_FILENO);
    char *id = find((struct task_common){.batch_id = "-"}, true, &err);
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(fd);
    unlink(path);
    assert_string_equal(id, "42");
    free(id);
}

static void the_command_line_names_the_batch_or_the_run_key_does(void **state)
{
    struct error err = {0};
    (void)state;
    char *id = find((struct task_common){.batch_id = "7", .run_key = "k"}, true, &err);
    assert_string_equal(id, "7");
    free(id);
    put(LINE("42", "form"), strlen(LINE("42", "form")));
    id = find((struct task_common){.batch_file = path, .run_key = "k"}, true, &err);
    unlink(path);
    assert_string_equal(id, "42");
    free(id);
    assert_null(find((struct task_common){.run_key = "k"}, true, &err));
    assert_null(find((struct task_common){0}, false, &err));
    assert_int_equal(err.status, STATUS_USAGE);
    assert_null(
        find((struct task_common){.batch_file = "/tmp/factline-no-such-folder/x"}, false, &err));
    assert_int_equal(err.status, STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_names_the_batch),
        cmocka_unit_test(a_line_may_lack_its_end),
        cmocka_unit_test(nothing_to_do_has_no_batch),
        cmocka_unit_test(nothing_there_is_the_failure_of_the_step_before),
        cmocka_unit_test(what_is_no_result_line_is_refused),
        cmocka_unit_test(the_line_of_another_workflow_is_refused),
        cmocka_unit_test(a_file_that_is_missing_or_too_long_is_told),
        cmocka_unit_test(a_dash_is_standard_input),
        cmocka_unit_test(the_command_line_names_the_batch_or_the_run_key_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

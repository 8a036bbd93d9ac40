/* SPDX-License-Identifier: MIT
 *
 * What the declarations of all pipelines say of tables and of the order of the steps, against a
 * migrated warehouse. Nothing here names a pipeline.
 */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "etl_world.h"

/* ---- words ---- */

/* Whether word is one of the blank-separated words of list. */
static bool has_word(const char *list, const char *word, size_t length)
{
    while (*list) {
        size_t own = strcspn(list, " ");
        if (own == length && memcmp(list, word, length) == 0)
            return true;
        list += own + strspn(list + own, " ");
    }
    return false;
}

static void assert_table(const char *name, size_t length)
{
    char text[256];
    snprintf(text, sizeof text, "SELECT to_regclass('%.*s') IS NOT NULL", (int)length, name);
    if (strcmp(world_value(text), "t") != 0)
        fail_msg("a declaration names %.*s, which is no table", (int)length, name);
}

/* ---- steps ---- */

static void assert_tables(const char *list)
{
    while (*list) {
        size_t length = strcspn(list, " ");
        assert_table(list, length);
        list += length + strspn(list + length, " ");
    }
}

/* The tables of ours that a statement names, itself or through views, separated by blanks. */
static const char *find_used(const char *text)
{
    static const char *const schemas[] = {"staging.", "warehouse.", NULL};
    struct str question;
    str_init(&question);
    str_add_text(&question,
                 "WITH RECURSIVE used AS (SELECT to_regclass(name)::oid AS id FROM unnest('{");
    for (const char *const *schema = schemas; *schema; schema++)
        for (const char *at = text; (at = strstr(at, *schema)) != NULL; at++)
            str_add_format(&question, "%.*s,",
                           (int)strspn(at, "abcdefghijklmnopqrstuvwxyz_.0123456789"), at);
    str_add_text(
        &question,
        "none.none}'::text[]) AS named (name) UNION"
        " SELECT depend.refobjid FROM used JOIN pg_rewrite AS rule ON rule.ev_class = used.id"
        " JOIN pg_depend AS depend ON depend.classid = 'pg_rewrite'::regclass"
        " AND depend.objid = rule.oid AND depend.refclassid = 'pg_class'::regclass)"
        " SELECT string_agg(relnamespace::regnamespace || '.' || relname, ' ') FROM used"
        " JOIN pg_class ON pg_class.oid = used.id AND relkind IN ('r', 'p')");
    const char *used = world_value(question.text);
    str_release(&question);
    return used;
}

/* A function of the schema may use what its caller does not name. */
static bool calls_a_function(const char *text)
{
    static const char *const schemas[] = {"staging.", "warehouse.", "etl.", NULL};
    for (const char *const *schema = schemas; *schema; schema++)
        for (const char *at = text; (at = strstr(at, *schema)) != NULL; at++)
            if (at[strspn(at, "abcdefghijklmnopqrstuvwxyz_.0123456789")] == '(')
                return true;
    return false;
}

/* Every word of list is one of a or b. */
static void assert_among(const char *list, const char *a, const char *b, const struct sql *sql,
                         const char *what)
{
    while (*list) {
        size_t length = strcspn(list, " ");
        if (!has_word(a, list, length) && !has_word(b, list, length))
            fail_msg("statement \"%s\": %.*s is %s", sql->name, (int)length, list, what);
        list += length + strspn(list + length, " ");
    }
}

static void assert_step(const struct pipeline_step *step)
{
    assert_true(step->meaning && step->meaning[0]);
    assert_tables(step->reads);
    assert_tables(step->writes);
    const char *used = find_used(step->sql->text);
    assert_among(used, step->reads, step->writes, step->sql, "used and not declared by its step");
    if (calls_a_function(step->sql->text))
        return;
    assert_among(step->reads, used, "", step->sql, "declared by its step and not used");
    assert_among(step->writes, used, "", step->sql, "declared by its step and not used");
}

/* What a list of steps reads and a step of it writes was written by an earlier one. */
static void assert_order(const struct pipeline_step *const *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (const char *word = steps[i]->reads; *word;) {
            size_t length = strcspn(word, " ");
            bool is_written = false, is_before = false;
            for (size_t k = 0; k < count; k++)
                if (k != i && has_word(steps[k]->writes, word, length)) {
                    is_written = true;
                    is_before = is_before || k < i;
                }
            if (is_written && !is_before)
                fail_msg("step \"%s\" reads %.*s before a later step writes it",
                         steps[i]->sql->name, (int)length, word);
            word += length + strspn(word + length, " ");
        }
    }
}

static void assert_steps(const struct pipeline_step *members, const struct pipeline_step *steps,
                         const char *target, const char *change_log)
{
    const struct pipeline_step *all[64];
    size_t count = 0;
    bool has_target = false, has_log = change_log == NULL;
    for (; members && members->sql; members++)
        all[count++] = members;
    for (const struct pipeline_step *step = steps; step->sql; step++) {
        all[count++] = step;
        has_target = has_target || has_word(step->writes, target, strlen(target));
        has_log = has_log || has_word(step->writes, change_log, strlen(change_log));
    }
    for (size_t i = 0; i < count; i++)
        assert_step(all[i]);
    assert_order(all, count);
    if (!has_target || !has_log)
        fail_msg("no step writes %s", has_target ? change_log : target);
}

static void the_steps_of_a_feed_are_in_order_and_name_their_tables(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            char staging[128];
            snprintf(staging, sizeof staging, "staging.%s", (*feed)->name);
            assert_table(staging, strlen(staging));
            assert_table((*feed)->target, strlen((*feed)->target));
            assert_steps((*feed)->members, (*feed)->steps, (*feed)->target, (*feed)->change_log);
            assert_true(has_word((*feed)->steps[0].reads, staging, strlen(staging)));
        }
}

static void the_steps_of_a_derivation_are_in_order_and_name_their_tables(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        const struct derivation *const *derivation = (*pipeline)->derivations;
        for (; derivation && *derivation; derivation++) {
            assert_steps(NULL, (*derivation)->changed, (*derivation)->target, NULL);
            assert_steps(NULL, (*derivation)->all, (*derivation)->target, NULL);
        }
    }
}

/* ---- what belongs together ---- */

static void a_derivation_reads_the_change_logs_of_its_sources(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        const struct derivation *const *derivation = (*pipeline)->derivations;
        for (; derivation && *derivation; derivation++) {
            assert_non_null((*derivation)->sources[0]);
            for (const char *const *source = (*derivation)->sources; *source; source++) {
                const struct feed *feed = pipeline_find_feed(*source);
                bool is_read = false;
                assert_non_null(feed);
                assert_non_null(feed->change_log);
                const struct pipeline_step *step = (*derivation)->changed;
                for (; step->sql; step++)
                    is_read = is_read ||
                              has_word(step->reads, feed->change_log, strlen(feed->change_log));
                assert_true(is_read);
            }
        }
    }
}

static void a_verification_looks_at_the_table_of_its_workflow(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        const struct verification *const *verification = (*pipeline)->verifications;
        for (; verification && *verification; verification++) {
            const struct derivation *const *derivation = (*pipeline)->derivations;
            while (*derivation && *derivation != (*verification)->derivation)
                derivation++;
            assert_non_null(*derivation);
            const char *target = (*derivation)->target;
            assert_true(
                has_word(find_used((*verification)->compare->text), target, strlen(target)));
        }
    }
}

static void a_change_log_is_kept_by_batch_and_read_by_somebody(void **state)
{
    char text[512];
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            if (!(*feed)->change_log)
                continue;
            snprintf(
                text, sizeof text,
                "SELECT count(*) > 0 FROM pg_index JOIN pg_attribute ON attrelid = indrelid"
                " AND attnum = indkey[0] AND attname = 'batch_id' WHERE indrelid = '%s'::regclass",
                (*feed)->change_log);
            assert_value(text, "t");
            snprintf(text, sizeof text,
                     "SELECT count(*) > 0 FROM etl.consumer WHERE source_workflow = '%s'",
                     (*feed)->name);
            assert_value(text, "t");
        }
}

static void a_deletion_has_one_key_to_go_by(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            int keys = 0;
            for (const struct field *field = (*feed)->fields; field->path; field++) {
                keys += field->is_key;
                if (field->is_key)
                    assert_true(field->type == FIELD_TEXT && field->column != NULL);
                if (field->is_modified)
                    assert_true(field->type == FIELD_TIME || field->type == FIELD_NEWEST);
                if (field->is_partition)
                    assert_true(field->type == FIELD_TIME && field->required);
                assert_true((field->type == FIELD_OBJECTS || field->type == FIELD_EXTRACT) ==
                            (field->elements != NULL));
                assert_true(!field->grammar || field->type == FIELD_TEXT);
                assert_true(!field->within || field->grammar);
                assert_true((field->type == FIELD_NEWEST) == (field->element != NULL));
                assert_true((field->when_true != NULL) == (field->when_false != NULL));
            }
            if ((*feed)->is_couch)
                assert_int_equal(keys, 1);
        }
}

/* ---- names ---- */

static void a_workflow_has_one_meaning_over_all_pipelines(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            assert_ptr_equal(pipeline_find_feed((*feed)->name), *feed);
            assert_ptr_equal(pipeline_of_workflow((*feed)->name), *pipeline);
        }
        const struct derivation *const *derivation = (*pipeline)->derivations;
        for (; derivation && *derivation; derivation++) {
            assert_null(pipeline_find_feed((*derivation)->workflow));
            assert_ptr_equal(pipeline_of_workflow((*derivation)->workflow), *pipeline);
            assert_ptr_equal(pipeline_find_derivation((*derivation)->task, (*derivation)->argument),
                             *derivation);
        }
        const struct verification *const *verification = (*pipeline)->verifications;
        for (; verification && *verification; verification++)
            assert_ptr_equal(pipeline_find_verification((*verification)->task), *verification);
    }
}

static void the_ledger_knows_what_is_compiled_in(void **state)
{
    char text[512];
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            snprintf(text, sizeof text,
                     "SELECT concat_ws(' ', pipeline, kind, target, change_log) FROM etl.workflow"
                     " JOIN etl.target ON target.name = target WHERE workflow.name = '%s'",
                     (*feed)->name);
            char expected[512];
            snprintf(expected, sizeof expected, "%s feed %s%s%s", (*pipeline)->name,
                     (*feed)->target, (*feed)->change_log ? " " : "",
                     (*feed)->change_log ? (*feed)->change_log : "");
            assert_value(text, expected);
        }
        const struct derivation *const *derivation = (*pipeline)->derivations;
        for (; derivation && *derivation; derivation++) {
            snprintf(text, sizeof text,
                     "SELECT kind || ' ' || target FROM etl.workflow WHERE name = '%s'",
                     (*derivation)->workflow);
            char expected[256];
            snprintf(expected, sizeof expected, "derived %s", (*derivation)->target);
            assert_value(text, expected);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_steps_of_a_feed_are_in_order_and_name_their_tables),
        TEST(the_steps_of_a_derivation_are_in_order_and_name_their_tables),
        TEST(a_derivation_reads_the_change_logs_of_its_sources),
        TEST(a_verification_looks_at_the_table_of_its_workflow),
        TEST(a_change_log_is_kept_by_batch_and_read_by_somebody),
        TEST(a_deletion_has_one_key_to_go_by),
        TEST(a_workflow_has_one_meaning_over_all_pipelines),
        TEST(the_ledger_knows_what_is_compiled_in),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

/* SPDX-License-Identifier: MIT */
/* link: -Wl,--wrap=db_run,--wrap=db_query,--wrap=db_begin,--wrap=db_commit,--wrap=db_explain */
/* link: -Wl,--wrap=db_rows_count,--wrap=db_rows_free */
#include "etl/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../io/expect_bug.h"
#include "base/str.h"

/* ---- a connection that writes down what it is asked ---- */

static struct {
    struct str said;
    int fail_at;
    size_t rows;
} fake;

bool __wrap_db_run(struct db *db, const struct sql *sql, const struct db_value *values,
                   struct result *counts, struct error *err);
struct db_rows *__wrap_db_query(struct db *db, const struct sql *sql, const struct db_value *values,
                                struct error *err);
bool __wrap_db_begin(struct db *db, struct error *err);
bool __wrap_db_commit(struct db *db, struct error *err);
bool __wrap_db_explain(struct db *db, const struct sql *sql, const struct db_value *values,
                       int *scans, struct error *err);
size_t __wrap_db_rows_count(const struct db_rows *rows);
void __wrap_db_rows_free(struct db_rows *rows);

static bool hear(const char *what, struct error *err)
{
    str_add_format(&fake.said, "%s%s", fake.said.length > 0 ? " " : "", what);
    return fake.fail_at == 0 || --fake.fail_at > 0 ||
           error_set(err, STATUS_TEMPORARY, "lost; try again");
}

bool __wrap_db_run(struct db *db, const struct sql *sql, const struct db_value *values,
                   struct result *counts, struct error *err)
{
    (void)db;
    assert_string_equal(values[0].name, "batch_id");
    if (!hear(sql->name, err))
        return false;
    result_add(counts, "rows_inserted", 2);
    return true;
}

struct db_rows *__wrap_db_query(struct db *db, const struct sql *sql, const struct db_value *values,
                                struct error *err)
{
    static int rows;
    (void)db;
    if (!hear(sql->name, err) || !hear(values[0].text, err))
        return NULL;
    return (struct db_rows *)(void *)&rows;
}

bool __wrap_db_begin(struct db *db, struct error *err)
{
    (void)db;
    return hear("begin", err);
}

bool __wrap_db_commit(struct db *db, struct error *err)
{
    (void)db;
    return hear("commit", err);
}

bool __wrap_db_explain(struct db *db, const struct sql *sql, const struct db_value *values,
                       int *scans, struct error *err)
{
    (void)db;
    (void)values;
    *scans = 1;
    return hear("explain", err) && hear(sql->name, err);
}

size_t __wrap_db_rows_count(const struct db_rows *rows)
{
    (void)rows;
    return fake.rows;
}

void __wrap_db_rows_free(struct db_rows *rows)
{
    (void)rows;
}

static const struct sql first = {.name = "first", .text = "SELECT 1;"};
static const struct sql second = {.name = "second", .text = "SELECT 2;"};
static const struct pipeline_step steps[] = {{.sql = &first}, {.sql = &second}, {0}};
static const struct db_value values[] = {{"batch_id", "1"}, {0}};

static int set_up(void **state)
{
    (void)state;
    str_init(&fake.said);
    fake.fail_at = 0;
    fake.rows = 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    str_release(&fake.said);
    return 0;
}

/* ---- running ---- */

static void statements_run_in_order_and_their_counts_add_up(void **state)
{
    struct error err = {0};
    struct result counts;
    (void)state;
    result_init(&counts);
    assert_true(step_run_all(NULL, steps, values, &counts, &err));
    assert_string_equal(fake.said.text, "first second");
    assert_int_equal(result_get_int(&counts, "rows_inserted"), 4);
    result_release(&counts);
}

static void the_first_failure_ends_the_list(void **state)
{
    struct error err = {0};
    struct result counts;
    (void)state;
    result_init(&counts);
    fake.fail_at = 1;
    assert_false(step_run_all(NULL, steps, values, &counts, &err));
    assert_string_equal(fake.said.text, "first");
    assert_int_equal(err.status, STATUS_TEMPORARY);
    result_release(&counts);
}

static void no_list_is_an_empty_one(void **state)
{
    struct error err = {0};
    (void)state;
    assert_true(step_run_all(NULL, NULL, values, NULL, &err));
    assert_true(step_run_apart(NULL, NULL, values, NULL, &err));
    assert_true(step_show_all(NULL, NULL, values, &err));
    assert_int_equal(fake.said.length, 0);
}

static void apart_each_has_a_transaction_of_its_own(void **state)
{
    struct error err = {0};
    struct result counts;
    (void)state;
    result_init(&counts);
    assert_true(step_run_apart(NULL, steps, values, &counts, &err));
    assert_string_equal(fake.said.text, "begin first commit begin second commit");
    assert_int_equal(result_get_int(&counts, "rows_inserted"), 4);
    result_release(&counts);
}

static void apart_the_first_failure_ends_the_list(void **state)
{
    static const char *const said[] = {"begin", "begin first", "begin first commit",
                                       "begin first commit begin"};
    (void)state;
    for (int n = 1; n <= 4; n++) {
        struct error err = {0};
        struct result counts;
        result_init(&counts);
        str_clear(&fake.said);
        fake.fail_at = n;
        assert_false(step_run_apart(NULL, steps, values, &counts, &err));
        assert_string_equal(fake.said.text, said[n - 1]);
        result_release(&counts);
    }
}

/* ---- the lock ---- */

static void a_target_is_locked_by_its_name(void **state)
{
    struct error err = {0};
    (void)state;
    assert_true(step_lock_target(NULL, "warehouse.form_fact", &err));
    assert_string_equal(fake.said.text, "target_lock warehouse.form_fact");
    fake.fail_at = 1;
    assert_false(step_lock_target(NULL, "warehouse.form_fact", &err));
    assert_int_equal(err.status, STATUS_TEMPORARY);
}

static void lock_unregistered(void *data)
{
    struct error err = {0};
    (void)data;
    fake.rows = 0;
    step_lock_target(NULL, "warehouse.unheard", &err);
}

static void a_target_that_no_migration_entered_is_a_bug(void **state)
{
    (void)state;
    expect_bug(lock_unregistered, NULL, "not registered");
}

/* ---- --dry-run and the result ---- */

static void showing_explains_each_and_runs_none(void **state)
{
    struct error err = {0};
    int scans = 0;
    (void)state;
    assert_true(step_show(NULL, &first, values, &scans, &err));
    assert_int_equal(scans, 1);
    str_clear(&fake.said);
    assert_true(step_show_all(NULL, steps, values, &err));
    assert_string_equal(fake.said.text, "explain first explain second");
    fake.fail_at = 3;
    str_clear(&fake.said);
    assert_false(step_show_all(NULL, steps, values, &err));
    assert_string_equal(fake.said.text, "explain first explain");
}

static void a_report_has_the_named_counts_in_their_order(void **state)
{
    static const char *const names[] = {"rows_staged", "rows_older", "rows_inserted", NULL};
    struct result counts, result;
    struct str line;
    (void)state;
    result_init(&counts);
    result_init(&result);
    str_init(&line);
    result_add(&counts, "rows_inserted", 3);
    result_add(&counts, "rows_of_no_interest", 9);
    result_add(&counts, "rows_staged", 5);
    step_report(&result, &counts, names);
    result_format(&result, &line);
    assert_string_equal(line.text, "{\"rows_staged\":5,\"rows_older\":0,\"rows_inserted\":3}\n");
    str_release(&line);
    result_release(&counts);
    result_release(&result);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statements_run_in_order_and_their_counts_add_up),
        TEST(the_first_failure_ends_the_list),
        TEST(no_list_is_an_empty_one),
        TEST(apart_each_has_a_transaction_of_its_own),
        TEST(apart_the_first_failure_ends_the_list),
        TEST(a_target_is_locked_by_its_name),
        TEST(a_target_that_no_migration_entered_is_a_bug),
        TEST(showing_explains_each_and_runs_none),
        TEST(a_report_has_the_named_counts_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

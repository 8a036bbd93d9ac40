/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "expect_bug.h"
#include "io/db_private.h"

static const struct sql_param params[] = {{"since", "timestamptz"}, {"limit", "bigint"}};
static const struct sql statement = {
    .name = "form_fact", .text = "SELECT 1", .params = params, .param_count = 2};
static struct error err;

static void declared_types_have_their_oids(void **state)
{
    (void)state;
    assert_int_equal(db_type_oid("bigint"), 20);
    assert_int_equal(db_type_oid("integer"), 23);
    assert_int_equal(db_type_oid("text"), 25);
    assert_int_equal(db_type_oid("boolean"), 16);
    assert_int_equal(db_type_oid("timestamptz"), 1184);
    assert_int_equal(db_type_oid("interval"), 1186);
    assert_int_equal(db_type_oid("text[]"), 1009);
    assert_int_equal(db_type_oid("bigint[]"), 1016);
    assert_int_equal(db_type_oid("bytea"), 17);
    assert_int_equal(db_type_oid("jsonb"), 3802);
}

static void ask_unknown_type(void *data)
{
    (void)data;
    db_type_oid("money");
}

static void an_unknown_type_is_a_bug(void **state)
{
    (void)state;
    expect_bug(ask_unknown_type, NULL, "unknown type \"money\"");
}

static void values_are_found_by_name(void **state)
{
    (void)state;
    static const struct db_value values[] = {
        {"other", "x"}, {"limit", "7"}, {"since", NULL}, {NULL, NULL}};
    assert_string_equal(db_find_value(&statement, &params[1], values), "7");
    assert_null(db_find_value(&statement, &params[0], values));
}

static void run_without_limit(void *data)
{
    static const struct db_value values[] = {{"since", "-infinity"}, {NULL, NULL}};
    struct db db = {0};
    (void)data;
    db_run(&db, &statement, values, NULL, &err);
}

static void run_without_values(void *data)
{
    struct db db = {0};
    (void)data;
    db_run(&db, &statement, NULL, NULL, &err);
}

static void run_with_a_missing_parameter_names_the_statement(void **state)
{
    (void)state;
    expect_bug(run_without_limit, NULL, "statement \"form_fact\" was given no \"limit\"");
    expect_bug(run_without_values, NULL, "statement \"form_fact\" was given no \"since\"");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_types_have_their_oids),
        cmocka_unit_test(an_unknown_type_is_a_bug),
        cmocka_unit_test(values_are_found_by_name),
        cmocka_unit_test(run_with_a_missing_parameter_names_the_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

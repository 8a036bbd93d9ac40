/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "expect_bug.h"
#include "io/db_private.h"

static const char *const source_variables[] = {
    "SOURCE_PGHOST",     "SOURCE_PGPORT",    "SOURCE_PGDATABASE", "SOURCE_PGUSER",
    "SOURCE_PGPASSWORD", "SOURCE_PGSERVICE", "SOURCE_PGSSLMODE",
};

static int clear_variables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof source_variables / sizeof source_variables[0]; i++)
        unsetenv(source_variables[i]);
    return 0;
}

static void assert_identity(const char *spec, const char *expected)
{
    struct error err = {0};
    struct str identity;
    str_init(&identity);
    if (!db_source_identity(spec, &identity, &err))
        fail_msg("%s", err.message);
    assert_string_equal(identity.text, expected);
    assert_int_equal(err.status, STATUS_OK);
    str_release(&identity);
}

static void assert_refused(const char *spec, enum status status, const char *part)
{
    struct error err = {0};
    struct str identity;
    str_init(&identity);
    assert_false(db_source_identity(spec, &identity, &err));
    assert_int_equal(err.status, status);
    if (!strstr(err.message, part))
        fail_msg("no \"%s\" in \"%s\"", part, err.message);
    assert_null(strstr(err.message, "s3cret"));
    assert_int_equal(identity.length, 0);
    str_release(&identity);
}

static void a_spec_is_told_from_a_file(void **state)
{
    (void)state;
    assert_true(db_is_source_spec("host=h dbname=d"));
    assert_true(db_is_source_spec("postgres://h/d"));
    assert_true(db_is_source_spec("postgresql://h/d"));
    assert_false(db_is_source_spec("forms.ndjson"));
    assert_false(db_is_source_spec("-"));
    assert_false(db_is_source_spec("postgres"));
    assert_false(db_is_source_spec("mysql://h/d"));
}

static void an_identity_is_host_port_and_database(void **state)
{
    (void)state;
    assert_identity("host=h dbname=d", "h:5432/d");
    assert_identity("host=h port=6000 dbname=d user=u", "h:6000/d");
    assert_identity("postgres://u@h:77/d", "h:77/d");
    assert_identity("postgresql://h/d?sslmode=require", "h:5432/d");
    assert_identity("hostaddr=10.0.0.1 dbname=d", "10.0.0.1:5432/d");
    assert_identity("host=h hostaddr=10.0.0.1 dbname=d", "h:5432/d");
    assert_identity("host=/run/pg dbname=d", "/run/pg:5432/d");
}

static void several_hosts_stay_together_as_given(void **state)
{
    (void)state;
    assert_identity("host=a,b port=1,2 dbname=d", "a,b:1,2/d");
    assert_identity("host=a,b port=7 dbname=d", "a,b:7/d");
    assert_identity("host=a,b port=,2 dbname=d", "a,b:,2/d");
}

static void a_service_is_its_name_and_what_stands_beside_it(void **state)
{
    (void)state;
    assert_identity("service=s", "service:s");
    assert_identity("service=s dbname=d", "service:s/d");
    assert_identity("service=s dbname=e", "service:s/e");
    assert_identity("service=s host=h port=7 dbname=d", "service:s/h:7/d");
    assert_identity("service=s port=7", "service:s/:7");
    assert_identity("service=s host=h", "service:s/h:");
}

static void the_variables_name_a_source_without_spec(void **state)
{
    (void)state;
    setenv("SOURCE_PGHOST", "h", 1);
    setenv("SOURCE_PGDATABASE", "d", 1);
    setenv("SOURCE_PGPASSWORD", "s3cret", 1);
    setenv("SOURCE_PGUSER", "u", 1);
    assert_identity(NULL, "h:5432/d");
    setenv("SOURCE_PGPORT", "99", 1);
    assert_identity(NULL, "h:99/d");
    setenv("SOURCE_PGHOST", "", 1);
    setenv("SOURCE_PGPORT", "", 1);
    setenv("SOURCE_PGDATABASE", "", 1);
    setenv("SOURCE_PGSERVICE", "s", 1);
    assert_identity(NULL, "service:s");
}

static void variables_that_name_no_source_are_refused(void **state)
{
    (void)state;
    assert_refused(NULL, STATUS_USAGE, "nothing names the source");
    setenv("SOURCE_PGHOST", "h", 1);
    assert_refused(NULL, STATUS_USAGE, "set SOURCE_PGDATABASE");
    setenv("SOURCE_PGDATABASE", "d", 1);
    setenv("SOURCE_PGPORT", "70000", 1);
    assert_refused(NULL, STATUS_CONFIG, "SOURCE_PGPORT");
}

static void a_spec_that_names_no_place_is_refused(void **state)
{
    (void)state;
    assert_refused("dbname=d", STATUS_USAGE, "no host");
    assert_refused("host=h", STATUS_USAGE, "add dbname=");
    assert_refused("postgres://h", STATUS_USAGE, "add dbname=");
    assert_refused("host=h dbname=d port=0", STATUS_USAGE, "port");
    assert_refused("host=h dbname=d port=65536", STATUS_USAGE, "port");
    assert_refused("host=h dbname=d port=123456", STATUS_USAGE, "port");
    assert_refused("host=h dbname=d port=x", STATUS_USAGE, "port");
    assert_refused("host=h dbname=d port=1,2", STATUS_USAGE, "port");
}

static void a_malformed_spec_is_never_quoted(void **state)
{
    (void)state;
    assert_refused("host=h dbname=d s3cret", STATUS_USAGE, "no valid connection string");
    assert_refused("postgres://u:s3cret@[::1/d", STATUS_USAGE, "no valid connection string");
    assert_refused("s3cret=1", STATUS_USAGE, "no valid connection string");
    assert_refused("postgres://u:s3cret%zz@h/d", STATUS_USAGE, "no valid connection string");
}

static void a_password_in_a_spec_is_refused(void **state)
{
    (void)state;
    assert_refused("host=h dbname=d password=s3cret", STATUS_USAGE, "SOURCE_PGPASSWORD");
    assert_refused("postgres://u:s3cret@h/d", STATUS_USAGE, "SOURCE_PGPASSWORD");
    assert_refused("postgres://h/d?password=s3cret", STATUS_USAGE, "SOURCE_PGPASSWORD");
    assert_refused("host=h dbname=d sslpassword=s3cret", STATUS_USAGE, "SOURCE_PGPASSWORD");
    assert_refused("host=h dbname=d password=''", STATUS_USAGE, "SOURCE_PGPASSWORD");
}

static void a_connection_string_within_a_name_is_refused(void **state)
{
    (void)state;
    assert_refused("host=h dbname='password=s3cret'", STATUS_USAGE, "plain names");
    assert_refused("host=postgres://u:s3cret@h dbname=d", STATUS_USAGE, "plain names");
    assert_refused("service='password=s3cret'", STATUS_USAGE, "plain names");
    setenv("SOURCE_PGHOST", "h", 1);
    setenv("SOURCE_PGDATABASE", "postgres://u:s3cret@h/d", 1);
    assert_refused(NULL, STATUS_USAGE, "plain names");
}

static void the_variables_complete_a_spec_but_do_not_overrule_it(void **state)
{
    (void)state;
    struct db_params params = {0};
    struct error err = {0};
    setenv("SOURCE_PGHOST", "other", 1);
    setenv("SOURCE_PGUSER", "from_variable", 1);
    setenv("SOURCE_PGPASSWORD", "s3cret", 1);
    setenv("SOURCE_PGSSLMODE", "verify-full", 1);
    assert_true(db_source_params("host=h dbname=d", &params, NULL, &err));
    assert_string_equal(db_params_get(&params, "host"), "h");
    assert_string_equal(db_params_get(&params, "user"), "from_variable");
    assert_string_equal(db_params_get(&params, "password"), "s3cret");
    assert_string_equal(db_params_get(&params, "sslmode"), "verify-full");
    assert_null(db_params_get(&params, "port"));
    db_params_release(&params);

    assert_true(
        db_source_params("host=h dbname=d user=given sslmode=disable", &params, NULL, &err));
    assert_string_equal(db_params_get(&params, "user"), "given");
    assert_string_equal(db_params_get(&params, "sslmode"), "disable");
    db_params_release(&params);
}

static void a_parameter_set_again_keeps_its_place(void **state)
{
    (void)state;
    struct db_params params = {0};
    db_params_set(&params, "host", "a");
    db_params_set(&params, "port", "1");
    db_params_set(&params, "host", "b");
    assert_int_equal(params.count, 2);
    assert_string_equal(params.keywords[0], "host");
    assert_string_equal(params.values[0], "b");
    assert_null(params.keywords[2]);
    db_params_release(&params);
}

static void set_too_many(void *data)
{
    struct db_params *params = data;
    char keyword[24];
    for (int i = 0; i <= DB_PARAMS_MAX; i++) {
        snprintf(keyword, sizeof keyword, "keyword%d", i);
        db_params_set(params, keyword, "");
    }
}

static void more_parameters_than_libpq_knows_are_a_bug(void **state)
{
    (void)state;
    struct db_params params = {0};
    expect_bug(set_too_many, &params, "connection parameters");
}

static void the_warehouse_is_hidden_and_comes_back(void **state)
{
    (void)state;
    setenv("PGHOST", "warehouse", 1);
    setenv("PGPASSWORD", "s3cret=1", 1);
    setenv("PGOPTIONS", "", 1);
    setenv("PGPASSFILE", "/dev/null", 1);
    setenv("PGSSLROOTCERT", "/dev/null", 1);
    setenv("PAGER", "less", 1);
    struct db_hidden *hidden = db_hide_environment();
    assert_null(getenv("PGHOST"));
    assert_null(getenv("PGPASSWORD"));
    assert_null(getenv("PGOPTIONS"));
    assert_string_equal(getenv("PGPASSFILE"), "/dev/null");
    assert_string_equal(getenv("PGSSLROOTCERT"), "/dev/null");
    assert_string_equal(getenv("PAGER"), "less");
    db_restore_environment(hidden);
    assert_string_equal(getenv("PGHOST"), "warehouse");
    assert_string_equal(getenv("PGPASSWORD"), "s3cret=1");
    assert_string_equal(getenv("PGOPTIONS"), "");
}

#define TEST(name) cmocka_unit_test_setup(name, clear_variables)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_spec_is_told_from_a_file),
        TEST(an_identity_is_host_port_and_database),
        TEST(several_hosts_stay_together_as_given),
        TEST(a_service_is_its_name_and_what_stands_beside_it),
        TEST(the_variables_name_a_source_without_spec),
        TEST(variables_that_name_no_source_are_refused),
        TEST(a_spec_that_names_no_place_is_refused),
        TEST(a_malformed_spec_is_never_quoted),
        TEST(a_password_in_a_spec_is_refused),
        TEST(a_connection_string_within_a_name_is_refused),
        TEST(the_variables_complete_a_spec_but_do_not_overrule_it),
        TEST(a_parameter_set_again_keeps_its_place),
        TEST(more_parameters_than_libpq_knows_are_a_bug),
        TEST(the_warehouse_is_hidden_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

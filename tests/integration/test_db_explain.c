/* SPDX-License-Identifier: MIT
 *
 * Plans, and statements that do or do not fit their declaration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "db_fixture.h"

static const struct sql_param since[] = {{"since", "timestamptz"}};

/* What a call writes to standard error. */
static char said[8192];

static int begin_listening(FILE *file)
{
    fflush(NULL);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    return saved;
}

static void end_listening(FILE *file, int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
}

static void explain(const struct sql *sql, const struct db_value *values, int *scans)
{
    FILE *file = tmpfile();
    int saved = begin_listening(file);
    bool ok = db_explain(db, sql, values, scans, &err);
    end_listening(file, saved);
    assert_done(ok);
}

static void make_table(void)
{
    run(db, "CREATE TABLE io_test.form (id bigint PRIMARY KEY, received_on timestamptz)");
    run(db, "INSERT INTO io_test.form (id) SELECT g FROM pg_catalog.generate_series(1, 10000) g");
    run(db, "ANALYZE io_test.form");
}

/* ---- plans ---- */

static void a_sequential_scan_is_counted(void **state)
{
    (void)state;
    int scans = 7;
    make_table();
    explain(SQL("SELECT id FROM io_test.form UNION ALL SELECT id FROM io_test.form"), NULL, &scans);
    assert_int_equal(scans, 2);
    assert_non_null(strstr(said, "plan sql=test"));
    assert_non_null(strstr(said, "Seq Scan on form"));
    explain(SQL("SELECT id FROM io_test.form WHERE id = 1"), NULL, &scans);
    assert_int_equal(scans, 0);
    explain(SQL("SELECT id FROM io_test.form"), NULL, NULL);
}

static void a_plan_shows_no_value(void **state)
{
    (void)state;
    int scans;
    static const struct sql sql = {.name = "form",
                                   .text = "SELECT id FROM io_test.form WHERE received_on > $1;",
                                   .params = since,
                                   .param_count = 1};
    static const struct db_value values[] = {{"since", "2026-01-02 03:04:05+00"}, {NULL, NULL}};
    make_table();
    explain(&sql, values, &scans);
    assert_int_equal(scans, 1);
    assert_null(strstr(said, "2026-01-02 03"));
    assert_null(strstr(said, "Filter"));
}

static void a_copy_is_explained_by_its_query(void **state)
{
    (void)state;
    int scans = 0;
    static const struct sql sql = {
        .name = "form",
        .text = "-- What changed; a (parenthesis.\n"
                "-- setting since timestamptz\n"
                "/* and ) another */ COPY -- here\n ("
                "SELECT id, ')' AS \"a)b\" -- not this )\n"
                "  FROM io_test.form /* nor this ) */\n"
                " WHERE received_on > current_setting('factline.since')::timestamptz"
                "   AND id = ANY (ARRAY(SELECT (1)::bigint))\n"
                ") TO STDOUT (FORMAT binary);\n",
        .params = since,
        .param_count = 1,
        .is_copy = true};
    static const struct db_value values[] = {{"since", "-infinity"}, {NULL, NULL}};
    make_table();
    assert_done(db_begin(db, &err));
    explain(&sql, values, &scans);
    assert_int_equal(scans, 0);
    assert_non_null(strstr(said, "Index Scan using form_pkey on form"));
    assert_done(db_check(db, &sql, &err));
}

static void a_copy_into_a_table_has_no_plan(void **state)
{
    (void)state;
    int scans = 7;
    explain(COPY("COPY io_test.form (id) FROM STDIN"), NULL, &scans);
    assert_int_equal(scans, 0);
    assert_string_equal(said, "");
}

static void what_cannot_be_planned_is_refused(void **state)
{
    (void)state;
    assert_fails(db_explain(db, SQL("SELECT id FROM io_test.nothing"), NULL, NULL, &err),
                 STATUS_CONFIG);
    /* Brackets, quotes and comments that never end. */
    assert_done(db_explain(db, COPY("COPY (SELECT 1"), NULL, NULL, &err));
    assert_done(db_explain(db, COPY("COPY (SELECT '"), NULL, NULL, &err));
    assert_done(db_explain(db, COPY("COPY (SELECT /*"), NULL, NULL, &err));
}

/* ---- checks ---- */

static void a_statement_that_fits_passes(void **state)
{
    (void)state;
    static const struct sql_param params[] = {{"id", "bigint"}, {"since", "timestamptz"}};
    static const struct sql sql = {.name = "form",
                                   .text = "SELECT id FROM io_test.form"
                                           " WHERE id = $1 AND received_on > $2;",
                                   .params = params,
                                   .param_count = 2};
    make_table();
    assert_done(db_check(db, &sql, &err));
}

static void a_parameter_of_another_type_is_named(void **state)
{
    (void)state;
    static const struct sql_param params[] = {{"id", "text"}};
    static const struct sql sql = {.name = "form",
                                   .text = "SELECT id FROM io_test.form WHERE id = $1",
                                   .params = params,
                                   .param_count = 1};
    make_table();
    assert_fails(db_check(db, &sql, &err), STATUS_BUG);
    assert_string_equal(err.message,
                        "statement \"form\" takes \"id\" as another type (oid 20) than the "
                        "declared text; declare or cast it");
}

static void a_parameter_too_many_is_counted(void **state)
{
    (void)state;
    static const struct sql sql = {
        .name = "one", .text = "SELECT 1 AS n", .params = since, .param_count = 1};
    assert_fails(db_check(db, &sql, &err), STATUS_BUG);
    assert_string_equal(err.message, "statement \"one\" takes 0 parameters, 1 are declared");
}

static void a_statement_that_does_not_prepare_is_refused(void **state)
{
    (void)state;
    assert_fails(db_check(db, SQL("SELECT id FROM io_test.nothing"), &err), STATUS_CONFIG);
}

static void a_copy_into_a_table_is_checked_and_leaves_nothing(void **state)
{
    (void)state;
    make_table();
    assert_done(db_check(db, COPY("COPY io_test.form (id) FROM STDIN (FORMAT binary)"), &err));
    assert_fails(db_check(db, COPY("COPY io_test.form (nothing) FROM STDIN"), &err), STATUS_CONFIG);
    assert_string_equal(ask(db, "SELECT pg_catalog.count(*) AS value FROM io_test.form"), "10000");
}

static void a_setting_that_is_not_read_is_named(void **state)
{
    (void)state;
    static const struct sql sql = {.name = "form",
                                   .text = "COPY (SELECT current_setting('factline.since2')) TO"
                                           " STDOUT",
                                   .params = since,
                                   .param_count = 1,
                                   .is_copy = true};
    assert_fails(db_check(db, &sql, &err), STATUS_BUG);
    assert_string_equal(err.message, "statement \"form\" does not read its setting \"since\"");
}

static void a_copy_into_a_table_with_settings_is_checked(void **state)
{
    (void)state;
    static const struct sql sql = {.name = "form",
                                   .text = "COPY io_test.form (id) FROM STDIN"
                                           " WHERE id > current_setting('factline.since')::bigint",
                                   .params = since,
                                   .param_count = 1,
                                   .is_copy = true};
    make_table();
    assert_done(db_check(db, &sql, &err));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_sequential_scan_is_counted),
        TEST(a_plan_shows_no_value),
        TEST(a_copy_is_explained_by_its_query),
        TEST(a_copy_into_a_table_has_no_plan),
        TEST(what_cannot_be_planned_is_refused),
        TEST(a_statement_that_fits_passes),
        TEST(a_parameter_of_another_type_is_named),
        TEST(a_parameter_too_many_is_counted),
        TEST(a_statement_that_does_not_prepare_is_refused),
        TEST(a_copy_into_a_table_is_checked_and_leaves_nothing),
        TEST(a_setting_that_is_not_read_is_named),
        TEST(a_copy_into_a_table_with_settings_is_checked),
    };
    log_open("test", LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "fake_server.h"
#include "io/db_private.h"

static int clear_environment(void **state)
{
    (void)state;
    static const char *const names[] = {
        "PGHOST",
        "PGHOSTADDR",
        "PGPORT",
        "PGDATABASE",
        "PGUSER",
        "PGPASSWORD",
        "PGSERVICE",
        "PGSERVICEFILE",
        "PGSSLMODE",
        "PGCONNECT_TIMEOUT",
        "PGOPTIONS",
        "SOURCE_PGHOST",
        "SOURCE_PGPASSWORD",
        "SOURCE_PGDATABASE",
        "SOURCE_PGSERVICE",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv("PGHOST", "/nonexistent", 1);
    setenv("PGPASSFILE", "/dev/null/none", 1);
    interrupt_install();
    return 0;
}

static void assert_fails(enum status status, const char *message)
{
    struct error err = {0};
    struct db *db = db_open(&err);
    assert_null(db);
    assert_string_equal(err.message, message);
    assert_int_equal(err.status, status);
}

/* ---- refused by a server ---- */

static const char *sqlstate_to_send;

static void refuse_startup(int fd)
{
    fake_read_startup(fd);
    fake_error(fd, "SCHWERWIEGEND", sqlstate_to_send, "Passwort s3cret ist falsch", "", 0);
    fake_wait_for_end(fd);
}

static void assert_refused(const char *sqlstate, enum status status, const char *message)
{
    sqlstate_to_send = sqlstate;
    fake_start(refuse_startup);
    struct error err = {0};
    struct db *db = db_open(&err);
    fake_stop();
    assert_null(db);
    assert_string_equal(err.message, message);
    assert_int_equal(err.status, status);
    assert_string_equal(err.sqlstate, sqlstate);
}

static void a_refusal_is_told_by_its_sqlstate_in_any_language(void **state)
{
    (void)state;
    assert_refused("28P01", STATUS_PERMISSION,
                   "could not connect to the warehouse (SQLSTATE 28P01); check PGUSER and the "
                   "password file");
    assert_refused("28000", STATUS_PERMISSION,
                   "could not connect to the warehouse (SQLSTATE 28000); check PGUSER and the "
                   "password file");
    assert_refused("42501", STATUS_PERMISSION,
                   "could not connect to the warehouse (SQLSTATE 42501); grant the role CONNECT on "
                   "the database");
    assert_refused("3D000", STATUS_CONFIG,
                   "could not connect to the warehouse (SQLSTATE 3D000); check PGDATABASE");
    assert_refused("53300", STATUS_TEMPORARY,
                   "could not connect to the warehouse (SQLSTATE 53300); run the step again");
    assert_refused("57P03", STATUS_TEMPORARY,
                   "could not connect to the warehouse (SQLSTATE 57P03); run the step again");
    assert_refused("XX000", STATUS_UNAVAILABLE,
                   "could not connect to the warehouse (SQLSTATE XX000); check PGHOST and PGPORT, "
                   "and that the server runs");
}

static void a_source_is_named_as_such(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate, *message;
    } cases[] = {
        {"28P01", "could not connect to the source (SQLSTATE 28P01); check the source's user, "
                  "SOURCE_PGPASSWORD and the password file"},
        {"3D000", "could not connect to the source (SQLSTATE 3D000); check the name of the "
                  "source's database"},
        {"XX000", "could not connect to the source (SQLSTATE XX000); check the source's host and "
                  "port, and that its server runs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        sqlstate_to_send = cases[i].sqlstate;
        fake_start(refuse_startup);
        setenv("SOURCE_PGHOST", fake.folder, 1);
        setenv("SOURCE_PGDATABASE", "d", 1);
        struct db *db = db_open_source(NULL, &err);
        fake_stop();
        assert_null(db);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void close_at_once(int fd)
{
    fake_read_startup(fd);
}

static void a_server_that_hangs_up_is_unavailable(void **state)
{
    (void)state;
    fake_start(close_at_once);
    assert_fails(STATUS_UNAVAILABLE, "could not connect to the warehouse; check PGHOST and PGPORT, "
                                     "and that the server runs");
    fake_stop();
}

/* ---- passwords ---- */

static void ask_password(int fd)
{
    fake_read_startup(fd);
    fake_ask_password(fd);
    fake_read_message(fd, "p");
    fake_error(fd, "FATAL", "28P01", "password s3cret", "", 0);
    fake_wait_for_end(fd);
}

static void a_missing_password_is_permission(void **state)
{
    (void)state;
    fake_start(ask_password);
    assert_fails(STATUS_PERMISSION, "could not connect to the warehouse, which asks for a "
                                    "password; check PGUSER and the password file");
    fake_stop();
}

static void a_wrong_password_is_permission_and_is_not_shown(void **state)
{
    (void)state;
    fake_start(ask_password);
    setenv("PGPASSWORD", "s3cret", 1);
    assert_fails(STATUS_PERMISSION, "could not connect to the warehouse (SQLSTATE 28P01); check "
                                    "PGUSER and the password file");
    fake_stop();
}

static void greet_with_password(int fd)
{
    fake_read_startup(fd);
    fake_ask_password(fd);
    fake_read_message(fd, "p");
    fake_welcome(fd);
    for (int i = 0; i < 2; i++) {
        fake_read_query(fd);
        fake_complete(fd, "SELECT 1", 'I');
    }
    fake_wait_for_end(fd);
}

static void the_warehouses_password_does_not_reach_the_source(void **state)
{
    (void)state;
    struct error err = {0};
    char spec[128];
    fake_start(greet_with_password);
    setenv("PGPASSWORD", "s3cret", 1);
    snprintf(spec, sizeof spec, "host=%s dbname=d user=u", fake.folder);
    struct db *db = db_open_source(spec, &err);
    fake_stop();
    assert_null(db);
    assert_string_equal(err.message,
                        "could not connect to the source, which asks for a password; check the "
                        "source's user, SOURCE_PGPASSWORD and the password file");
    assert_string_equal(getenv("PGPASSWORD"), "s3cret");
}

static void the_source_has_a_password_of_its_own(void **state)
{
    (void)state;
    struct error err = {0};
    char spec[128];
    fake_start(greet_with_password);
    setenv("SOURCE_PGPASSWORD", "s3cret", 1);
    snprintf(spec, sizeof spec, "host=%s dbname=d user=u", fake.folder);
    struct db *db = db_open_source(spec, &err);
    if (!db)
        fail_msg("%s", err.message);
    db_close(db);
    fake_stop();
}

/* ---- no server, and wrong parameters ---- */

static void no_server_is_unavailable(void **state)
{
    (void)state;
    assert_fails(STATUS_UNAVAILABLE, "could not connect to the warehouse; check PGHOST and PGPORT, "
                                     "and that the server runs");
}

static void assert_unusable(const char *name, const char *value)
{
    setenv(name, value, 1);
    assert_fails(STATUS_CONFIG, "connection parameters of the warehouse cannot be used; check the "
                                "PG variables and the service file");
    unsetenv(name);
}

static void parameters_that_libpq_cannot_use_are_configuration(void **state)
{
    (void)state;
    assert_unusable("PGPORT", "s3cret");
    assert_unusable("PGPORT", "0");
    assert_unusable("PGPORT", "70000");
    assert_unusable("PGPORT", "1,2");
    assert_unusable("PGSSLMODE", "s3cret");
    assert_unusable("PGSERVICE", "s3cret");
    assert_unusable("PGCONNECT_TIMEOUT", "s3cret");
    assert_unusable("PGHOSTADDR", "127.0.0.1,127.0.0.2");
}

static void a_source_with_unusable_parameters_is_configuration(void **state)
{
    (void)state;
    struct error err = {0};
    assert_null(db_open_source("host=/nonexistent dbname=d sslmode=s3cret", &err));
    assert_int_equal(err.status, STATUS_CONFIG);
    assert_string_equal(err.message, "connection parameters of the source cannot be used; check "
                                     "--source, the SOURCE_PG variables and the service file");
}

static void a_source_without_a_name_is_not_connected_to(void **state)
{
    (void)state;
    struct error err = {0};
    assert_null(db_open_source("dbname=d", &err));
    assert_int_equal(err.status, STATUS_USAGE);
}

/* ---- time and stops ---- */

static void say_nothing(int fd)
{
    fake_read_startup(fd);
    fake_wait_for_end(fd);
}

static void a_silent_server_is_given_up_in_time(void **state)
{
    (void)state;
    fake_start(say_nothing);
    setenv("PGCONNECT_TIMEOUT", "1", 1);
    int64_t started = clock_monotonic();
    assert_fails(STATUS_UNAVAILABLE, "could not connect to the warehouse in time; check PGHOST and "
                                     "PGPORT, and that the server runs");
    int64_t passed = clock_monotonic() - started;
    fake_stop();
    assert_in_range(passed, 1900000, 9000000);
}

static void answer_with_patience(int fd)
{
    fake_greet(fd);
    fake_wait_for_end(fd);
}

static void a_timeout_of_any_size_connects(void **state)
{
    (void)state;
    static const char *const timeouts[] = {"0", "-1", "5", "2000000000"};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        struct error err = {0};
        fake_start(answer_with_patience);
        setenv("PGCONNECT_TIMEOUT", timeouts[i], 1);
        struct db *db = db_open(&err);
        if (!db)
            fail_msg("%s", err.message);
        db_close(db);
        fake_stop();
    }
}

static void signal_and_say_nothing(int fd)
{
    fake_read_startup(fd);
    fake_signal_client();
    fake_wait_for_end(fd);
}

static void a_stop_ends_the_wait(void **state)
{
    (void)state;
    fake_start(signal_and_say_nothing);
    assert_fails(STATUS_INTERRUPTED,
                 "stopped while connecting to the warehouse; run the step again");
    fake_stop();
}

static void notice_and_greet(int fd)
{
    fake_read_startup(fd);
    fake_welcome(fd);
    fake_send(fd, 'N', "SNOTICE\0VNOTICE\0C00000\0Ms3cret\0", 32);
    for (int i = 0; i < 2; i++) {
        fake_read_query(fd);
        fake_complete(fd, "SELECT 1", 'I');
    }
    fake_wait_for_end(fd);
}

static void a_notice_is_dropped(void **state)
{
    (void)state;
    struct error err = {0};
    char said[256];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    fake_start(notice_and_greet);
    struct db *db = db_open(&err);
    fake_stop();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    assert_non_null(db);
    db_close(db);
    assert_string_equal(said, "");
}

#define TEST(name) cmocka_unit_test_setup(name, clear_environment)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_refusal_is_told_by_its_sqlstate_in_any_language),
        TEST(a_source_is_named_as_such),
        TEST(a_server_that_hangs_up_is_unavailable),
        TEST(a_missing_password_is_permission),
        TEST(a_wrong_password_is_permission_and_is_not_shown),
        TEST(the_warehouses_password_does_not_reach_the_source),
        TEST(the_source_has_a_password_of_its_own),
        TEST(no_server_is_unavailable),
        TEST(parameters_that_libpq_cannot_use_are_configuration),
        TEST(a_source_with_unusable_parameters_is_configuration),
        TEST(a_source_without_a_name_is_not_connected_to),
        TEST(a_silent_server_is_given_up_in_time),
        TEST(a_timeout_of_any_size_connects),
        TEST(a_stop_ends_the_wait),
        TEST(a_notice_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

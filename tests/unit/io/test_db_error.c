/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_server.h"
#include "io/db_private.h"

static const struct sql statement = {.name = "form_fact", .text = "SELECT 1"};

/* ---- statuses ---- */

static void assert_status(bool is_source, enum status expected, const char *sqlstates)
{
    char sqlstate[6] = "";
    for (; *sqlstates; sqlstates += sqlstates[5] == ' ' ? 6 : 5) {
        memcpy(sqlstate, sqlstates, 5);
        if (db_status_of(sqlstate, is_source) != expected)
            fail_msg("%s gives %d", sqlstate, db_status_of(sqlstate, is_source));
    }
}

static void what_may_work_next_time_is_temporary(void **state)
{
    (void)state;
    assert_status(false, STATUS_TEMPORARY,
                  "40001 40P01 55P03 57014 57P01 57P02 57P03 57P04 57P05 23505 53100 53200 53300 "
                  "25P03 25P04 08006 08P01");
}

static void what_was_refused_is_permission(void **state)
{
    (void)state;
    assert_status(false, STATUS_PERMISSION, "28000 28P01 42501");
}

static void what_is_missing_is_configuration(void **state)
{
    (void)state;
    assert_status(false, STATUS_CONFIG, "3D000 3F000 42P01 42703 42883 42P07 42710 25006");
}

static void the_servers_own_files_are_input_and_output(void **state)
{
    (void)state;
    assert_status(false, STATUS_IO, "58030 58P01");
}

static void a_value_is_the_sources_fault_only_there(void **state)
{
    (void)state;
    assert_status(true, STATUS_DATA, "22P02 22012 22021");
    assert_status(false, STATUS_BUG, "22P02 22012 22021");
}

static void all_else_is_a_bug(void **state)
{
    (void)state;
    assert_status(false, STATUS_BUG, "42601 23502 23514 25P02 XX000 P0001 55000 40002");
    assert_status(true, STATUS_BUG, "42601 25P02 XX000");
}

static void our_functions_name_their_status(void **state)
{
    (void)state;
    assert_int_equal(db_status_of("FL064", false), STATUS_USAGE);
    assert_int_equal(db_status_of("FL065", false), STATUS_DATA);
    assert_int_equal(db_status_of("FL075", true), STATUS_TEMPORARY);
    assert_int_equal(db_status_of("FL079", false), STATUS_STALE);
    assert_int_equal(db_status_of("FL000", false), STATUS_BUG);
    assert_int_equal(db_status_of("FL128", false), STATUS_BUG);
    assert_int_equal(db_status_of("FLxyz", false), STATUS_BUG);
}

/* ---- messages ---- */

/* Opens the server of script and has it refuse the statement. */
static struct error refusal(void (*script)(int fd), bool is_source)
{
    struct error err = {0};
    fake_start(script);
    struct db *db = db_open(&err);
    if (!db)
        fail_msg("%s", err.message);
    db->is_source = is_source;
    assert_false(db_run(db, &statement, NULL, NULL, &err));
    db_close(db);
    fake_stop();
    assert_null(strstr(err.message, "s3cret"));
    return err;
}

static const char objects[] = "Dkey (id)=(s3cret)\0sstaging\0tform\0ccolumn_a\0ncheck_b\0dtype_c";

static void refuse_objects(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_error(fd, "ERROR", "23502", "null value s3cret", objects, sizeof objects);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_refusal_names_the_objects_and_never_the_text(void **state)
{
    (void)state;
    struct error err = refusal(refuse_objects, false);
    assert_string_equal(err.message,
                        "warehouse refused statement \"form_fact\" (SQLSTATE 23502, table "
                        "\"staging.form\", column \"column_a\", constraint \"check_b\", type "
                        "\"type_c\"); report it");
    assert_string_equal(err.sqlstate, "23502");
    assert_int_equal(err.status, STATUS_BUG);
}

static void refuse_table(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_error(fd, "ERROR", "42501", "s3cret", "tform", 6);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void a_table_without_schema_is_named_alone(void **state)
{
    (void)state;
    struct error err = refusal(refuse_table, false);
    assert_string_equal(err.message, "warehouse refused statement \"form_fact\" (SQLSTATE 42501, "
                                     "table \"form\"); grant the role what the README lists");
}

static void refuse_by_function(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_error(fd, "ERROR", "FL065", "batch has no rows; load it again", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void our_functions_speak_for_themselves(void **state)
{
    (void)state;
    struct error err = refusal(refuse_by_function, false);
    assert_int_equal(err.status, STATUS_DATA);
    assert_string_equal(err.message, "batch has no rows; load it again");
    assert_string_equal(err.sqlstate, "FL065");
}

/* One script for many refusals: the state is the one that this holds. */
static const char *sqlstate_to_send;

static void refuse_plainly(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_error(fd, "ERROR", sqlstate_to_send, "s3cret", "", 0);
    fake_ready(fd, 'I');
    fake_wait_for_end(fd);
}

static void each_status_has_its_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        bool is_source;
        const char *remedy;
    } cases[] = {
        {"40001", false, "; run the step again"},
        {"55P03", false, "; another session held the lock, run the step again"},
        {"42P01", false, "; run migrate-warehouse"},
        {"42P01", true, "; look whether its tables and columns are those of the feed"},
        {"42P07", false, "a database of its own"},
        {"25006", false, "; connect to the primary server"},
        {"22P02", true, "; correct the value at the source"},
        {"58030", false, "; run the step again"},
        {"XX000", true, "; report it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sqlstate_to_send = cases[i].sqlstate;
        struct error err = refusal(refuse_plainly, cases[i].is_source);
        if (!strstr(err.message, cases[i].remedy))
            fail_msg("no \"%s\" in \"%s\"", cases[i].remedy, err.message);
        assert_ptr_equal(strstr(err.message, cases[i].is_source ? "source" : "warehouse"),
                         err.message);
    }
}

static void close_early(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
}

static void a_lost_connection_is_temporary(void **state)
{
    (void)state;
    struct error err = refusal(close_early, false);
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_string_equal(err.message, "connection to the warehouse was lost in statement "
                                     "\"form_fact\"; run the step again");
    assert_string_equal(err.sqlstate, "");
}

static void die_with_a_word(int fd)
{
    fake_greet(fd);
    fake_read_query(fd);
    fake_error(fd, "FATAL", "57P01", "s3cret", "", 0);
}

static void the_servers_last_word_is_the_cause(void **state)
{
    (void)state;
    struct error err = refusal(die_with_a_word, false);
    assert_int_equal(err.status, STATUS_TEMPORARY);
    assert_string_equal(err.sqlstate, "57P01");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_work_next_time_is_temporary),
        cmocka_unit_test(what_was_refused_is_permission),
        cmocka_unit_test(what_is_missing_is_configuration),
        cmocka_unit_test(the_servers_own_files_are_input_and_output),
        cmocka_unit_test(a_value_is_the_sources_fault_only_there),
        cmocka_unit_test(all_else_is_a_bug),
        cmocka_unit_test(our_functions_name_their_status),
        cmocka_unit_test(a_refusal_names_the_objects_and_never_the_text),
        cmocka_unit_test(a_table_without_schema_is_named_alone),
        cmocka_unit_test(our_functions_speak_for_themselves),
        cmocka_unit_test(each_status_has_its_remedy),
        cmocka_unit_test(a_lost_connection_is_temporary),
        cmocka_unit_test(the_servers_last_word_is_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

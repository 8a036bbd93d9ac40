/* SPDX-License-Identifier: MIT
 *
 * Over all statements and all feeds there are; nothing here names a pipeline. The source databases
 * are made from tests/sample/<pipeline>/schema/.
 */
/* link: -Wl,--wrap=task_common,--wrap=task_name,--wrap=db_begin,--wrap=db_begin_snapshot */
/* link: -Wl,--wrap=db_commit,--wrap=db_run,--wrap=db_query,--wrap=db_explain,--wrap=copy_open */
/* link: -Wl,--wrap=copy_end,--wrap=copy_relay,--wrap=db_set_label,--wrap=reject_open */
/* link: -Wl,--wrap=db_open_source,--wrap=db_run_schema,--wrap=db_open */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "etl_sql.h"
#include "etl_world.h"

/* ---- sources ---- */

static int is_sql(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".sql") == 0;
}

/* Makes the source database in the shape of the pipeline's sources; its SPEC. */
static const char *make_source_of(const struct pipeline *pipeline)
{
    char folder[1024], path[512];
    struct dirent **entries;
    const char *root = getenv("FACTLINE_ROOT"), *spec = world_make_source();
    snprintf(path, sizeof path, "tests/sample/%s/schema", pipeline->name);
    snprintf(folder, sizeof folder, "%s/%s", root ? root : ".", path);
    int count = scandir(folder, &entries, is_sql, alphasort);
    if (count <= 0)
        fail_msg("no *.sql in %s: the shape of the sources of \"%s\"", path, pipeline->name);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "tests/sample/%s/schema/%s", pipeline->name,
                 entries[i]->d_name);
        world_source_file(path);
        free(entries[i]);
    }
    free(entries);
    return spec;
}

static bool has_sources(const struct pipeline *pipeline)
{
    for (const struct feed *const *feed = pipeline->feeds; *feed; feed++)
        if ((*feed)->source)
            return true;
    return false;
}

/* The pipeline whose feed reads its source by this statement. */
static const struct pipeline *owner_of(const struct sql *sql)
{
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++)
            if ((*feed)->source == sql || (*feed)->source_rejects == sql)
                return *pipeline;
    return NULL;
}

/* ---- statements ---- */

static void check(struct db *db, const struct sql *sql, int *failures)
{
    struct error err = {0};
    if (db_check(db, sql, &err))
        return;
    print_error("%s: %s\n", sql->name, err.message);
    (*failures)++;
}

static void every_statement_of_the_warehouse_is_understood(void **state)
{
    int failures = 0, count = 0;
    (void)state;
    for (const struct sql *const *sql = sql_all; *sql; sql++, count++)
        if (!(*sql)->on_source)
            check(world.db, *sql, &failures);
    assert_true(count > 50);
    assert_int_equal(failures, 0);
}

/* Those that no feed names serve every source. */
static void check_sources_of(const struct pipeline *pipeline, int *failures)
{
    struct db *source = db_open_source(make_source_of(pipeline), &world.err);
    if (!source)
        fail_msg("%s", world.err.message);
    for (const struct sql *const *sql = sql_all; *sql; sql++) {
        const struct pipeline *owner = owner_of(*sql);
        if ((*sql)->on_source && (!owner || owner == pipeline))
            check(source, *sql, failures);
    }
    db_close(source);
}

static void every_statement_of_a_source_is_understood(void **state)
{
    int failures = 0;
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        if (has_sources(*pipeline))
            check_sources_of(*pipeline, &failures);
    assert_int_equal(failures, 0);
}

/* ---- columns ---- */

static const char *type_of(const struct field *field)
{
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_DECIMAL: return "text";
    case FIELD_INTEGER: return "bigint";
    case FIELD_FLOAT: return "double precision";
    case FIELD_BOOLEAN: return "boolean";
    case FIELD_TIME:
    case FIELD_NEWEST: return "timestamp with time zone";
    case FIELD_TEXT_LIST: return "text[]";
    case FIELD_OBJECTS:
    case FIELD_EXTRACT: return "jsonb";
    case FIELD_LIST: break; /* of an extract, never a column */
    }
    fail_msg("a field of an unknown type");
    return "";
}

/* "name type, name type" of what the feed's fields say; names alone without types. */
static void describe_fields(const struct feed *feed, bool with_types, struct str *to)
{
    str_add_text(to, with_types ? "batch_id bigint, read_number bigint,"
                                  " version_time timestamp with time zone, line_no bigint,"
                                  " is_tombstone boolean"
                                : "batch_id, read_number, version_time, line_no, is_tombstone");
    for (const struct field *field = feed->fields; field->path; field++)
        if (field->column)
            str_add_format(to, ", %s%s%s", field->column, with_types ? " " : "",
                           with_types ? type_of(field) : "");
}

/* The same of a table, as the server knows it. */
static const char *describe_table(const char *schema, const char *table)
{
    char text[512];
    snprintf(
        text, sizeof text,
        "SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum)"
        " FROM pg_attribute WHERE attrelid = to_regclass(format('%%I.%%I', '%s', '%s'))"
        " AND attnum > 0 AND NOT attisdropped",
        schema, table);
    return world_value(text);
}

/* Leaves out comments, and makes one blank of each white space. */
static void flatten(const char *text, struct str *to)
{
    for (; *text; text++) {
        if (text[0] == '-' && text[1] == '-')
            text += strcspn(text, "\n");
        bool is_blank = strchr(" \n\t", *text) != NULL;
        if (!is_blank)
            str_add_char(to, *text);
        else if (to->length > 0 && to->text[to->length - 1] != ' ')
            str_add_char(to, ' ');
        if (!*text)
            break;
    }
}

static void assert_fields_are_columns(const struct feed *feed)
{
    struct str declared;
    str_init(&declared);
    describe_fields(feed, true, &declared);
    assert_string_equal(describe_table("staging", feed->name), declared.text);
    str_release(&declared);
}

static void assert_fields_are_copied(const struct feed *feed)
{
    struct str declared, said;
    str_init(&declared);
    str_init(&said);
    str_add_format(&declared, "COPY staging.%s (", feed->name);
    describe_fields(feed, false, &declared);
    str_add_text(&declared, ") FROM STDIN (FORMAT binary);");
    flatten(feed->stage->text, &said);
    while (said.length > 0 && said.text[said.length - 1] == ' ')
        said.text[--said.length] = '\0';
    assert_string_equal(said.text, declared.text);
    assert_true(feed->stage->is_copy);
    assert_false(feed->stage->on_source);
    str_release(&declared);
    str_release(&said);
}

/* Of all feeds, and of what tables are compared with. */
static void for_all_records(void (*check_them)(const struct feed *feed))
{
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++)
            check_them(*feed);
        const struct verification *const *verification = (*pipeline)->verifications;
        for (; verification && *verification; verification++)
            if ((*verification)->comparison)
                check_them((*verification)->comparison->records);
    }
}

static void fields_are_the_columns_of_staging(void **state)
{
    (void)state;
    for_all_records(assert_fields_are_columns);
}

static void fields_are_the_columns_of_the_copy_into_staging(void **state)
{
    (void)state;
    for_all_records(assert_fields_are_copied);
}

/* ---- source statements ---- */

/* The types of what the query of a COPY gives. */
static const char *describe_query(int session, const struct sql *sql)
{
    struct str text;
    const char *from = strstr(sql->text, "COPY ("), *to = strstr(sql->text, ") TO STDOUT");
    assert_non_null(from);
    assert_non_null(to);
    str_init(&text);
    str_add(&text, from + 6, (size_t)(to - from) - 6);
    const char *types = world_session_types(session, text.text);
    str_release(&text);
    return types;
}

/* The binary format of both is the same. */
static void assert_same_types(const char *given, const char *taken)
{
    static const char varying[] = "character varying";
    struct str plain;
    str_init(&plain);
    for (const char *at; (at = strstr(given, varying)) != NULL; given = at + strlen(varying)) {
        str_add(&plain, given, (size_t)(at - given));
        str_add_text(&plain, "text");
    }
    str_add_text(&plain, given);
    assert_string_equal(plain.text, taken);
    str_release(&plain);
}

static void the_server_of_a_source_gives_what_staging_takes(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        if (!has_sources(*pipeline))
            continue;
        make_source_of(*pipeline);
        int session = world_session(true);
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            if (!(*feed)->source)
                continue;
            char text[512]; /* of the columns behind those of the relay's lead */
            snprintf(text, sizeof text,
                     "SELECT string_agg(format_type(atttypid, NULL), ', ' ORDER BY attnum)"
                     " FROM pg_attribute WHERE attrelid = to_regclass('staging.%s') AND attnum > 5",
                     (*feed)->name);
            if (!(*feed)->source_rejects) {
                assert_same_types(describe_query(session, (*feed)->source), "text");
                continue;
            }
            assert_same_types(describe_query(session, (*feed)->source), world_value(text));
            assert_same_types(describe_query(session, (*feed)->source_rejects),
                              "bigint, text, text, bigint, text, text, bytea, bigint");
        }
        world_session_close(session);
    }
}

static void a_source_gives_rows_beside_rejects_or_documents(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            const struct sql *source = (*feed)->source, *rejects = (*feed)->source_rejects;
            assert_true(source || !rejects);
            assert_true(!source || (source->is_copy && source->on_source));
            assert_true(!rejects || (rejects->is_copy && rejects->on_source));
            /* rows are relayed in the binary format, documents are read as lines of text */
            if (source)
                assert_int_equal(strstr(source->text, "FORMAT binary") != NULL, rejects != NULL);
        }
}

static void what_is_read_in_parts_asks_for_pages_and_what_is_listed_has_a_key(void **state)
{
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++)
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            bool is_listed = false;
            for (const struct field *field = (*feed)->fields; field->path; field++)
                is_listed = is_listed || field->is_listed;
            assert_int_equal(is_listed, (*feed)->reconcile != NULL);
            bool has_pages = (*feed)->source && strstr((*feed)->source->text, "first_page");
            assert_int_equal(has_pages, (*feed)->divided != NULL);
            assert_true(!(*feed)->divided || (*feed)->source_rejects);
            assert_true(!(*feed)->shows_all || ((*feed)->reconcile && (*feed)->source));
        }
}

/* ---- values ---- */

/* A value that nobody offers would end the program in the middle of its work. */
static void assert_offered(const struct sql *sql, const char *const *names)
{
    for (size_t i = 0; i < sql->param_count; i++) {
        const char *const *name = names;
        while (*name && strcmp(*name, sql->params[i].name) != 0)
            name++;
        if (!*name)
            fail_msg("statement \"%s\" wants \"%s\", which its procedure does not offer", sql->name,
                     sql->params[i].name);
    }
}

static void assert_all_offered(const struct pipeline_step *steps, const char *const *names)
{
    for (; steps && steps->sql; steps++)
        assert_offered(steps->sql, names);
}

static void procedures_offer_what_statements_want(void **state)
{
    static const char *const settings[] = {"batch_id", "clock",      "since",    "until",
                                           "source",   "first_page", "end_page", NULL};
    static const char *const of_lists[] = {"batch_id", "read_number", "listed_at", NULL};
    static const char *const of_members[] = {"batch_id", NULL};
    static const char *const of_steps[] = {
        "batch_id", "pending_older", "own_times",      "rows_staged",
        "since",    "until",         "activity_types", NULL};
    static const char *const of_derived[] = {"batches", "batch_id", "units", "as_of", NULL};
    static const char *const nothing[] = {NULL};
    (void)state;
    for (const struct pipeline *const *pipeline = pipeline_list; *pipeline; pipeline++) {
        for (const struct feed *const *feed = (*pipeline)->feeds; *feed; feed++) {
            assert_offered((*feed)->stage, nothing);
            if ((*feed)->source) {
                assert_offered((*feed)->source, settings);
                if ((*feed)->source_rejects)
                    assert_offered((*feed)->source_rejects, settings);
            }
            if ((*feed)->reconcile)
                assert_offered((*feed)->reconcile, of_lists);
            assert_all_offered((*feed)->members, of_members);
            assert_all_offered((*feed)->steps, of_steps);
        }
        const struct derivation *const *derivation = (*pipeline)->derivations;
        for (; derivation && *derivation; derivation++) {
            assert_all_offered((*derivation)->changed, of_derived);
            assert_all_offered((*derivation)->all, of_derived);
        }
        const struct verification *const *verification = (*pipeline)->verifications;
        for (; verification && *verification; verification++) {
            assert_offered((*verification)->compare, nothing);
            const struct comparison *comparison = (*verification)->comparison;
            if (comparison) {
                assert_offered(comparison->records->stage, nothing);
                assert_offered(comparison->summary, nothing);
                assert_offered(comparison->rows, nothing);
                assert_true(comparison->rows->is_copy);
            }
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_statement_of_the_warehouse_is_understood),
        TEST(every_statement_of_a_source_is_understood),
        TEST(fields_are_the_columns_of_staging),
        TEST(fields_are_the_columns_of_the_copy_into_staging),
        TEST(the_server_of_a_source_gives_what_staging_takes),
        TEST(a_source_gives_rows_beside_rejects_or_documents),
        TEST(what_is_read_in_parts_asks_for_pages_and_what_is_listed_has_a_key),
        TEST(procedures_offer_what_statements_want),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}

/* SPDX-License-Identifier: MIT
 *
 * Forms for the tests of the steps: as lines of a file, and as rows of a source.
 */
#ifndef TESTS_INTEGRATION_FORM_WORLD_H
#define TESTS_INTEGRATION_FORM_WORLD_H

#include <stdio.h>

#include "base/str.h"
#include "etl_world.h"

#define FORM(id, user, time)                                                   \
    "{\"form_id\":\"" id                                                       \
    "\",\"domain\":\"d\",\"app_id\":\"a\",\"xmlns\":\"x\",\"user_id\":\"" user \
    "\",\"received_on\":\"" time "\"}\n"
#define BAD_FORM "{\"form_id\":\"bad\",\"received_on\":\"soon\",\"password\":\"s3cret\"}\n"

#define TWO_FORMS FORM("f1", "u1", "2024-01-05T00:00:00Z") FORM("f2", "u2", "2024-02-05T00:00:00Z")

/* A source database of forms; its SPEC. */
static inline const char *make_form_source(void)
{
    const char *spec = world_make_source();
    world_source_file("tests/sample/commcare/schema/form.sql");
    return spec;
}

/* A form of the source, received an hour ago; times in SQL. */
static inline void add_source_form(const char *id, const char *received_on)
{
    char text[512];
    snprintf(text, sizeof text,
             "INSERT INTO public.form_processor_xforminstancesql (form_id, domain, app_id,"
             " xmlns, user_id,"
             " received_on, server_modified_on, state)"
             " VALUES ('%s', 'd', 'a', 'x', 'u1', %s, %s, 1)",
             id, received_on, received_on);
    world_source_sql(text);
}

/* A file of so many lines; its path is good to the program's end. */
static inline const char *make_lines(size_t count, const char *line)
{
    struct str text;
    str_init(&text);
    for (size_t i = 0; i < count; i++)
        str_add_text(&text, line);
    const char *path = world_file(text.text);
    str_release(&text);
    return path;
}

/* Loads forms, which must fail so and stage nothing. */
static inline void fail_to_load(struct stage_options options, enum status status, const char *part)
{
    assert_false(world_stage("form", options));
    assert_failed(status, part);
    assert_value("SELECT count(*) FROM staging.form", "0");
}

#endif

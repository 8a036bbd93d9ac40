/* SPDX-License-Identifier: MIT
 *
 * The vectors of opaque-keys 4.0.0, as we read them.
 */
#include "etl/opaque_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEX "519665f6223ebd6980884f2b"
#define B "block-v1:edX+DemoX+R"
#define CONTEXT "!invalid_context_key"
#define USAGE "!invalid_usage_key"

static unsigned seen_notes;

/* Reads text; expected is the canonical form, "=" where it stays as it is, or "!" and the reason.
 */
static void assert_read(const struct grammar *grammar, const char *text, const char *within,
                        const char *expected)
{
    struct str canonical;
    str_init(&canonical);
    str_add_text(&canonical, "left over");
    seen_notes = 0;
    const char *reason =
        grammar->read(text, strlen(text), within, strlen(within), &canonical, &seen_notes);
    if (expected[0] == '!') {
        if (!reason)
            fail_msg("\"%s\" was read as \"%s\"", text, canonical.text);
        assert_string_equal(reason, expected + 1);
    } else {
        if (reason)
            fail_msg("\"%s\": %s", text, reason);
        assert_string_equal(canonical.text, strcmp(expected, "=") == 0 ? text : expected);
    }
    str_release(&canonical);
}

static void context(const char *text, const char *expected)
{
    assert_read(&opaque_context_key, text, "", expected);
}

static void usage(const char *text, const char *expected)
{
    assert_read(&opaque_usage_key, text, "", expected);
}

static void within(const char *text, const char *own, const char *expected)
{
    assert_read(&opaque_usage_key, text, own, expected);
}

/* ---- contexts ---- */

static void a_course_key_stays_as_it_is(void **state)
{
    (void)state;
    context("course-v1:edX+DemoX+Demo_Course", "=");
    context("course-v1:a+b+c:d~e", "=");
    context("course-v1:\xc3\x89galit\xc3\xa9+Cours+2020", "=");
    assert_int_equal(seen_notes, 0);
}

static void branch_and_version_are_left_out_and_noted(void **state)
{
    (void)state;
    context("course-v1:edX+DemoX+R+branch@draft+version@" HEX, "course-v1:edX+DemoX+R");
    assert_int_equal(seen_notes, OPAQUE_VERSION_DROPPED);
    context("course-v1:edX+DemoX+R+branch@draft", "course-v1:edX+DemoX+R");
    context("course-v1:edX+DemoX+R+version@" HEX, "course-v1:edX+DemoX+R");
    context("library-v1:UniX+Probs+branch@library+version@" HEX, "library-v1:UniX+Probs");
}

static void what_upstream_drops_in_silence_is_refused(void **state)
{
    (void)state;
    context("course-v1:version@" HEX, CONTEXT);
    context("course-v1:a+b+R+type@problem+block@x", CONTEXT);
    context("library-v1:a+b+c", CONTEXT);
}

static void a_malformed_course_key_is_refused(void **state)
{
    (void)state;
    context("course-v1:edX+DemoX", CONTEXT);
    context("course-v1:a+b+branch@p", CONTEXT);
    context("course-v1:edX+DemoX+R+", CONTEXT);
    context("course-v1:a+b+c+d", CONTEXT);
    context("course-v1:edX+DemoX+Demo Course", CONTEXT);
    context("course-v1:edX+Demo%20X+R", CONTEXT);
    context("Course-v1:edX+DemoX+R", CONTEXT);
    context(" course-v1:edX+DemoX+R", CONTEXT);
    context("course-v1:a+b+c+version@519665f6223ebd6980884f2", CONTEXT);
    context("course-v1:a+b+c+version@519665F6223EBD6980884F2B", CONTEXT);
    context("course-v1:a+b+c+branch@", CONTEXT);
    context("course-v1:a+b+c+d+e+f+g+h+i+j+k", CONTEXT);
    context("course-v1:a+b+\xe2\x80\x93", CONTEXT);
    context("course-v1:a+b+\xf0\x9f\x98\x80", CONTEXT);
}

static void blanks_and_newlines_at_the_end_are_cut_and_noted(void **state)
{
    (void)state;
    context("course-v1:edX+DemoX+R\n", "course-v1:edX+DemoX+R");
    assert_int_equal(seen_notes, OPAQUE_TRIMMED);
    context("course-v1:edX+DemoX+R ", "course-v1:edX+DemoX+R");
    context("lib:a:b\n", "lib:a:b");
    usage(B "+type@problem+block@a \r\n", B "+type@problem+block@a");
    assert_int_equal(seen_notes, OPAQUE_TRIMMED);
}

static void slashes_is_spelled_as_a_course_key(void **state)
{
    (void)state;
    context("slashes:edX+DemoX+R", "course-v1:edX+DemoX+R");
    context("slashes:a/b/c", CONTEXT);
}

static void a_deprecated_course_key_has_exactly_two_slashes(void **state)
{
    (void)state;
    context("edX/DemoX/Demo_Course", "=");
    context("edX/DemoX/", "=");
    context("a/b/c%20d", "=");
    context("a/b/\xe6\x97\xa5\xe6\x9c\xac", "=");
    context("edX/DemoX", CONTEXT);
    context("edX/DemoX/R/extra", CONTEXT);
    context("edX/Demo X/R", CONTEXT);
    context("edX/DemoX/R+x", CONTEXT);
    context("a//b", CONTEXT);
    context("/a/b", CONTEXT);
    context("a/b/c~d", CONTEXT);
    context("a:b/c/d", CONTEXT);
}

static void libraries_and_coached_courses_are_contexts_too(void **state)
{
    (void)state;
    context("library-v1:UniX+PhysicsProbs", "=");
    context("library-v1:a", CONTEXT);
    context("library-v1:a+b+", CONTEXT);
    context("lib:MITx:reallyhardproblems", "=");
    context("lib:MITx:r\xc3\xa9"
            "ally",
            "=");
    context("lib:\xc3\x89gal:x", CONTEXT);
    context("lib:a:b:c", CONTEXT);
    context("lib:a", CONTEXT);
    context("lib:a:b+c", CONTEXT);
    context("lib-collection:o:l:c", CONTEXT);
    context("ccx-v1:edX+DemoX+R+ccx@1", "=");
    context("ccx-v1:edX+DemoX+R", CONTEXT);
    context("ccx-v1:edX+DemoX+R+ccx@", CONTEXT);
    context("ccx-v1:edX+DemoX+R+ccx@x", CONTEXT);
}

static void a_key_has_one_to_255_characters(void **state)
{
    char text[600] = "course-v1:a+b+";
    (void)state;
    context("", "!missing_field");
    context(" \n", "!missing_field");
    usage("", "!missing_field");
    memset(text + 14, 'x', 241);
    context(text, "=");
    text[255] = 'x';
    context(text, "!key_too_long");
    usage(text, "!key_too_long");
    for (int i = 14; i < 14 + 2 * 241; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    context(text, "=");
}

/* ---- usages ---- */

static void a_usage_key_stays_as_it_is(void **state)
{
    (void)state;
    usage(B "+type@drag-and-drop-v2+block@abc", "=");
    usage(B "+type@problem+block@\xc3\xa9:~.", "=");
    usage("lib-block-v1:UniX+PhysicsProbs+type@problem+block@q1", "=");
    usage("lb:MITx:lib:problem:p1", "=");
    usage("lb:a:b:pro-blem:\xc3\xa9", "=");
    usage("ccx-block-v1:edX+DemoX+R+ccx@1+type@problem+block@a", "=");
}

static void the_version_of_a_usage_is_left_out(void **state)
{
    (void)state;
    usage(B "+branch@b+version@" HEX "+type@problem+block@a", B "+type@problem+block@a");
    assert_int_equal(seen_notes, OPAQUE_VERSION_DROPPED);
    usage("i4x://edX/DemoX/problem/abc@draft", "i4x://edX/DemoX/problem/abc");
    assert_int_equal(seen_notes, OPAQUE_VERSION_DROPPED);
}

static void a_usage_without_type_has_a_reason_of_its_own(void **state)
{
    (void)state;
    usage(B "+block@abc", "!usage_key_missing_type");
}

static void a_malformed_usage_key_is_refused(void **state)
{
    (void)state;
    usage(B, USAGE);
    usage(B "+type@problem", USAGE);
    usage(B "+type@problem+block@", USAGE);
    usage(B "+type@problem+block@a%20b", USAGE);
    usage(B "+type@problem+block@a b", USAGE);
    usage(B "+type@problem+block@a/b", USAGE);
    usage(B "+type@problem+block@x+y", USAGE);
    usage(B "+type@problem+branch@b+block@x", USAGE);
    usage(B "+type@+block@x", USAGE);
    usage("block-v1:version@" HEX "+type@problem+block@x", USAGE);
    usage("location:org+course+run+cat+name", USAGE);
    usage("i4x-edX-DemoX-problem-abc", USAGE);
    usage("lib-block-v1:a+b+c+type@problem+block@x", USAGE);
    usage("lb:a:b:c", USAGE);
    usage("lb:a:b:problem:x:y", USAGE);
    usage("lb:a:b:problem:x y", USAGE);
    usage("lct:org:lib:unit:u1", USAGE);
}

static void a_deprecated_usage_has_four_parts(void **state)
{
    (void)state;
    usage("i4x://edX/DemoX/problem/abc", "=");
    usage("i4x://edX/DemoX/problem/a:b", "=");
    usage("i4x://edX/DemoX/problem/a%20b", "=");
    usage("i4x://a/b/pro blem/x", USAGE);
    usage("i4x://a/b/problem/a b", USAGE);
    usage("i4x://a/b/problem/a/b", USAGE);
    usage("i4x://a/b/problem/", USAGE);
    usage("i4x://a/b/problem/x@", USAGE);
    usage("i4x://a b/c/problem/x", USAGE);
}

static void an_aside_wraps_a_usage(void **state)
{
    (void)state;
    usage("aside-usage-v1:i4x://a/b/problem/x::as", "=");
    usage("aside-usage-v2:lb$:a$:b$:problem$:x::as", "=");
    usage("aside-usage-v2:i4x$://a/b/problem/x@draft::as",
          "aside-usage-v2:i4x$://a/b/problem/x::as");
    usage("aside-usage-v1:i4x://a/b/problem/x", USAGE);
    usage("aside-usage-v1:i4x://a/b/problem/x::", USAGE);
    usage("aside-usage-v1:nothing::as", USAGE);
    usage("aside-usage-v2:lb:a:b:problem:x::as", USAGE);
    usage("aside-usage-v2:lb$:a$:b$:problem$:x", USAGE);
    usage("aside-usage-v2:lb$a::as", USAGE);
    usage("aside-usage-v2:lb$$::as", USAGE);
}

static void a_usage_lies_in_the_context_that_it_names(void **state)
{
    static const char course[] = "course-v1:edX+DemoX+R";
    (void)state;
    within(B "+type@problem+block@a", course, "=");
    within(B "+type@problem+block@a", "course-v1:edX+DemoX+S", "!context_mismatch");
    within(B "+type@problem+block@a", "edX/DemoX/R", "!context_mismatch");
    within("ccx-block-v1:edX+DemoX+R+ccx@1+type@problem+block@a", "ccx-v1:edX+DemoX+R+ccx@1", "=");
    within("ccx-block-v1:edX+DemoX+R+ccx@1+type@problem+block@a", "ccx-v1:edX+DemoX+R+ccx@2",
           "!context_mismatch");
    within("ccx-block-v1:edX+DemoX+R+ccx@1+type@problem+block@a", course, "!context_mismatch");
    within("lb:MITx:lib:problem:p1", "lib:MITx:lib", "=");
    within("lb:MITx:lib:problem:p1", "lib:MITx:other", "!context_mismatch");
    within("lib-block-v1:U+P+type@problem+block@q", "library-v1:U+P", "=");
    within("lb:MITx:lib:problem:p1", "no context", "!context_mismatch");
}

static void an_i4x_key_is_in_any_run_of_its_course(void **state)
{
    (void)state;
    within("i4x://edX/DemoX/problem/abc", "edX/DemoX/2013", "=");
    within("i4x://edX/DemoX/problem/abc", "course-v1:edX+DemoX+2014", "=");
    within("i4x://edX/DemoX/problem/abc", "edX/Other/2014", "!context_mismatch");
}

static void an_aside_is_where_what_it_wraps_is(void **state)
{
    (void)state;
    within("aside-usage-v2:lb$:a$:b$:problem$:x::as", "lib:a:b", "=");
    within("aside-usage-v2:lb$:a$:b$:problem$:x::as", "lib:a:c", "!context_mismatch");
}

static void the_notes_have_names_for_the_log(void **state)
{
    (void)state;
    assert_string_equal(opaque_usage_key.notes[0], "key_trimmed");
    assert_string_equal(opaque_context_key.notes[1], "key_version_dropped");
    assert_null(opaque_context_key.notes[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_course_key_stays_as_it_is),
        cmocka_unit_test(branch_and_version_are_left_out_and_noted),
        cmocka_unit_test(what_upstream_drops_in_silence_is_refused),
        cmocka_unit_test(a_malformed_course_key_is_refused),
        cmocka_unit_test(blanks_and_newlines_at_the_end_are_cut_and_noted),
        cmocka_unit_test(slashes_is_spelled_as_a_course_key),
        cmocka_unit_test(a_deprecated_course_key_has_exactly_two_slashes),
        cmocka_unit_test(libraries_and_coached_courses_are_contexts_too),
        cmocka_unit_test(a_key_has_one_to_255_characters),
        cmocka_unit_test(a_usage_key_stays_as_it_is),
        cmocka_unit_test(the_version_of_a_usage_is_left_out),
        cmocka_unit_test(a_usage_without_type_has_a_reason_of_its_own),
        cmocka_unit_test(a_malformed_usage_key_is_refused),
        cmocka_unit_test(a_deprecated_usage_has_four_parts),
        cmocka_unit_test(an_aside_wraps_a_usage),
        cmocka_unit_test(a_usage_lies_in_the_context_that_it_names),
        cmocka_unit_test(an_i4x_key_is_in_any_run_of_its_course),
        cmocka_unit_test(an_aside_is_where_what_it_wraps_is),
        cmocka_unit_test(the_notes_have_names_for_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

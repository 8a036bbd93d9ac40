/* SPDX-License-Identifier: MIT
 *
 * The registry, over pipelines of the test's own in the place of those built in.
 */
#include "etl/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct feed apple = {.name = "apple"};
static const struct feed pear = {.name = "pear"};
static const struct feed stone = {.name = "stone"};

static const struct derivation juice = {
    .workflow = "juice", .task = "press-from-fact", .argument = "apple"};
static const struct derivation perry = {
    .workflow = "perry", .task = "press-from-fact", .argument = "pear"};
static const struct derivation wall = {.workflow = "wall", .task = "wall-from-fact"};

static const struct verification juice_check = {.task = "verify-juice", .derivation = &juice};
static const struct verification wall_check = {.task = "verify-wall", .derivation = &wall};

static const struct feed *const fruits[] = {&apple, &pear, NULL};
static const struct derivation *const fruit_derivations[] = {&juice, &perry, NULL};
static const struct verification *const fruit_verifications[] = {&juice_check, NULL};
static const struct pipeline fruit = {.name = "fruit",
                                      .feeds = fruits,
                                      .derivations = fruit_derivations,
                                      .verifications = fruit_verifications};

static const struct feed *const nothing[] = {NULL};
static const struct pipeline empty = {.name = "empty", .feeds = nothing};

static const struct feed *const stones[] = {&stone, NULL};
static const struct derivation *const stone_derivations[] = {&wall, NULL};
static const struct verification *const stone_verifications[] = {&wall_check, NULL};
static const struct pipeline quarry = {.name = "quarry",
                                       .feeds = stones,
                                       .derivations = stone_derivations,
                                       .verifications = stone_verifications};

const struct pipeline *const pipeline_list[] = {&fruit, &empty, &quarry, NULL};

static void a_feed_is_found_by_its_name(void **state)
{
    (void)state;
    assert_ptr_equal(pipeline_find_feed("apple"), &apple);
    assert_ptr_equal(pipeline_find_feed("pear"), &pear);
    assert_ptr_equal(pipeline_find_feed("stone"), &stone);
    assert_null(pipeline_find_feed("Apple"));
    assert_null(pipeline_find_feed(""));
    assert_null(pipeline_find_feed("juice"));
}

static void a_derivation_is_found_by_its_task_and_argument(void **state)
{
    (void)state;
    assert_ptr_equal(pipeline_find_derivation("press-from-fact", "apple"), &juice);
    assert_ptr_equal(pipeline_find_derivation("press-from-fact", "pear"), &perry);
    assert_ptr_equal(pipeline_find_derivation("wall-from-fact", NULL), &wall);
    assert_null(pipeline_find_derivation("press-from-fact", NULL));
    assert_null(pipeline_find_derivation("press-from-fact", "stone"));
    assert_null(pipeline_find_derivation("wall-from-fact", "stone"));
    assert_null(pipeline_find_derivation("grind-from-fact", "apple"));
}

static void a_verification_is_found_by_its_task(void **state)
{
    (void)state;
    assert_ptr_equal(pipeline_find_verification("verify-juice"), &juice_check);
    assert_ptr_equal(pipeline_find_verification("verify-wall"), &wall_check);
    assert_null(pipeline_find_verification("verify-perry"));
}

static void a_workflow_belongs_to_one_pipeline(void **state)
{
    (void)state;
    assert_ptr_equal(pipeline_of_workflow("pear"), &fruit);
    assert_ptr_equal(pipeline_of_workflow("perry"), &fruit);
    assert_ptr_equal(pipeline_of_workflow("stone"), &quarry);
    assert_ptr_equal(pipeline_of_workflow("wall"), &quarry);
    assert_null(pipeline_of_workflow("press-from-fact"));
    assert_null(pipeline_of_workflow("fruit"));
}

static void what_is_no_workflow_is_a_usage_error(void **state)
{
    struct error err = {0};
    (void)state;
    assert_true(pipeline_check_workflow("pear", &err));
    assert_true(pipeline_check_workflow("wall", &err));
    assert_true(pipeline_check_workflow(NULL, &err));
    assert_int_equal(err.status, STATUS_OK);
    assert_false(pipeline_check_workflow("peach", &err));
    assert_int_equal(err.status, STATUS_USAGE);
    assert_string_equal(err.message, "unrecognized workflow \"peach\"; see --help");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_feed_is_found_by_its_name),
        cmocka_unit_test(a_derivation_is_found_by_its_task_and_argument),
        cmocka_unit_test(a_verification_is_found_by_its_task),
        cmocka_unit_test(a_workflow_belongs_to_one_pipeline),
        cmocka_unit_test(what_is_no_workflow_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

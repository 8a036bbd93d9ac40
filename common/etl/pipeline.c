/* SPDX-License-Identifier: MIT */
#include "etl/pipeline.h"

#include <string.h>

const struct feed *pipeline_find_feed(const char *name)
{
    for (size_t i = 0; pipeline_list[i]; i++)
        for (const struct feed *const *feed = pipeline_list[i]->feeds; *feed; feed++)
            if (strcmp((*feed)->name, name) == 0)
                return *feed;
    return NULL;
}

const struct derivation *pipeline_find_derivation(const char *task, const char *argument)
{
    for (size_t i = 0; pipeline_list[i]; i++) {
        const struct derivation *const *derivation = pipeline_list[i]->derivations;
        for (; derivation && *derivation; derivation++) {
            const char *own = (*derivation)->argument;
            bool is_same = own && argument ? strcmp(own, argument) == 0 : own == argument;
            if (strcmp((*derivation)->task, task) == 0 && is_same)
                return *derivation;
        }
    }
    return NULL;
}

const struct verification *pipeline_find_verification(const char *task)
{
    for (size_t i = 0; pipeline_list[i]; i++) {
        const struct verification *const *found = pipeline_list[i]->verifications;
        for (; found && *found; found++)
            if (strcmp((*found)->task, task) == 0)
                return *found;
    }
    return NULL;
}

const struct pipeline *pipeline_of_workflow(const char *name)
{
    for (size_t i = 0; pipeline_list[i]; i++) {
        const struct pipeline *pipeline = pipeline_list[i];
        for (const struct feed *const *feed = pipeline->feeds; *feed; feed++)
            if (strcmp((*feed)->name, name) == 0)
                return pipeline;
        const struct derivation *const *derivation = pipeline->derivations;
        for (; derivation && *derivation; derivation++)
            if (strcmp((*derivation)->workflow, name) == 0)
                return pipeline;
    }
    return NULL;
}

bool pipeline_check_workflow(const char *name, struct error *err)
{
    return !name || pipeline_of_workflow(name) ||
           error_set(err, STATUS_USAGE, "unrecognized workflow \"%s\"; see --help", name);
}

/* SPDX-License-Identifier: MIT */
#include "etl/handover.h"

#include <string.h>

#include "base/mem.h"
#include "base/result.h"
#include "base/str.h"
#include "base/task.h"
#include "io/file.h"
#include "io/json.h"

char *handover_read(const char *path, const char *workflow, struct error *err)
{
    static const char *const paths[] = {"batch_id", "workflow"};
    struct json_value values[2];
    struct str text, scratch;
    char *id = NULL;
    struct json_plan *plan = json_plan_new(paths, 2);
    str_init(&text);
    str_init(&scratch);
    if (!file_read_all(path, RESULT_MAX, &text, err))
        goto done;
    if (text.length == 0) {
        error_set(err, STATUS_IO,
                  "the step before left no result line; look why it failed, then run it again");
        goto done;
    }
    if (json_scan(plan, text.text, text.length, values) != JSON_OK ||
        values[0].type != JSON_STRING || values[1].type != JSON_STRING) {
        error_set(err, STATUS_USAGE,
                  "the batch is to be read from a result line, and this is none; pass the line "
                  "that load-staging printed");
        goto done;
    }
    size_t length;
    const char *member = json_text(&values[1], &scratch, &length);
    if (length != strlen(workflow) || memcmp(member, workflow, length) != 0) {
        error_set(err, STATUS_USAGE,
                  "the result line is of another workflow than \"%s\"; pass the line of its own "
                  "load-staging",
                  workflow);
        goto done;
    }
    member = json_text(&values[0], &scratch, &length);
    id = mem_copy(member, length);
done:
    json_plan_free(plan);
    str_release(&text);
    str_release(&scratch);
    return id;
}

bool handover_find(const char *workflow, char **id, struct error *err)
{
    const struct task_common *common = task_common();
    const char *path = common->batch_file;
    *id = NULL;
    if (common->batch_id && strcmp(common->batch_id, "-") == 0)
        path = "-";
    if (path) {
        *id = handover_read(path, workflow, err);
        return *id != NULL;
    }
    *id = mem_strdup(common->batch_id);
    return *id || common->run_key ||
           error_set(err, STATUS_USAGE,
                     "no batch is named; pass --batch-id, --batch-file or --run-key");
}

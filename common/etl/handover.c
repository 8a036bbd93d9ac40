/* SPDX-License-Identifier: MIT */
#include "etl/handover.h"

#include <string.h>

#include "base/mem.h"
#include "base/result.h"
#include "base/str.h"
#include "io/file.h"
#include "io/json.h"

static char *copy_text_of(const struct json_value *value, struct str *scratch)
{
    size_t length;
    const char *text = json_text(value, scratch, &length);
    return mem_copy(text, length);
}

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
    const char *other = json_text(&values[1], &scratch, &(size_t){0});
    if (strcmp(other, workflow) != 0 || values[1].has_escape) {
        error_set(err, STATUS_USAGE,
                  "the result line is of another workflow than \"%s\"; pass the line of its own "
                  "load-staging",
                  workflow);
        goto done;
    }
    id = copy_text_of(&values[0], &scratch);
done:
    json_plan_free(plan);
    str_release(&text);
    str_release(&scratch);
    return id;
}

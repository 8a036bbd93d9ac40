#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Includes point down: base <- io <- etl <- pipelines, and tasks -> base, etl, io/db.h. Then a
# layer can be read, tested and replaced without those above it (STYLE.md, part 3).
set -euo pipefail
cd "$(dirname "$0")/.."

# Reads "FILE:LINE:#include WHAT" and prints what goes upward, with the remedy.
judge()
{
    awk '
    function refuse(why) { printf "%s: %s\n    %s\n", place, text, why; bad = 1 }
    {
        match($0, /:[0-9]+:/)
        file = substr($0, 1, RSTART - 1)
        place = substr($0, 1, RSTART + RLENGTH - 2)
        text = substr($0, RSTART + RLENGTH)
        is_house = text ~ /"/
        name = text
        sub(/^[^<"]*[<"]/, "", name)
        sub(/[>"].*$/, "", name)
        n = split(file, part, "/")
        layer = part[1] == "tasks" ? "tasks" : part[2]
        to = name
        sub(/\/.*$/, "", to)

        if (name ~ /(libpq|postgres_ext|cJSON)/ && layer != "io")
            refuse("libpq and cJSON live in common/io alone; call io/db.h or io/json.h, or " \
                   "add there what is missing")
        else if (!is_house)
            next
        else if (name ~ /^\.|\/\.\./)
            refuse("write the path from common/, as \"io/db.h\": a file can then move alone")
        else if (name ~ /^tasks\//)
            refuse("nothing includes a task; move what two need to common/")
        else if (name == "pipeline_list.h") {
            if (file != "common/etl/pipeline.c")
                refuse("etl/pipeline.c alone sees the generated list; use pipeline_find_*()")
        } else if (name ~ /_sql\.h$/) {
            own = layer == "pipelines" ? part[3] : layer
            if (name != own "_sql.h" || layer == "tasks")
                refuse("a folder sees its own statements only; move the statement to its owner, " \
                       "or let a declaration point to it")
        } else if (layer == "tasks") {
            if (to != "base" && to != "etl" && name != "io/db.h")
                refuse("a task is a table of contents: base/, etl/ and io/db.h; move the work to " \
                       "a procedure in common/etl")
        } else if (!(to in rank)) {
            if (layer != "pipelines" || name ~ /\//)
                refuse("not a header of a layer; write it as \"layer/name.h\"")
        } else if (rank[to] > rank[layer])
            refuse("points upward; " layer "/ may use " below[layer] "; move the code, or pass " \
                   "in what it needs")
        else if (to == "pipelines" && part[3] != "" && name !~ "^pipelines/" part[3] "/")
            refuse("one pipeline does not know another; move what two need to common/etl")
    }
    BEGIN {
        rank["base"] = 0; rank["io"] = 1; rank["etl"] = 2; rank["pipelines"] = 3
        below["base"] = "base/"; below["io"] = "base/ and io/"
        below["etl"] = "base/, io/ and etl/"
        below["pipelines"] = "base/, io/, etl/ and what is its own"
    }
    END { exit bad }'
}

status=0
{ grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' common tasks || true; } |
    judge || status=1

# A brace at the beginning of a line is that of a function.
if grep -rn --include='*.c' '^{' common/pipelines; then
    echo "    a pipeline is const tables; a mechanism is a function in common/etl that they name"
    status=1
fi
exit $status

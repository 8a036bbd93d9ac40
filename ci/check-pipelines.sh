#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A pipeline has all its parts: what the build does not find it does not miss, so this does.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0

# want NAME PATH WHY
want()
{
    [ -e "$2" ] && { [ ! -d "$2" ] || [ -n "$(ls "$2")" ]; } && return
    echo "pipeline \"$1\": $2 is missing; $3"
    status=1
}

has_dags=$(find dags -name '*.py' 2>/dev/null | head -n 1 || true)
for folder in common/pipelines/*/; do
    [ -d "$folder" ] || continue
    folder=${folder%/}
    name=${folder##*/}
    want "$name" "$folder/pipeline.c" "it declares feeds and steps, or the build leaves it out"
    want "$name" "$folder/schema" "it holds the tables, as NNNN_what.sql"
    want "$name" "$folder/sql" "it holds the statements, one a file"
    want "$name" "tests/pipelines/$name" "it proves what the declarations say"
    [ -z "$has_dags" ] || want "$name" "dags/$name.py" "it says when the steps run, in which order"
    if [ -e "$folder/pipeline.c" ] && ! grep -q "struct pipeline ${name}_pipeline = {" \
        "$folder/pipeline.c"; then
        echo "$folder/pipeline.c: does not define \"const struct pipeline ${name}_pipeline\"; the" \
            "generated list expects this name"
        status=1
    fi
done
for folder in tests/pipelines/*/; do
    name=$(basename "$folder")
    [ ! -d "$folder" ] || [ -d "common/pipelines/$name" ] || [ "$name" = __pycache__ ] || {
        echo "$folder: there is no pipeline of this name; remove it, or rename it"
        status=1
    }
done
exit $status

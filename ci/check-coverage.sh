#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# After the tests of the coverage variant: every line of common/ and tasks/ was executed, or says
# why not: /* uncovered: reason */. Prints lines and branches per module; a branch that was not
# taken is shown with V=1, and does not fail the check. Every module of base, io and etl has its
# test file.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
gcov=${GCOV:-gcov}
build=build/coverage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -z "$(find $build -name '*.gcda' 2>/dev/null | head -n 1 || true)" ]; then
    echo "check-coverage: no counts; run \"make check-coverage\", which runs the tests first"
    exit 1
fi

# The text form of gcov: "COUNT:LINE:SOURCE", COUNT "-" for no code and "#####" for never; after a
# line its branches, "branch N taken COUNT".
report()
{
    awk -v verbose="${V-}" -v file="$1" -F: '
    /^branch / {
        if (excused)
            next
        branches++
        if ($0 ~ /taken [1-9]/)
            taken++
        else if (verbose)
            printf "%s:%d: a branch is not taken\n", file, line
        next
    }
    /^(call|function|unconditional) / { next }
    {
        count = $1
        line = $2 + 0
        gsub(/[ \t]/, "", count)
        if (line == 0 || count == "-")
            next
        excused = index($0, "/* uncovered: ") > 0
        if (excused) {
            excuses++
            next
        }
        lines++
        if (count ~ /^[0-9]/)
            covered++
        else
            printf "%s:%d: never executed\n", file, line
    }
    END {
        printf "%-44s %5d of %5d lines %s%5d of %5d branches%s\n", file, covered, lines, \
            covered < lines ? "MISSING " : "        ", taken, branches, \
            excuses ? sprintf(", %d excused", excuses) : "" > "/dev/stderr"
        print covered + 0, lines + 0, taken + 0, branches + 0 > totals
        exit covered < lines
    }' totals="$2" -
}

number=0
while read -r source; do
    number=$((number + 1))
    object=$build/${source%.c}
    if [ ! -e "$object.gcno" ]; then
        # Const tables have no code, and so no notes.
        echo "$source: not compiled in $build; run \"make coverage\""
        status=1
        continue
    fi
    if [ ! -e "$object.gcda" ] && grep -q '^{' "$source"; then
        echo "$source: no test runs any of it; write one"
        status=1
        continue
    fi
    "$gcov" -b -c -t -o "$(dirname "$object")" "$source" 2>"$work/errors" |
        awk -v source="$source" '
            / 0:Source:/ { ours = substr($0, index($0, "Source:") + 7) == source; next }
            ours' | report "$source" "$work/total.$number" 2>>"$work/table" || status=1
done < <(find common tasks -name '*.c' | sort)

cat "$work/table"
cat "$work"/total.* | awk '{ c += $1; l += $2; t += $3; b += $4 }
    END {
        printf "all: %d of %d lines, %d of %d branches (%.1f %%)\n", c, l, t, b, \
            b ? 100 * t / b : 100
    }'

for source in common/base/*.c common/io/*.c common/etl/*.c; do
    [ -e "$source" ] || continue
    layer=$(basename "$(dirname "$source")")
    name=$(basename "$source" .c)
    if [ -z "$(compgen -G "tests/unit/$layer/test_$name.c" ||
        compgen -G "tests/integration/test_$name.c" ||
        compgen -G "tests/integration/*/test_$name.c")" ]; then
        echo "$source: no test_$name.c in tests/unit/$layer or tests/integration; write it: each" \
            "promise of the header, each way to fail"
        status=1
    fi
done
[ "$status" = 0 ] || echo "check-coverage: a line that no test runs is a line that nobody" \
    "has seen work; test it, remove it, or say /* uncovered: reason */"
exit $status

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# step.sh RESULT EXECUTABLE ARGUMENTS... - runs one task with --result-file RESULT and tells a
# person in one line what it did. Its log is RESULT.log; V=1 shows it, and the command.
set -uo pipefail

result=$1
shift
log=${result%.json}.log
mkdir -p "$(dirname "$result")"
name=${1##*/}
case ${2-} in
    '' | -*) ;;
    *) name="$name $2" ;;
esac

status=0
if [ "${V-}" = 1 ]; then
    echo "\$ $*"
    "$@" --result-file "$result" 2> >(tee "$log" >&2) || status=$?
else
    "$@" --result-file "$result" >/dev/null 2>"$log" || status=$?
fi
if [ "$status" != 0 ]; then
    printf '  %-30s failed, exit status %s\n' "$name" "$status"
    tail -n 1 "$log" >&2
    echo "the whole log is $log; run make again to go on here" >&2
    exit "$status"
fi

# {"step":"load-staging",...,"seconds":0.8,"rows_read":20563,...}: status, seconds, counts
awk -v name="$name" '
    function number(digits,   text) {
        text = ""
        while (length(digits) > 3) {
            text = "," substr(digits, length(digits) - 2) text
            digits = substr(digits, 1, length(digits) - 3)
        }
        return digits text
    }
    {
        gsub(/"batches":(\[[^]]*\]|\{[^}]*\}),?/, "")
        gsub(/[{}"]/, "")
        count = split($0, pairs, ",")
        for (i = 1; i <= count; i++) {
            split(pairs[i], pair, ":")
            if (pair[1] == "status")
                status = pair[2]
            else if (pair[1] == "seconds")
                seconds = pair[2]
            else if (pair[1] ~ /^(rows|keys|members|migrations)_/ && pair[2] != 0) {
                word = pair[1]
                sub(/^rows_/, "", word)
                gsub(/_/, " ", word)
                counts = counts (counts ? ", " : "") number(pair[2]) " " word
            }
        }
        printf "  %-30s %-13s %6.2f s   %s\n", name, status, seconds, counts
    }' "$result"

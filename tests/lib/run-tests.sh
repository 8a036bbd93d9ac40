#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs test programs, each with a time limit and surroundings of its own, prints a line for each
# and counts.
#
#   run-tests.sh [OPTIONS] PROGRAM...            programs, *.sh, *.py
#   run-tests.sh [OPTIONS] --command NAME COMMAND...    one command, under this name
#   run-tests.sh --sum FILE                      the total of a tally: "N passed, N failed"
#
#   --variant NAME    which executables to test: FACTLINE_BIN is theirs (default: release)
#   --valgrind        run programs under valgrind
#   --database        a fresh database for each program, in PGDATABASE (needs a scratch server)
#   --jobs N          so many at a time (default: the number of processors)
#   --time-limit S    seconds for a program; else what it says in a comment of its first 20 lines,
#                     "time-limit: S"; else 300 (3600 for a command)
#   --tally FILE      add the counts there instead of judging them
#
# A program that speaks TAP ("ok 1 ...", "not ok 2 ...") counts by its tests, any other as one.
# What it said is in build/test-logs. The last line is "N passed, N failed", and the status 1 if
# any failed or there was none.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
variant=release
valgrind=
database=
jobs=$(nproc 2>/dev/null || echo 2)
limit=
tally=
command_name=

usage()
{
    sed -n '/^#   /s/^# //p' "$0" >&2
    exit 64
}

# The total of a tally: lines "PASSED FAILED".
sum()
{
    awk '{ passed += $1; failed += $2 }
        END {
            printf "%d passed, %d failed\n", passed, failed
            exit (failed > 0 || passed == 0)
        }' "$1"
}

while [ $# -gt 0 ]; do
    case $1 in
        --variant) variant=$2 && shift ;;
        --valgrind) valgrind=1 ;;
        --database) database=1 ;;
        --jobs) jobs=$2 && shift ;;
        --time-limit) limit=$2 && shift ;;
        --tally) tally=$2 && shift ;;
        --sum) sum "$2" && exit 0 || exit 1 ;;
        --command)
            command_name=$2
            shift 2
            break
            ;;
        -*) usage ;;
        *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || [ -n "$tally" ] || { echo "run-tests: no tests are given" >&2 && exit 1; }
if [ -n "$database" ] && [ -z "${FACTLINE_SCRATCH-}" ]; then
    echo "run-tests: no scratch server; run it through tests/lib/scratch-server.sh run" >&2
    exit 64
fi

cd "$root" || exit 74
work=$(mktemp -d /tmp/factline-tests.XXXXXX)
logs=build/test-logs
mkdir -p "$logs"
trap 'rm -rf "$work"' EXIT
trap 'stop_all; exit 143' TERM INT HUP

stop_all()
{
    local pid
    for pid in $(jobs -p); do
        kill -TERM -- "-$pid" 2>/dev/null
    done
    wait
}

# The environment of every test: ours, and nothing that the caller's session happens to hold. A
# test that is not run on a scratch server finds no server.
clean_environment()
{
    local name
    for name in $(compgen -e); do
        case $name in
            PGHOST | PGPORT | PGUSER | PGDATABASE) [ -n "${FACTLINE_SCRATCH-}" ] || unset "$name" ;;
            PG* | SOURCE_* | AIRFLOW* | JOURNAL_STREAM | NOTIFY_SOCKET) unset "$name" ;;
            MAKEFLAGS | MAKELEVEL | MFLAGS) [ -n "$command_name" ] || unset "$name" ;;
        esac
    done
    export FACTLINE_ROOT=$root FACTLINE_VARIANT=$variant FACTLINE_BIN=$root/build/$variant/bin
    [ "$variant" != release ] || FACTLINE_BIN=$root/build/bin
    export LC_ALL=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=tap PYTHONDONTWRITEBYTECODE=1
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
    export UBSAN_OPTIONS=print_stacktrace=1
}

name_of()
{
    local name=${1#"$root/"}
    name=${name#"build/$variant/"}
    name=${name#tests/}
    name=${name%.sh}
    name=${name%.py}
    case $variant$valgrind in
        release) ;;
        release1) name="$name (valgrind)" ;;
        *) name="$name ($variant)" ;;
    esac
    echo "$name"
}

# The program's own time limit, else the general one; more for what slows it down.
limit_of()
{
    local source=${1#"build/$variant/"} own
    [ ! -e "$source.c" ] || source=$source.c
    own=$(sed -n '1,20s/.*time-limit: *\([0-9][0-9]*\).*/\1/p' "$source" 2>/dev/null)
    own=${limit:-${own:-300}}
    [ "$variant$valgrind" = release ] || own=$((own * 4))
    echo "$own"
}

# run_one NUMBER NAME SECONDS COMMAND...: leaves "PASSED FAILED" in $work/NUMBER.
run_one()
{
    local number=$1 name=$2 seconds=$3 log begin status=0 passed failed took
    shift 3
    log=$logs/$(printf '%s' "$name" | tr -c 'A-Za-z0-9_.-' '_').log
    mkdir -p "$work/$number.tmp"
    export TMPDIR=$work/$number.tmp HOME=$work/$number.tmp
    if [ -n "$database" ]; then
        PGDATABASE=test_$$_$number
        psql -XAtq -d postgres -c "CREATE DATABASE $PGDATABASE TEMPLATE template0" >"$log" 2>&1
        export PGDATABASE
    fi
    begin=${EPOCHREALTIME/[.,]/}
    timeout -k 10 "$seconds" "$@" >"$log" 2>&1 </dev/null || status=$?
    took=$(((${EPOCHREALTIME/[.,]/} - begin) / 100000))
    took=$((took / 10)).$((took % 10))
    [ -z "$database" ] ||
        psql -XAtq -d postgres -c "DROP DATABASE IF EXISTS $PGDATABASE WITH (FORCE)" >/dev/null 2>&1

    passed=$(grep -ac '^ok ' "$log")
    failed=$(grep -ac '^not ok ' "$log")
    if [ "$status" = 0 ] && [ "$failed" = 0 ]; then
        [ "$passed" -gt 0 ] || passed=1
        printf '%s\n' "$(echo "ok $name (${took}s)" && random_part "$log")"
    else
        [ "$failed" -gt 0 ] || failed=1
        report_failure "$name" "$status" "$seconds" "$log"
    fi
    echo "$passed $failed" >"$work/$number"
    rm -rf "$work/$number.tmp"
}

# The seeds of random tests, and how often they did what.
random_part()
{
    sed -nE 's/^# ((seed|total:) .*)/    | \1/p' "$1"
}

report_failure()
{
    local reason="status $2"
    [ "$2" != 124 ] && [ "$2" != 137 ] || reason="ended at its time limit of $3 s"
    # One write, so that programs that run side by side do not mix.
    printf '%s\n' "FAILED $1 ($reason; all of it in $4)
$(excerpt "$4" | sed 's/^/    | /')"
}

# Of TAP each failed test with what it said, of any other log its end.
excerpt()
{
    if grep -aq '^not ok ' "$1"; then
        awk '/^(not ok|ok|1\.\.)/ { shown = /^not/ ? 12 : 0 } shown-- > 0' "$1" | head -n 80
        ! tail -n 1 "$1" | grep -avE '^(not ok|ok|#|1\.\.|    )' || true
    else
        tail -n 40 "$1"
    fi
}

# start_one NUMBER PROGRAM
start_one()
{
    local runner=() path=$2
    case $path in
        *.sh) runner=(bash -e) ;;
        *.py) runner=(python3) ;;
        */*) [ -z "$valgrind" ] || runner=(valgrind -q --error-exitcode=9 --leak-check=full
            '--errors-for-leak-kinds=definite,possible' --child-silent-after-fork=yes) ;;
    esac
    run_one "$1" "$(name_of "$path")" "$(limit_of "$path")" "${runner[@]}" "./$path"
}

clean_environment
set -m # each a group of its own, to be ended as one, with INT as it should be
number=0
if [ -n "$command_name" ]; then
    run_one 0 "$command_name" "${limit:-3600}" "$@" &
    wait
else
    for program in "$@"; do
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
            wait -n
        done
        start_one "$number" "${program#./}" &
        number=$((number + 1))
    done
    wait
fi
set +m

for file in "$work"/[0-9]*; do
    [ ! -f "$file" ] || cat "$file"
done >"$work/tally"
if [ -n "$tally" ]; then
    cat "$work/tally" >>"$tally"
else
    sum "$work/tally"
fi

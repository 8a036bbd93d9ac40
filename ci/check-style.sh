#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Rules of STYLE.md that a pattern can tell. Each prints the lines at fault, then what to do
# instead, and why.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

status=0
mapfile -t all < <(find common tasks dags tests ci .ci Makefile README.md LICENSE -type f \
    ! -path '*/__pycache__/*' 2>/dev/null | sort)

# files PATTERN...: of all files those whose path matches one of the shell patterns.
files()
{
    local file pattern
    for file in "${all[@]}"; do
        for pattern in "$@"; do
            # shellcheck disable=SC2053 # it is a pattern
            [[ $file == $pattern ]] && [[ $file != ci/check-style.sh ]] && printf '%s\0' "$file"
        done
    done
    return 0
}

# search PCRE: the lines of the files on standard input (NUL after each) that match.
search()
{
    xargs -0 -r grep -nHP -- "$1" /dev/null || true
}

# refuse REMEDY: standard input should be empty.
refuse()
{
    local lines
    lines=$(cat)
    [ -n "$lines" ] || return 0
    printf '%s\n    %s\n' "$lines" "$1"
    return 1
}

# forbid REMEDY PCRE PATTERN...: no line of these files matches.
forbid()
{
    files "${@:3}" | search "$2" | refuse "$1" || status=1
}

# ---- SQL and values ----

forbid "bind the value as a parameter: no escaping is right in every context" \
    'PQescape' '*.[ch]'
files 'common/*.[ch]' 'tasks/*.c' | { grep -zvE '^common/io/db[^/]*$' || true; } |
    search 'PQexec|PQsendQuery|PQprepare|PQsendPrepare' |
    refuse "call db_run() or db_query() with a declared statement: one place talks to the server" ||
    status=1
verbs='(SELECT|INSERT INTO|UPDATE [a-z_.]+ SET|DELETE FROM|TRUNCATE|LOCK TABLE|MERGE INTO'
verbs+='|(CREATE|ALTER|DROP) [A-Z]+|WITH [a-z_]+ AS|COPY [a-z_.(]+.*(FROM STDIN|TO STDOUT))\b'
files 'common/*.[ch]' 'tasks/*.c' | { grep -zv '^common/io/' || true; } | search "\"\\s*$verbs" |
    refuse "put the statement into a .sql file beside its owner: there it is checked and tested" ||
    status=1
forbid "bind the value, or declare a statement for each case: SQL is not made by format" \
    "\"[^\"]*\\b${verbs}[^\"]*%[-0-9.*]*[a-zA-Z]" 'common/io/*.c'
forbid "write \"> since AND <= until\": a window is exclusive at its start, BETWEEN is not" \
    '^(?!.*ROWS BETWEEN)(?!\s*--)[^'\''"]*\bBETWEEN\b' 'common/*/sql/*.sql'

# ---- prose and layout ----

forbid "use spaces: a tab has no width" '\t' \
    '*.[ch]' '*.sh' '*.py' '*.awk' '*.sql' '*.md' 'ci/*' '.ci/*'
forbid "remove the blanks at the end" '[ \t]+$' '*'
forbid "break the line at 100 columns, where its sense breaks" '^.{101,}' \
    '*.[ch]' '*.sh' '*.awk' '*.py' 'common/*.sql' 'ci/*'
forbid "do it now, or write NEEDSWORK: with what would decide it" '\b(TODO|FIXME|XXX)\b' \
    '*.[ch]' '*.sh' '*.py' '*.awk' '*.sql' '*.mk' Makefile 'ci/*'
forbid "leave it out: git knows who and when" \
    '(?i)^\W*(@author|author:|created by|created on|last modified by|\$Id|@file|@brief)' \
    '*.[ch]' '*.sh' '*.py' '*.awk' '*.sql'
forbid "say struct thing: a typedef hides what is passed" '^\s*typedef\s+(struct|enum|union)\b' '*.[ch]'
forbid "name no path of one machine; take it from the environment or mktemp" \
    '(?<![\w.$}])/(work|root|home)/\w' '*'

for file in "${all[@]}"; do
    case $file in
        *.c | *.h | *.sh | *.py | *.awk | *.mk | Makefile | ci/install-deps | .ci/run)
            if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT'; then
                echo "$file:1: its first lines lack \"SPDX-License-Identifier: MIT\"; add it as a comment"
                status=1
            fi
            ;;
    esac
    case $file in
        common/*.c | common/*.h | tasks/*.c)
            lines=$(wc -l <"$file")
            if [ "$lines" -gt 400 ]; then
                echo "$file: $lines lines; a reader holds 400 at most: split it by subject"
                status=1
            fi
            ;;
    esac
done

# ---- tests ----

files 'tests/*' | { grep -zvE '^tests/(lib|sample|bench)/' || true; } |
    search '^(?!.*sleeps: ).*\b(sleep|usleep|nanosleep|pg_sleep)\b *[( 0-9]' |
    refuse "wait for a condition (wait_until): a time is too short on one machine and too long on \
all others. Where nothing waits for its end: a comment \"sleeps: reason\" on the line" || status=1

# ---- the tree ----

for entry in * .[!.]*; do
    case $entry in
        Makefile | tasks | common | dags | tests | ci | README.md | LICENSE | build | .*) ;;
        *)
            echo "$entry: the top level is Makefile tasks common dags tests ci README.md LICENSE; a" \
                "folder's name says what belongs in it: move this to its room"
            status=1
            ;;
    esac
done
exit $status

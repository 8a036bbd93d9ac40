# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What shell tests share. A test begins with
#
#   #!/usr/bin/env bash
#   # SPDX-License-Identifier: MIT
#   . "$(dirname "$0")/../lib/common.sh"
#   scratch_database
#
# and ends with status 0 when all of it held. The executables are on PATH. $WORK is a folder of
# the test's own, removed at its end. Without a scratch server the test starts one for itself.
set -euo pipefail

ROOT=${FACTLINE_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
FACTLINE_BIN=${FACTLINE_BIN:-$ROOT/build/bin}
PATH=$FACTLINE_BIN:$PATH
export FACTLINE_BIN PATH

WORK=$(mktemp -d "${TMPDIR:-/tmp}/factline-test.XXXXXX")
common_arguments=("$@")
common_databases=()
trap common_clean_up EXIT
trap 'exit 143' TERM INT HUP

common_clean_up()
{
    local database
    for database in ${common_databases[@]+"${common_databases[@]}"}; do
        PGDATABASE=postgres psql -XAtq -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" \
            >/dev/null 2>&1 || true
    done
    rm -rf "$WORK"
}

# fail MESSAGE: ends the test.
fail()
{
    echo "$0: $1" >&2
    exit 1
}

# scratch_database [VARIABLE]: makes an empty database, dropped at the end, and exports its name
# as PGDATABASE, or as VARIABLE.
scratch_database()
{
    local variable=${1:-PGDATABASE} database
    if [ -z "${FACTLINE_SCRATCH-}" ]; then
        common_clean_up
        exec "$ROOT/tests/lib/scratch-server.sh" run bash "$0" \
            ${common_arguments[@]+"${common_arguments[@]}"}
    fi
    database=scratch_$$_${#common_databases[@]}
    PGDATABASE=postgres psql -XAtq -c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'"
    common_databases+=("$database")
    export "$variable=$database"
}

# sql STATEMENT: what the statement gives, unaligned.
sql()
{
    PGTZ=UTC psql -XAtq -v ON_ERROR_STOP=1 -c "$1"
}

# assert_eq EXPECTED SEEN [WHAT]
assert_eq()
{
    [ "$1" = "$2" ] || fail "${3:-value}: expected \"$1\", seen \"$2\""
}

# assert_match PATTERN SEEN [WHAT]: an extended regular expression, somewhere in it.
assert_match()
{
    [[ $2 =~ $1 ]] || fail "${3:-value}: expected to match \"$1\", seen \"$2\""
}

# assert_status EXPECTED COMMAND...: runs it; its output is then in $WORK/stdout and $WORK/stderr.
assert_status()
{
    local expected=$1 seen=0
    shift
    "$@" >"$WORK/stdout" 2>"$WORK/stderr" || seen=$?
    [ "$seen" = "$expected" ] || {
        tail -n 20 "$WORK/stdout" "$WORK/stderr" >&2
        fail "$*: expected exit status $expected, seen $seen"
    }
}

# json_field LINE FIELD: the value as text; lists and objects as compact JSON, null as "null".
json_field()
{
    python3 -c '
import json, sys
value = json.loads(sys.argv[1])[sys.argv[2]]
print(value if isinstance(value, str) else json.dumps(value, separators=(",", ":")))' "$1" "$2"
}

# wait_until CONDITION [SECONDS]: until SELECT CONDITION is true. For what another process does;
# a test never waits for a time.
wait_until()
{
    local end=$((SECONDS + ${2:-20}))
    until [ "$(sql "SELECT ($1)")" = t ]; do
        [ "$SECONDS" -le "$end" ] || fail "waited ${2:-20} s in vain until $1"
        sleep 0.02
    done
}

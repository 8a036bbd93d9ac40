#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# with-server.sh DIR COMMAND... - runs a command beside the private server whose data is in
# DIR/server, and stops the server afterwards, whatever happened. The command finds the databases
# by name: DIR/services is its service file, and the warehouse is the default. What the caller's
# environment says of other servers does not reach it.
set -euo pipefail

dir=$1
shift
lib=$(cd "$(dirname "$0")/../lib" && pwd)

# make runs recipes with $(MAKE) under -n, too: say what would be done, and do nothing.
flags=${MAKEFLAGS-}
case ${flags%% *} in
    -* | *=*) ;;
    *n*) echo "$*" && exit 0 ;;
esac

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
exec 9>"$dir/lock"
flock -n 9 || {
    echo "make run: another one is at work in $dir; wait for its end" >&2
    exit 75
}

for name in $(compgen -e | grep -E '^(SOURCE_)?PG|^AIRFLOW_CTX_' || true); do
    unset "$name"
done

# 9>&- : a server that outlives us must not hold our lock
trap '"$lib/scratch-server.sh" stop "$dir/server" 9>&-' EXIT
trap 'exit 143' INT TERM HUP
"$lib/scratch-server.sh" start "$dir/server" 9>&-
settings=$("$lib/scratch-server.sh" env "$dir/server" 9>&-)
eval "$settings"

service()
{
    printf '[%s]\nhost=%s\nport=%s\ndbname=%s\nuser=%s\n' "$1" "$PGHOST" "$PGPORT" "$2" "$3"
}

{
    service admin postgres postgres
    service warehouse warehouse loader
    service warehouse_owner warehouse warehouse_owner
    service warehouse_reader warehouse report_reader
    service hq_form_1 hq_form_1 hq_reader
    service hq_form_2 hq_form_2 hq_reader
    service hq_synclog hq_synclog hq_reader
    service hq_main hq_main hq_reader
} >"$dir/services"
unset PGHOST PGPORT PGUSER PGDATABASE
export PGSERVICEFILE=$dir/services PGSERVICE=warehouse
PATH=$PATH:$(pg_config --bindir 2>/dev/null || echo /usr/bin)

# In the background, so that TERM is passed on at once; yet with our terminal and its interrupts.
(trap - INT && exec "$@") <&0 9>&- &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || true' TERM HUP
trap : INT
while :; do
    status=0
    wait "$child" || status=$?
    kill -0 "$child" 2>/dev/null || break
done
exit "$status"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A private PostgreSQL server, reached by a Unix socket alone.
#
#   scratch-server.sh run COMMAND...   a new server for one command, removed afterwards
#   scratch-server.sh run-with-clock COMMAND...
#                                      the same; $PGHOST/clock says by how many seconds its clock
#                                      differs from the machine's, at any moment ("+0", "-3600")
#   scratch-server.sh start DIR        a server that stays; its data under DIR; again is no error
#   scratch-server.sh stop DIR
#   scratch-server.sh env DIR          prints "export PGHOST=... ..." of the running server, to eval
#
# COMMAND sees PGHOST, PGPORT, PGUSER, PGDATABASE and FACTLINE_SCRATCH=1, by which the tests know
# that they may do what they like. The data of `run` is in FACTLINE_SCRATCH_FOLDER, or in /tmp; in
# memory databases are made several times as fast. PostgreSQL refuses to run as root: root's servers
# belong to the user postgres, or nobody. Where that user cannot reach DIR, the data is in /var/tmp,
# and DIR.location holds the path.
set -euo pipefail

fail()
{
    echo "scratch-server: $1" >&2
    exit 1
}

find_binaries()
{
    local dir
    for dir in "$(pg_config --bindir 2>/dev/null || true)" \
        $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
            echo "$dir"
            return
        fi
    done
    fail "no initdb; install postgresql, or put pg_config of a server's installation on PATH"
}

# as_owner COMMAND...: as the user who owns the server, who may not see the current directory.
as_owner()
{
    if [ "$(id -u)" != 0 ]; then
        "$@"
    elif command -v runuser >/dev/null; then
        (cd / && runuser -u "$owner" -- "$@")
    else
        (cd / && setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups -- "$@")
    fi
}

find_owner()
{
    if [ "$(id -u)" != 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

# initdb, once. Without fsync a crash of the machine may cost the data, one of the server does not.
create_cluster()
{
    local location=$1
    [ ! -e "$location/data/PG_VERSION" ] || return 0
    as_owner env -i PATH="$PATH" "$bin/initdb" --no-sync -D "$location/data" -U postgres -A trust \
        -E UTF8 --locale=C >"$location/initdb.log" 2>&1 ||
        { tail -n 20 "$location/initdb.log" >&2 && fail "could not make a cluster in $location"; }
    as_owner tee -a "$location/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
max_connections = 100
max_prepared_transactions = 10
timezone = 'UTC'
log_timezone = 'UTC'
fsync = off
CONF
}

start_cluster()
{
    local location=$1 sockets=$2
    as_owner env -i PATH="$PATH" "${clock[@]}" "$bin/pg_ctl" -D "$location/data" \
        -l "$location/log" -w -t 120 -o "-k '$sockets'" start \
        >"$location/pg_ctl.log" 2>&1 </dev/null ||
        { tail -n 20 "$location/log" "$location/pg_ctl.log" >&2 &&
            fail "could not start the server in $location"; }
}

# Debian's faketime. Only what tells the time is changed, not how long something takes.
find_clock()
{
    local library
    for library in /usr/lib/*/faketime/libfaketimeMT.so.1; do
        [ -e "$library" ] || fail "no libfaketime; install faketime"
    done
    echo "+0" >"$1/clock"
    chmod 644 "$1/clock"
    clock=(LD_PRELOAD="$library" FAKETIME_TIMESTAMP_FILE="$1/clock" FAKETIME_NO_CACHE=1
        FAKETIME_DONT_FAKE_MONOTONIC=1)
}

is_running()
{
    as_owner "$bin/pg_ctl" -D "$1/data" status >/dev/null 2>&1
}

stop_cluster()
{
    ! is_running "$1" || as_owner "$bin/pg_ctl" -D "$1/data" -m "$2" -w -t 120 stop >/dev/null 2>&1
}

# ---- run ----

# Ends the server however this ends. A second watcher stands by for a kill -9.
run_command()
{
    local location child watcher status=0
    location=$(mktemp -d "${FACTLINE_SCRATCH_FOLDER:-/tmp}/factline.XXXXXX")
    chmod 700 "$location"
    [ "$(id -u)" != 0 ] || chown "$owner" "$location"
    child=
    # shellcheck disable=SC2064 # the place is known now, and is not later
    trap "remove_cluster '$location'" EXIT
    trap 'status=143; [ -z "$child" ] || kill -TERM -- "-$child" 2>/dev/null || true' TERM INT HUP
    watch "$$" "$location" </dev/null >/dev/null 2>&1 &
    watcher=$!
    create_cluster "$location"
    [ "$verb" = run ] || find_clock "$location"
    start_cluster "$location" "$location"
    [ "$status" = 0 ] || exit "$status"

    export PGHOST=$location PGPORT=5432 PGUSER=postgres PGDATABASE=postgres FACTLINE_SCRATCH=1
    export PATH="$bin:$PATH" # its own psql, before a script of the distribution's that looks for it
    set -m # a group of its own, so that a signal reaches all of it, and INT is not ignored
    "$@" <&0 &
    child=$!
    set +m
    while :; do
        code=0
        wait "$child" || code=$?
        kill -0 "$child" 2>/dev/null || break
    done
    [ "$status" != 0 ] || status=$code
    kill "$watcher" 2>/dev/null || true
    exit "$status"
}

remove_cluster()
{
    stop_cluster "$1" immediate || true
    rm -rf "$1"
}

watch()
{
    trap '' INT HUP
    while kill -0 "$1" 2>/dev/null; do
        sleep 2
    done
    remove_cluster "$2"
}

# ---- start, stop, env ----

# Where the data of DIR is, which exists after this.
locate()
{
    local dir=$1 location
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    if [ "$(id -u)" = 0 ] && [ ! -e "$dir/data" ]; then
        chown "$owner" "$dir"
        chmod 700 "$dir"
    fi
    if as_owner test -x "$dir/." 2>/dev/null; then
        echo "$dir"
        return
    fi
    location=$(cat "$dir.location" 2>/dev/null || true)
    if [ -z "$location" ] || [ ! -d "$location" ]; then
        location=$(mktemp -d /var/tmp/factline-cluster.XXXXXX)
        chown "$owner" "$location"
        echo "$location" >"$dir.location"
    fi
    echo "$location"
}

start()
{
    local location sockets
    location=$(locate "$1")
    create_cluster "$location"
    ! is_running "$location" || return 0
    sockets=$location
    # A socket's path has at most 107 bytes.
    if [ ${#sockets} -gt 85 ]; then
        sockets=$(mktemp -d /tmp/factline.XXXXXX)
        [ "$(id -u)" != 0 ] || chown "$owner" "$sockets"
    fi
    start_cluster "$location" "$sockets"
}

stop()
{
    local location sockets
    [ -d "$1" ] || return 0
    location=$(locate "$1")
    sockets=$(sed -n 5p "$location/data/postmaster.pid" 2>/dev/null || true)
    stop_cluster "$location" fast
    case $sockets in
        /tmp/factline.*) [ "$sockets" = "$location" ] || rmdir "$sockets" 2>/dev/null || true ;;
    esac
}

print_env()
{
    local location
    [ -d "$1" ] || fail "no server runs in $1; start it"
    location=$(locate "$1")
    is_running "$location" || fail "no server runs in $1; start it"
    echo "export PGHOST='$(sed -n 5p "$location/data/postmaster.pid")'" \
        "PGPORT='$(sed -n 4p "$location/data/postmaster.pid")'" \
        "PGUSER=postgres PGDATABASE=postgres"
}

usage()
{
    echo "usage: scratch-server.sh run[-with-clock] COMMAND... | start DIR | stop DIR | env DIR" >&2
    exit 64
}

[ $# -ge 2 ] || usage
bin=$(find_binaries)
owner=$(find_owner)
verb=$1
clock=()
shift
case $verb in
    run | run-with-clock) run_command "$@" ;;
    start) start "$1" ;;
    stop) stop "$1" ;;
    env) print_env "$1" ;;
    *) usage ;;
esac

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# make install, with one executable in a tree of its own: a worker's steps may start at any moment.
. "$(dirname "$0")/../../lib/common.sh"

cd "$WORK"
mkdir -p build/bin fake
bin="$WORK/there is/opt/bin"
task=build/bin/load-staging

in_tree()
{
    make -f "$ROOT/Makefile" -o release --no-print-directory TASKS=load-staging DEPS=no \
        DESTDIR="$WORK/there is" PREFIX=/opt "$@" >make.log 2>&1
}

echo first >$task
in_tree install
[ -x "$bin/load-staging" ] && cmp $task "$bin/load-staging"
echo "ok 1 - it goes to DESTDIR and PREFIX, and may be run"

exec 8<"$bin/load-staging"
echo second >$task
in_tree install
cmp $task "$bin/load-staging"
[ "$(cat <&8)" = first ]
echo "ok 2 - a step that runs keeps its file"

cat >fake/install <<'END'
#!/bin/sh
# Ends in the middle of a copy, as where the disk is full.
[ "$1" != -d ] || exit 0
for to; do :; done
[ ! -d "$to" ] || to=$to/load-staging
printf thi >"$to"
exit 1
END
chmod +x fake/install
echo third >$task
if PATH=$WORK/fake:$PATH in_tree install; then exit 1; fi
[ "$(cat "$bin/load-staging")" = second ]
echo "ok 3 - a copy that fails leaves the executable that was there"

in_tree install uninstall
[ -z "$(ls -A "$bin")" ]
echo "ok 4 - uninstall leaves nothing"

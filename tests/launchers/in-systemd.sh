#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# in-systemd.sh FOLDER BIN SOCKETS - runs systemd as the first process of namespaces of its own,
# until it is ended. As root, on Linux with cgroups of version 2.
#
# FOLDER/system holds its units, which are all there are, FOLDER/factline what it sees as
# /etc/factline; BIN is its /usr/local/bin and the sockets of SOCKETS are in its /run/sockets.
# FOLDER/pid names the process for nsenter. Nothing of the machine is changed: mounts are private,
# /proc/sys is read-only, and what could set its clock is given up.
set -euo pipefail

inner()
{
    mount -t proc proc /proc
    mount --bind /proc/sys /proc/sys
    mount -o remount,bind,ro /proc/sys
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    exec env -i container=test setpriv --bounding-set -sys_time,-sys_boot,-sys_module \
        /lib/systemd/systemd --system --log-target=console --show-status=no
}

outer()
{
    local bin=$2 sockets=$3 socket
    folder=$1 # global, as what the traps need
    mount --make-rprivate /
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/etc /mnt/none /mnt/cgroup
    cp -a /etc/. /mnt/etc
    rm -rf /mnt/etc/systemd/system
    cp -r "$folder/system" /mnt/etc/systemd/system
    cp -r "$folder/factline" /mnt/etc/factline
    mount --bind /mnt/etc /etc
    mount --bind /mnt/none /lib/systemd/system
    mount --bind /mnt/none /lib/systemd/system-generators
    mount --bind "$bin" /usr/local/bin
    mount -t tmpfs tmpfs /run
    mkdir /run/sockets
    for socket in "$sockets"/.s.PGSQL.*[0-9]; do
        touch "/run/sockets/${socket##*/}"
        mount --bind "$socket" "/run/sockets/${socket##*/}"
    done

    # A group of its own, or systemd would take the processes of the machine for its own.
    mount -t cgroup2 cgroup2 /mnt/cgroup
    group=/mnt/cgroup/factline-test-$$
    mkdir "$group"
    trap 'find "$group" -depth -type d -exec rmdir {} + || true' EXIT
    # The first process of the namespaces takes all others with it.
    trap 'kill -KILL "$(cat "$folder/pid")"' TERM INT
    sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$group" \
        unshare --pid --ipc --uts --cgroup --mount --fork "$0" inner &
    child=$!
    until [ -n "$(cat "/proc/$child/task/$child/children")" ]; do
        sleep 0.05 # sleeps: between two looks
    done
    tr -d ' ' <"/proc/$child/task/$child/children" >"$folder/pid.new"
    mv "$folder/pid.new" "$folder/pid"
    wait "$child" || true
    # The group is free once the last process of it is gone.
    while [ -n "$(find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null)" ]; do
        sleep 0.05 # sleeps: between two looks
    done
}

case $1 in
    inner | outer) "$@" ;;
    *) exec unshare --mount "$0" outer "$@" ;;
esac

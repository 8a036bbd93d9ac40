#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What `make help` says of SECONDS is what its targets take.
. "$(dirname "$0")/../../lib/common.sh"

for target in fuzz:60 campaign:3600; do
    env -u MAKEFLAGS -u SECONDS make -C "$ROOT" -n DEPS=no "${target%:*}" >"$WORK/commands"
    grep -qF -- " --seconds ${target#*:} " "$WORK/commands"
    make -C "$ROOT" -n DEPS=no SECONDS=7 "${target%:*}" >"$WORK/commands"
    grep -qF -- " --seconds 7 " "$WORK/commands"
    echo "ok - ${target%:*} takes ${target#*:} s, or SECONDS"
done

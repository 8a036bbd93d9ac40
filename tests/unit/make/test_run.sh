#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# make run where a sample is there already: what is asked of it must be what it is.
. "$(dirname "$0")/../../lib/common.sh"

cd "$WORK"
ln -s "$ROOT/tests" tests
mkdir -p build/run/sample/commcare
echo 1 >build/run/scale
echo 2026-09-01 >build/run/sample/commcare/history-end

for other in SCALE=2 HISTORY_END=2026-10-01; do
    if make -f "$ROOT/Makefile" -o all DEPS=no run $other >make.log 2>&1; then exit 1; fi
    grep -qF 'was made with another SCALE or HISTORY_END; run make run-clean first' make.log
    echo "ok - $other of another sample is refused"
done

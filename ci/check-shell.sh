#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# No shell script holds a mistake that shellcheck knows.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <({ find common tasks tests ci dags -name '*.sh' 2>/dev/null || true
    ls ci/install-deps .ci/run; } | sort)
if ! shellcheck -x -P SCRIPTDIR -S warning "${files[@]}"; then
    echo "check-shell: correct it, or say why it is right: # shellcheck disable=SCnnnn # reason"
    exit 1
fi

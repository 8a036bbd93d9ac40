#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every header compiles alone, so that the order of includes never matters, and its guard is
# called after its path, so that no two are the same.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
libpq=$(pkg-config --cflags libpq 2>/dev/null || echo "-I$(pg_config --includedir)")
while read -r header; do
    path=${header#common/}
    guard=$(printf '%s' "$path" | tr 'a-z/.-' 'A-Z___')
    if ! grep -qx "#ifndef $guard" "$header" || ! grep -qx "#define $guard" "$header"; then
        echo "$header: its guard is not $guard; write #ifndef $guard, #define $guard"
        status=1
    fi
    # shellcheck disable=SC2086 # flags
    if ! echo "#include \"$path\"" | ${CC:-gcc} -std=c11 -D_POSIX_C_SOURCE=200809L -Icommon \
        -Ibuild/release/gen $libpq -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c -; then
        echo "$header: does not compile alone; include in it what it uses"
        status=1
    fi
done < <(find common -name '*.h' | sort)
exit $status

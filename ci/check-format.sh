#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every C file is as the pinned formatter writes it, so that nobody discusses blanks and a diff
# shows what changed.
set -euo pipefail
cd "$(dirname "$0")/.."

formatter=clang-format-14
mapfile -t files < <(find common tasks tests -name '*.[ch]' 2>/dev/null | sort)
[ ${#files[@]} -gt 0 ] || exit 0
if ! "$formatter" --dry-run --Werror "${files[@]}"; then
    echo "check-format: run \"make format\"; the layout is the formatter's business, not a reader's"
    exit 1
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: scripts/check_format.sh [CHECKOUT]
#
# Fails on C++ that clang-format (.clang-format) would change, and on scripts that shellcheck would.
# bpf/ is C in the kernel's style and is not formatted here.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"
mapfile -t sources < <(find userspace tests examples include -type f \
  \( -name '*.h' -o -name '*.cc' -o -name '*.hpp' -o -name '*.c' \) | sort)
mapfile -t scripts < <(find scripts tests .ci -type f \( -name '*.sh' -o -path '*/.ci/*' -o -path '.ci/*' \) | sort)
status=0
clang-format --dry-run --Werror "${sources[@]}" || status=1
shellcheck -x "${scripts[@]}" || status=1
exit "$status"

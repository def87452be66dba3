#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: scripts/check_headers.sh [CHECKOUT]
#
# Each public header compiles alone and without a warning: .h as C11 and as C++20, .hpp as C++20, with gcc and clang.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"
flags=(-fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Werror -Iinclude)
status=0
check() { # HEADER LANGUAGE STANDARD COMPILER...
  local header=$1 language=$2 standard=$3 compiler
  shift 3
  for compiler in "$@"; do
    # Through stdin: a header as the main file would be told off for its #pragma once.
    if ! echo "#include \"${header#include/}\"" |
      "$compiler" -x "$language" -std="$standard" "${flags[@]}" -; then
      echo "$header: does not compile alone as $standard with $compiler" >&2
      status=1
    fi
  done
}
while IFS= read -r header; do
  [[ $header == *.h ]] && check "$header" c c11 gcc clang
  check "$header" c++ c++20 g++ clang++
done < <(find include -name '*.h' -o -name '*.hpp' | sort)
exit "$status"

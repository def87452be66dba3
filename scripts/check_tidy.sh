#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: scripts/check_tidy.sh BUILD_DIR [FILE...]
#
# clang-tidy (.clang-tidy) over the files that BUILD_DIR compiles, or over some of them. Minutes, so it is part
# of the long run of tests only. BUILD_DIR must be one that clang compiles: gcc's flags are not all clang's.
set -euo pipefail
build=$(realpath "${1:?usage: scripts/check_tidy.sh BUILD_DIR [FILE...]}")
shift
cd "$(dirname "$0")/.."
root=$PWD
if (($# == 0)); then
  # A unity build compiles files of its own in BUILD_DIR, which include ours: .clang-tidy's HeaderFilterRegex has those.
  mapfile -t files < <(jq -r '.[] | .directory + "/" + .file' "$build/compile_commands.json" |
    xargs realpath | grep -E "^($root|$build)/(userspace|examples)/.*\.(cc|cpp)$" | sort -u)
  if ((${#files[@]} == 0)); then
    echo "scripts/check_tidy.sh: $build compiles nothing of userspace or examples: configure it again" >&2
    exit 1
  fi
else
  files=("$@")
fi
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$build" --quiet

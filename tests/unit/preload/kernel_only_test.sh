#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: kernel_only_test.sh CALLS PEER LIBRARY
#
# A program's socket calls with the preload library and no daemon: all of it is the kernel's TCP, and every
# call does what it does without the library. With --strict, what is refused and why.
set -euo pipefail

calls=$1 peer=$2 library=$3
port=$((20000 + $$ % 20000))
coproc far { exec "$peer" "$port"; }
# shellcheck disable=SC2154  # coproc sets it
trap 'kill "$far_PID" 2>/dev/null || true' EXIT
read -r -t 10 -u "${far[0]}" ready
[[ "$ready" == ready ]]

run() { # GTEST_FILTER [VARIABLE=VALUE...]
  local filter=$1
  shift
  env "$@" LD_PRELOAD="$library" NETCHANNEL_DAEMON=/nonexistent/netchannel.sock \
    TEST_PEER=127.0.0.1 TEST_SELF=127.0.0.1 TEST_PORT="$port" TEST_PATH=kernel GTEST_FILTER="$filter" "$calls"
}
run '-AppType.*:Strict.*'
run 'Strict.*' NETCHANNEL_STRICT=1

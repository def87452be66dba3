#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: calls_test.sh CALLS PEER [GTEST ARGUMENTS]
#
# The socket calls of tests/unit/preload between two hosts with a daemon each: first with both programs on
# NetChannel, then with one of them on kernel TCP, each way round.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/live/preload/testbed.sh
. "$here/testbed.sh"

calls=$1 peer=$2
shift 2
trap pt_down EXIT
pt_up 1500

with_peer() { # HOW PORT COMMAND...: with the far end running by pt_run or pt_plain
  local how=$1 port=$2 ready result=0 far_pid
  shift 2
  coproc far { "$how" b "$peer" "$port" 2>"$pt_dir/peer.log"; }
  # shellcheck disable=SC2154  # coproc sets it
  far_pid=$far_PID
  read -r -t 20 -u "${far[0]}" ready
  [[ "$ready" == ready ]]
  "$@" || result=$?
  kill "$far_pid" 2>/dev/null || true
  wait "$far_pid" 2>/dev/null || true
  return "$result"
}

export TEST_PEER=$NC_ADDRESS_B TEST_SELF=$NC_ADDRESS_A
echo "--- both on NetChannel"
TEST_PORT=7001 TEST_PATH=netchannel with_peer pt_run 7001 pt_run a "$calls" "$@"
echo "--- the far end on kernel TCP"
TEST_PORT=7002 TEST_PATH=kernel with_peer pt_plain 7002 pt_run a "$calls" "$@"
echo "--- this end on kernel TCP"
TEST_PORT=7003 TEST_PATH=kernel with_peer pt_run 7003 pt_plain a "$calls" "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: calls_test.sh both|near|far CALLS PEER [GTEST ARGUMENTS]
#
# The socket calls of tests/unit/preload between two hosts with a daemon each: both programs on NetChannel, or only
# the one under test (near), or only its peer (far), with the other on kernel TCP.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/live/preload/testbed.sh
. "$here/testbed.sh"

case=$1 calls=$2 peer=$3
shift 3
((EUID == 0)) || {
  echo "needs root, for network namespaces and BPF"
  exit 77
}
near=pt_run far=pt_run path=netchannel
case "$case" in
  both) ;;
  near) far=pt_plain path=kernel ;;
  far) near=pt_plain path=kernel ;;
  *)
    echo "calls_test.sh: $case: not both, near or far" >&2
    exit 2
    ;;
esac
port=7001
# Strict is without a daemon, AppType what only a virtual socket has.
export GTEST_FILTER='-Strict.*'
[[ "$path" == netchannel ]] || GTEST_FILTER+=':AppType.*'
trap pt_down EXIT
pt_up 1500

coproc far_end { "$far" b "$peer" "$port" 2>"$pt_dir/peer.log"; }
# shellcheck disable=SC2154  # coproc sets it
far_pid=$far_end_PID
read -r -t 20 -u "${far_end[0]}" ready
[[ "$ready" == ready ]]
result=0
TEST_PEER=$NC_ADDRESS_B TEST_SELF=$NC_ADDRESS_A TEST_PORT=$port TEST_PATH=$path "$near" a "$calls" "$@" || result=$?
kill "$far_pid" 2>/dev/null || true
wait "$far_pid" 2>/dev/null || true
exit "$result"

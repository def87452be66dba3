#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: commands_test.sh quickstart|interrupted|bench
#
# The commands that a newcomer types, on this build: scripts/quickstart.sh to its end, and broken off by Ctrl-C;
# scripts/bench.sh for two figures. What they print is what the README says, and nothing is left behind.
set -euo pipefail
((EUID == 0)) || {
  echo "needs root, for network namespaces and BPF"
  exit 77
}
work=$(mktemp -d)
command_pid=0

cleanup() {
  local status=$?
  if ((command_pid)) && kill -0 "$command_pid" 2>/dev/null; then
    kill -TERM -- "-$command_pid"
    wait "$command_pid" || true
  fi
  ((status == 0)) || tail -n 50 "$work"/*.log >&2
  rm -rf "$work"
}
trap cleanup EXIT

fail() {
  echo "commands_test.sh: $*" >&2
  exit 1
}

# Namespaces, pins and work directories that the command may have made.
traces() {
  ip netns list | awk '{ print $1 }' | grep -E "^(nq|nt|nb)$command_pid(-|\$)" || true
  find /sys/fs/bpf/netchannel -maxdepth 1 -name "n[qb]$command_pid*" 2>/dev/null || true
  find /dev/shm "${TMPDIR:-/tmp}" -maxdepth 1 -name 'netchannel.*' -newer "$work/begun" 2>/dev/null || true
}

# In a process group of its own, as a terminal starts it: Ctrl-C reaches all of the group.
begin() { # COMMAND...
  touch "$work/begun"
  set -m
  "$@" >"$work/out.log" 2>"$work/err.log" &
  command_pid=$!
  set +m
}

expect_line() { # PATTERN FILE
  grep -qE "$1" "$2" || fail "no line '$1' in $(basename "$2")"
}

expect_no_traces() {
  local left
  left=$(traces)
  [[ -z "$left" ]] || fail "left behind: $left"
}

case "$1" in
  quickstart)
    SIZE=16M begin "$NETCHANNEL_SCRIPTS/quickstart.sh"
    wait "$command_pid" || fail "quickstart.sh failed with status $?"
    expect_line '^16777216 bytes over one virtual socket, MTU 3484: SHA-256 agrees$' "$work/out.log"
    expect_line '^  goodput +[0-9.]+ Gbit/s$' "$work/out.log"
    expect_line '^  packets received by its XSKs +[1-9][0-9]*$' "$work/out.log"
    expect_line '^  kernel TCP segments, both hosts +0$' "$work/out.log"
    expect_line '^  AF_XDP alone, a copy at both ends +[0-9.]+ Gbit/s$' "$work/out.log"
    expect_no_traces
    ;;
  interrupted)
    SIZE=16M begin "$NETCHANNEL_SCRIPTS/quickstart.sh"
    # In the middle: both hosts run, and a client waits for its answers.
    until grep -q '^== round trips' "$work/err.log"; do
      kill -0 "$command_pid" 2>/dev/null || fail "quickstart.sh ended early"
      read -r -t 0.05 <> <(:) || true
    done
    [[ -n "$(traces)" ]] || fail "nothing to leave behind: the check below could not fail"
    kill -INT -- "-$command_pid"
    status=0
    wait "$command_pid" || status=$?
    ((status == 130)) || fail "status $status after Ctrl-C"
    expect_no_traces
    ;;
  bench)
    begin "$NETCHANNEL_SCRIPTS/bench.sh" --rounds 1 --json "$work/rows.json" messages-64 pingpong-block
    wait "$command_pid" || fail "bench.sh failed with status $?"
    for name in messages-64 pingpong-block; do
      jq -es "map(select(.name == \"$name\")) | .[0] |
        .ours > 0 and .theirs > 0 and .ratio > 0 and .ratio_min <= .ratio and .ratio <= .ratio_max and
        (.unit | length > 0) and (.theirs_is | length > 0) and has(\"target\") and has(\"met\")" \
        "$work/rows.json" >/dev/null || fail "no whole row $name in $(cat "$work/rows.json")"
    done
    expect_no_traces
    ;;
  *)
    fail "$1: not quickstart, interrupted or bench"
    ;;
esac

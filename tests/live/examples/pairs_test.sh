#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: pairs_test.sh DIRECTORY_OF_EXAMPLES
#
# The examples as a reader runs them, on two hosts: each in C against the one in C++, both ways.
set -euo pipefail
if ((EUID != 0)); then
  echo "needs root, for network namespaces and BPF"
  exit 77
fi
# shellcheck source=scripts/lib/netns.sh
. "$NETCHANNEL_SCRIPTS/lib/netns.sh"

examples=$1
name=ex$$
work=$(mktemp -d)
server=

stop_server() {
  [[ -n $server ]] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

cleanup() {
  local end
  trap '' INT TERM
  stop_server
  for end in a b; do
    nc_in "$name-$end" "$NETCHANNEL_SCRIPTS/teardown.sh" "$name$end" >/dev/null 2>&1 || true
  done
  nc_link_down "$name"
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "pairs_test.sh: $*" >&2
  cat "$work/server.log" >&2
  exit 1
}

start_server() { # COMMAND...
  # Not by nc_in: in the background a function's process id is a shell's.
  nsenter --net="/run/netns/$name-a" -- "$@" >"$work/server.log" 2>&1 &
  server=$!
}

# Again while nobody listens yet: the servers do not say when they do.
run_client() { # COMMAND...
  local i
  for ((i = 0; i < 50; ++i)); do
    nc_in "$name-b" "$@" >"$work/client.log" 2>&1 && return
    kill -0 "$server" || fail "$1: the server has ended"
    grep -q connect "$work/client.log" || break
    sleep 0.2
  done
  cat "$work/client.log" >&2
  fail "$1: no success"
}

echo_pair() { # SERVER CLIENT
  start_server "$examples/$1" server "${name}a" 7000
  run_client "$examples/$2" client "${name}b" "$NC_ADDRESS_A" 7000 1000
  grep -q '"hello over NetChannel": 1000 round trips' "$work/client.log" ||
    fail "$2 with $1: $(cat "$work/client.log")"
  stop_server
  echo "ok: $2 with $1: $(cat "$work/client.log")"
}

copy_pair() { # RECEIVER SENDER
  local status=0
  rm -f "$work/copy"
  start_server "$examples/$1" receive "${name}a" 7001 "$work/copy"
  run_client "$examples/$2" send "${name}b" "$NC_ADDRESS_A" 7001 "$work/original"
  wait "$server" || status=$?
  server=
  ((status == 0)) || fail "$1 from $2: exit status $status"
  [[ $(sha256sum <"$work/copy") == $(sha256sum <"$work/original") ]] || fail "$1 from $2: other bytes"
  echo "ok: $1 from $2: $(stat -c %s "$work/copy") bytes"
}

nc_link_up "$name" 1500 2 off
for end in a b; do
  nc_in "$name-$end" "$NETCHANNEL_SCRIPTS/setup.sh" "$name$end" >"$work/server.log" 2>&1 || fail "setup.sh"
done
# Not a whole number of anybody's blocks.
head -c 20000003 /dev/urandom >"$work/original"

echo_pair echo_c echo_cpp
echo_pair echo_cpp echo_c
copy_pair filecopy_c filecopy_cpp
copy_pair filecopy_cpp filecopy_c

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: scripts/check_layering.sh [CHECKOUT]
#
# Fails on an #include that points upward. What each folder may include is the table below; the order is that
# of the architecture. Also: libbpf and libxdp are known to netdriver/xdp alone.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# Folder of userspace/ -> folders of userspace/ (and bpf, include) that its files may include.
declare -A MAY=(
  [base]="base"
  [wire]="base wire"
  [transport]="base wire transport"
  [netdriver]="base wire transport netdriver"
  [netdriver/xdp]="base wire netdriver netdriver/xdp bpf"
  [netdriver/tcp]="base wire transport netdriver netdriver/tcp"
  [netscheduler/copy]="base ipc netscheduler/copy"
  [netscheduler]="base wire transport netdriver netscheduler"
  [vns]="base wire transport netdriver netscheduler vns"
  [ipc]="base ipc"
  [stack]="base wire transport netdriver netdriver/xdp netdriver/tcp netscheduler netscheduler/copy vns ipc stack bpf"
  [daemon]="base wire ipc stack daemon"
  # copies into and out of its rings are the client's: the pool of workers knows nothing of a stack
  [client]="base ipc netscheduler/copy client include"
  [preload]="base ipc client include preload"
  # raw measurements drive AF_XDP directly; everything else goes through the public API
  [cli]="base wire netdriver netdriver/xdp include cli bpf stack"
)

# Both answer in REPLY: a subshell for each #include would take a minute.
folder_of() { # path below userspace/ -> its folder in the table, or nothing
  case "$1" in
    netdriver/xdp/*) REPLY=netdriver/xdp ;;
    netdriver/tcp/*) REPLY=netdriver/tcp ;;
    netscheduler/copy/*) REPLY=netscheduler/copy ;;
    */*) REPLY=${1%%/*} ;;
    *) REPLY='' ;;
  esac
}

target_of() { # what an #include names -> its folder, "include", "bpf", or nothing for the outside
  case "$1" in
    netchannel/netchannel.h | netchannel/netchannel.hpp) REPLY=include ;;
    abi.h | *.skel.h | bpf/abi.h) REPLY=bpf ;;
    *) folder_of "$1" ;;
  esac
}

bad=0
complain() {
  echo "$1" >&2
  bad=1
}

while IFS=: read -r file line text; do
  folder_of "${file#userspace/}"
  from=$REPLY
  [[ "$text" =~ [\<\"]([^\>\"]+)[\>\"] ]] || continue
  name=${BASH_REMATCH[1]}
  if [[ "$name" =~ ^(bpf|xdp)/(libbpf|bpf|btf|xsk|libxdp)\.h$ && "$from" != netdriver/xdp ]]; then
    complain "$file:$line: $name: only netdriver/xdp knows libbpf and libxdp"
  fi
  target_of "$name"
  to=$REPLY
  # A folder that is not in the table is a library's: absl/..., linux/..., CLI/...
  if [[ -z "$to" || ( "$to" != include && "$to" != bpf && -z "${MAY[$to]:-}" ) ]]; then continue; fi
  if [[ -z "${MAY[$from]:-}" ]]; then
    complain "$file:$line: folder $from is not in the table of $0: say what it may include"
  elif [[ " ${MAY[$from]} " != *" $to "* ]]; then
    complain "$file:$line: $from must not include $to ($name)"
  fi
done < <(grep -rnE --include='*.h' --include='*.cc' --include='*.hpp' --include='*.c' \
  '^[[:space:]]*#[[:space:]]*include' userspace)

# Public headers and the BPF contract stand alone: system headers and each other only.
while IFS=: read -r file line text; do
  complain "$file:$line: $text: a public header includes system headers and its siblings only"
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' include | grep -v '"netchannel/' || true)

exit "$bad"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Prepares an interface for NetChannel: loads the XDP program, attaches it and pins its maps. Safe to run
# again: what is attached stays attached. scripts/teardown.sh undoes it, but for one thing: a BPF file system that was
# mounted stays mounted, because others may have pinned there since; most hosts mount it when they start.
#
# For an interface in another network namespace run it inside, with this one's mounts:
#   nsenter --net=/run/netns/NAME scripts/setup.sh IFACE
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: setup.sh IFACE [--generic] [--reload] [--address ADDR]... [--user NAME]
  --generic        generic XDP: any driver, slower. Default: the driver's own (native)
  --reload         replace an attached program by this build's; its maps live on
  --address ADDR   an address of this host that peers will use; default: all of IFACE
  --user NAME      let NAME use the pinned maps (it also needs CAP_NET_RAW and CAP_IPC_LOCK)
environment: NETCHANNEL_BUILD   build directory; default: build-release or build beside scripts
             NETCHANNEL_BPFFS   BPF file system for the pins; default: /sys/fs/bpf
USAGE
}

fail() {
  echo "setup.sh: $*" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/loader.sh
. "$here/lib/loader.sh"

iface=''
user=''
arguments=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --generic | --reload)
      arguments+=("$1")
      ;;
    --address | --user)
      (($# >= 2)) || fail "$1 needs a value; see --help"
      if [[ $1 == --user ]]; then user=$2; else arguments+=(--address "$2"); fi
      shift
      ;;
    -*) fail "unknown option $1; see --help" ;;
    *)
      [[ -z $iface ]] || fail "one interface at a time: $iface or $1"
      iface=$1
      ;;
  esac
  shift
done
[[ -n $iface ]] || {
  usage >&2
  exit 1
}
((EUID == 0)) || fail "set up $iface: needs root; run it with sudo"
ip link show dev "$iface" >/dev/null 2>&1 ||
  fail "set up $iface: no such interface in this network namespace; \`ip link\` lists them"
[[ -z $user ]] || id "$user" >/dev/null 2>&1 || fail "set up $iface: no user \"$user\""
loader=$(find_loader) || exit 1

# `ip netns exec NAME` mounts a new /sys, from a source of that name, for its command alone: a BPF file system
# mounted there would go with the command, pins and all.
bpffs=${NETCHANNEL_BPFFS:-/sys/fs/bpf}
if [[ $(stat -f -c %T "$bpffs" 2>/dev/null) != bpf_fs ]]; then
  sys_source=$(awk '$5 == "/sys" { source = $(NF - 1) } END { print source }' /proc/self/mountinfo)
  if [[ -z ${NETCHANNEL_BPFFS:-} && -n $sys_source && -e /run/netns/$sys_source ]]; then
    fail "set up $iface: \`ip netns exec\` hides /sys/fs/bpf;" \
      "use \`nsenter --net=/run/netns/$sys_source $0 $iface\`, or set NETCHANNEL_BPFFS"
  fi
  mkdir -p "$bpffs"
  mount -t bpf bpf "$bpffs" || fail "mount a BPF file system at $bpffs: needs CONFIG_BPF_SYSCALL"
fi
export NETCHANNEL_BPFFS=$bpffs
pins=$("$loader" pins "$iface")

"$loader" attach "$iface" "${arguments[@]}"

# A VLAN tag that the NIC strips is hidden from XDP. What was on is remembered for teardown.sh.
if command -v ethtool >/dev/null && ethtool -k "$iface" 2>/dev/null | grep -q '^rx-vlan-offload: on$'; then
  if ethtool -K "$iface" rxvlan off; then
    mkdir -p "$run_dir"
    touch "$run_dir/$(basename "$pins").rxvlan"
  else
    echo "setup.sh: $iface keeps its VLAN offload: frames with a VLAN tag go to the kernel" >&2
  fi
fi

if [[ -n $user ]]; then
  # The way there must be open too: bpffs is mounted for root alone.
  chmod o+x "$(dirname "$pins")"
  if [[ $(stat -c %a "$bpffs") != *[1357] ]]; then
    mkdir -p "$run_dir"
    touch "$(closed_mark "$bpffs")"
    chmod o+x "$bpffs"
  fi
  chown -R "$user" "$pins"
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two network namespaces joined by a multi-queue veth pair: the two "hosts" of tests and measurements.
# Sourced, or run:  netns.sh up NAME MTU QUEUES on|off   |   netns.sh down NAME
#
# NAME (at most 12 characters, unique: put your pid into it) gives everything its name: namespaces NAME-a and
# NAME-b, interfaces NAMEa and NAMEb. So pins under /sys/fs/bpf/netchannel/<interface> never collide.
# Addresses: 10.99.0.1 and fd99::1 at a, .2 and ::2 at b. on|off: segmentation and receive offloads.
# Who runs nc_link_up runs nc_link_down, in a trap on EXIT: it is safe when nothing is there.

export NC_ADDRESS_A=10.99.0.1 NC_ADDRESS_B=10.99.0.2

# nc_in NAMESPACE COMMAND...: not `ip netns exec`, which remounts /sys and hides the pinned BPF objects.
nc_in() {
  local namespace=$1
  shift
  nsenter --net="/run/netns/$namespace" -- "$@"
}

nc_link_end() { # NAME END MTU OFFLOADS: addresses and settings of one end
  local name=$1 end=$2 mtu=$3 offloads=$4 namespace="$1-$2" interface="$1$2" host=1
  [[ $end == b ]] && host=2
  ip link set "$interface" netns "$namespace"
  nc_in "$namespace" ip link set lo up
  nc_in "$namespace" ip link set "$interface" mtu "$mtu"
  nc_in "$namespace" ethtool -K "$interface" tso "$offloads" gso "$offloads" gro "$offloads" \
    >/dev/null
  nc_in "$namespace" ip address add "10.99.0.$host/24" dev "$interface"
  nc_in "$namespace" ip address add "fd99::$host/64" dev "$interface" nodad
  nc_in "$namespace" ip link set "$interface" up
}

nc_link_up() { # NAME MTU QUEUES on|off
  local name=$1 mtu=$2 queues=$3 offloads=$4 end
  if ((${#name} > 12)); then
    echo "netns.sh: name '$name': at most 12 characters" >&2
    return 1
  fi
  for end in a b; do ip netns add "$name-$end"; done
  ip link add "${name}a" numrxqueues "$queues" numtxqueues "$queues" type veth \
    peer name "${name}b" numrxqueues "$queues" numtxqueues "$queues"
  for end in a b; do nc_link_end "$name" "$end" "$mtu" "$offloads"; done
  nc_in "$name-a" ping -c 1 -W 5 -q "$NC_ADDRESS_B" >/dev/null || {
    echo "netns.sh: ${name}a cannot reach $NC_ADDRESS_B over a veth pair of MTU $mtu" >&2
    return 1
  }
}

nc_link_down() { # NAME
  local name=$1 end
  ip link delete "${name}a" 2>/dev/null || true
  for end in a b; do
    [[ -e "/run/netns/$name-$end" ]] || continue
    # Deleting the interface first frees it at once; the namespace itself goes when its last process does.
    nc_in "$name-$end" ip link delete "$name$end" 2>/dev/null || true
    ip netns delete "$name-$end" 2>/dev/null || true
  done
}

nc_netns_main() {
  set -euo pipefail
  case "${1-}" in
    up) shift; nc_link_up "$@" || { nc_link_down "$1"; return 1; } ;;
    down) nc_link_down "$2" ;;
    *) echo "usage: netns.sh up NAME MTU QUEUES on|off | netns.sh down NAME" >&2; return 2 ;;
  esac
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then nc_netns_main "$@"; fi

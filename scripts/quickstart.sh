#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: [MTU=3484] [SIZE=1G] [QUEUES=2] scripts/quickstart.sh
#        [SIZE=1G] scripts/quickstart.sh --tcp
#
# Builds; makes two network namespaces joined by a multi-queue veth pair; starts a stack in each; sends a file of SIZE
# random bytes over one virtual socket and checks its SHA-256. Prints what it took, the counters that prove the
# path, and beside them what AF_XDP alone and the kernel's TCP do here and now. Needs root. Leaves nothing behind.
#
# With --tcp the channels run over the kernel's TCP: no root, no namespaces, no interface to prepare. Both hosts are then
# stacks on loopback addresses of the machine or container that it runs in, 127.0.0.1 and 127.0.0.2.
set -euo pipefail
NC_ROOT=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/lib/deps.sh
source "$NC_ROOT/scripts/lib/deps.sh"
NC_BUILD_KIND=build-release
# shellcheck source=scripts/lib/build.sh
source "$NC_ROOT/scripts/lib/build.sh"
# shellcheck source=scripts/lib/netns.sh
source "$NC_ROOT/scripts/lib/netns.sh"

MTU=${MTU:-3484} # the largest whose frame fits one 4 KiB chunk everywhere
SIZE=${SIZE:-1G}
QUEUES=${QUEUES:-2}

die() {
  echo "quickstart.sh: $*" >&2
  exit 1
}

case "${1-}" in
  '') transport=xdp ;;
  --tcp) transport=tcp ;;
  *) die "$1: --tcp, or nothing" ;;
esac
if [[ $transport == xdp ]] && ((EUID != 0)); then
  die "makes network namespaces and loads a BPF program: run it as root, or with --tcp"
fi
if ! [[ "$MTU" =~ ^[0-9]+$ ]] || ((MTU < 1280 || MTU > 65535)); then
  die "MTU=$MTU: from 1280 to 65535 bytes"
fi
bytes=$(numfmt --from=iec "$SIZE" 2>/dev/null) ||
  die "SIZE=$SIZE: a number of bytes, or with a suffix such as 512M or 1G"
((bytes > 0)) || die "SIZE=$SIZE: at least one byte"

xdp=nq$$ # the link with the XDP program
tcp=nt$$ # a link without: an attached program would slow the kernel's TCP down
work=''
declare -A running=() # pids of our processes: server, client
reply=''              # JSON of the last pair

remove_links() {
  local end
  for end in a b; do
    [[ -e "/run/netns/$xdp-$end" ]] || continue
    nc_in "$xdp-$end" "$NC_ROOT/scripts/teardown.sh" "$xdp$end" >/dev/null 2>&1 || true
  done
  nc_link_down "$xdp"
  nc_link_down "$tcp"
}

cleanup() {
  local status=$? end
  trap - EXIT
  trap '' INT TERM # a second signal must not stop this
  for end in client server; do stop_process "$end"; done
  if [[ $transport == xdp ]]; then remove_links; fi
  if [[ -n "$work" ]]; then rm -rf "$work"; fi
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stop_process() { # server|client
  local pid=${running[$1]-} i
  [[ -n "$pid" ]] || return 0
  kill "$pid" 2>/dev/null || true
  for ((i = 0; i < 20; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  unset "running[$1]"
}

# Waits in a way that Ctrl-C and SIGTERM interrupt.
finish_process() { # server|client
  local status=0
  wait "${running[$1]}" || status=$?
  unset "running[$1]"
  ((status == 0)) || die "the $1 failed: $(cat "$work/$1.err")"
}

wait_ready() {
  local i
  for ((i = 0; i < 300; i++)); do
    grep -qx ready "$work/server.out" && return 0
    kill -0 "${running[server]}" 2>/dev/null || break
    sleep 0.1
  done
  die "the server does not start: $(cat "$work/server.err")"
}

# Both ends of one run, server at a and client at b; the client's JSON is in `reply`. In the words, @WORK@ stands for the
# work directory, whose name may have spaces.
pair() { # LINK OVER "SERVER ARGUMENTS" "CLIENT ARGUMENTS": words after `netchannel`, without what is added here
  local link=$1 over=$2 at_a=() at_b=() in_a=() in_b=() to=$NC_ADDRESS_A server_words client_words
  read -ra server_words <<<"$3"
  read -ra client_words <<<"$4"
  server_words=("${server_words[@]//@WORK@/"$work"}")
  client_words=("${client_words[@]//@WORK@/"$work"}")
  if [[ $link == loopback ]]; then
    to=127.0.0.1
    at_a=(--port "$port")
    at_b=(--port "$port")
    if [[ $over != tcp ]]; then
      at_a+=(--interface 127.0.0.1 --set "host.port=$port" --set "status.status_directory=$work")
      at_b+=(--interface 127.0.0.2 --set "host.port=$port" --set "status.status_directory=$work")
    fi
  else
    # nsenter becomes the program: $! is the program's own pid.
    in_a=(nsenter --net="/run/netns/$link-a" --)
    in_b=(nsenter --net="/run/netns/$link-b" --)
    if [[ $over != tcp ]]; then
      at_a=(--interface "${link}a")
      at_b=(--interface "${link}b")
    fi
  fi
  : >"$work/server.out" # here, not only in the child: the last server's "ready" must be gone
  "${in_a[@]}" "$netchannel" "${server_words[@]}" --over "$over" \
    "${at_a[@]}" >"$work/server.out" 2>"$work/server.err" &
  running[server]=$!
  wait_ready
  "${in_b[@]}" "$netchannel" "${client_words[@]}" --over "$over" \
    "${at_b[@]}" --connect "$to" --json >"$work/client.out" 2> >(tee "$work/client.err" >&2) &
  running[client]=$!
  finish_process client
  finish_process server
  reply=$(<"$work/client.out")
}

copy() { # LINK OVER [MORE CLIENT AND SERVER ARGUMENTS]
  rm -f "$work/received"
  pair "$1" "$2" "copy receive --quiet ${3-} @WORK@/received" "copy send ${4-} @WORK@/sent"
  rm -f "$work/received"
}

tcp_segments() { # NAMESPACE: segments that its kernel's TCP has received and sent
  # shellcheck disable=SC2016  # awk's own fields
  nc_in "$1" awk '/^Tcp: [0-9]/ { print $11 + $12 }' /proc/net/snmp
}

tcp_offloads() { # on|off
  local end
  for end in a b; do
    nc_in "$tcp-$end" ethtool -K "$tcp$end" tso "$1" gso "$1" gro "$1" >/dev/null
  done
}

field() { jq -r "$2" <<<"$1"; } # JSON FILTER

room_for_two() { # DIRECTORY: whether the file fits twice
  local free
  free=$(df --output=avail -B1 "$1" 2>/dev/null | tail -1)
  [[ -n "$free" ]] && ((free > bytes * 2 + 64 * 1024 * 1024))
}

make_work_directory() {
  local directory
  # Memory first: the stack is to be seen, not the disk.
  for directory in /dev/shm "${TMPDIR:-/tmp}"; do
    room_for_two "$directory" || continue
    work=$(mktemp -d "$directory/netchannel.XXXXXX")
    return
  done
  die "neither /dev/shm nor ${TMPDIR:-/tmp} has room for two files of $bytes bytes; SIZE=256M needs less"
}

row() { printf '  %-34s %s\n' "$1" "$2"; }

say() { echo "== $*" >&2; }

say "packages and build"
nc_install_deps
nc_configure "$NC_BUILD" "${NC_RELEASE_OPTIONS[@]}"
if [[ $transport == tcp ]]; then NC_PROGRAMS=(userspace/cli/netchannel); fi
nc_ninja "$NC_BUILD" "${NC_PROGRAMS[@]}"
netchannel=$NC_BUILD/userspace/cli/netchannel

gbps='(.goodput_gbps * 100 | round / 100 | tostring) + " Gbit/s"'
cpu='(.cpu_seconds_per_gb * 100 | round / 100 | tostring) + " CPU seconds per GB"'
trip='"P50 \(.p50_us * 10 | round / 10) us, P99.9 \(.p999_us * 10 | round / 10) us"'

outcome() { # HOW COPY_REPORT PINGPONG_REPORT
  echo
  echo "$bytes bytes over one virtual socket, $1: SHA-256 agrees"
  row "goodput" "$(field "$2" "$gbps")"
  row "CPU, both ends" "$(field "$2" "$cpu")"
  row "round trip, 64 B, blocking" "$(field "$3" "$trip")"
}

over_tcp() {
  local port=$((20000 + $$ % 30000)) ours trips kernel kernel_trips
  say "two hosts: stacks on 127.0.0.1 and 127.0.0.2, port $port, user $(id -un)"
  make_work_directory
  say "a file of $bytes random bytes"
  head -c "$bytes" /dev/urandom >"$work/sent"
  say "the file over one virtual socket"
  copy loopback netchannel "--status @WORK@/a.json" "--status @WORK@/b.json"
  ours=$reply
  say "round trips, the kernel's TCP"
  pair loopback netchannel "bench pingpong --server --once --class latency" \
    "bench pingpong --class latency --seconds 2"
  trips=$reply
  copy loopback tcp "" "--quiet"
  kernel=$reply
  pair loopback tcp "bench pingpong --server --once --nodelay" "bench pingpong --seconds 2 --nodelay"
  kernel_trips=$reply

  outcome "channels over the kernel's TCP on loopback addresses" "$ours" "$trips"
  echo "the path"
  row "user, effective capabilities" "$(id -un), $(awk '/^CapEff/ { print $2 }' /proc/self/status)"
  row "transport at the sender" "$(jq -r '.stack | .transport + " (" + .transport_why + ")"' "$work/b.json")"
  row "its channels" "$(jq -r '[.sessions[0].channels[] | "\(.class) \(.packets_sent)"] | join(", ") + " segments sent"' "$work/b.json")"
  row "congestion control" "$(jq -r '.sessions[0].congestion' "$work/b.json"), the kernel's"
  echo "beside it, on this machine, now"
  row "kernel TCP" "$(field "$kernel" "$gbps"), $(field "$kernel" "$cpu")"
  row "kernel TCP round trip, 64 B" "$(field "$kernel_trips" "$trip")"
}

if [[ $transport == tcp ]]; then
  over_tcp
  exit
fi

say "two hosts: namespaces $xdp-a and $xdp-b, MTU $MTU, $QUEUES queues"
make_work_directory
nc_link_up "$xdp" "$MTU" "$QUEUES" off
nc_link_up "$tcp" "$MTU" "$QUEUES" off
for end in a b; do
  nc_in "$xdp-$end" "$NC_ROOT/scripts/setup.sh" "$xdp$end" >&2
done

say "a file of $bytes random bytes"
head -c "$bytes" /dev/urandom >"$work/sent"

say "the file over one virtual socket"
segments=$(($(tcp_segments "$xdp-a") + $(tcp_segments "$xdp-b")))
copy "$xdp" netchannel "--status @WORK@/a.json" "--status @WORK@/b.json"
ours=$reply
segments=$(($(tcp_segments "$xdp-a") + $(tcp_segments "$xdp-b") - segments))

say "round trips, AF_XDP alone, the kernel's TCP"
pair "$xdp" netchannel "bench pingpong --server --once --class latency" \
  "bench pingpong --class latency --seconds 2"
trips=$reply
pair "$xdp" raw "bench stream --server --once" "bench stream --seconds 2"
raw=$reply
copy "$tcp" tcp "--congestion cubic" "--congestion cubic --quiet"
tcp_off=$reply
pair "$tcp" tcp "bench pingpong --server --once --nodelay --congestion cubic" \
  "bench pingpong --seconds 2 --nodelay --congestion cubic"
tcp_trips=$reply
tcp_offloads on
copy "$tcp" tcp "--congestion cubic" "--congestion cubic --quiet"
tcp_on=$reply

steered='.verdicts.steered + .verdicts.steered_home'

outcome "MTU $MTU" "$ours" "$trips"
echo "the path"
row "packets sent by the sender's XSKs" "$(jq '[.lanes[].tx_packets] | add' "$work/b.json")"
row "packets steered at the receiver" "$(jq "$steered" "$work/a.json") by the XDP program"
row "packets received by its XSKs" "$(jq '[.lanes[].rx_packets] | add' "$work/a.json")"
row "other verdicts at the receiver" "$(jq -r '.verdicts | to_entries
  | map(select(.value > 0 and (.key | startswith("steered") | not)) | "\(.key) \(.value)") | join(", ")' "$work/a.json")"
row "kernel TCP segments, both hosts" "$segments"
echo "beside it, on this machine, now"
row "AF_XDP alone, a copy at both ends" "$(field "$raw" "$gbps")"
row "kernel TCP (cubic), offloads off" "$(field "$tcp_off" "$gbps"), $(field "$tcp_off" "$cpu")"
row "kernel TCP (cubic), offloads on" "$(field "$tcp_on" "$gbps"), $(field "$tcp_on" "$cpu")"
row "kernel TCP round trip, 64 B" "$(field "$tcp_trips" "$trip")"

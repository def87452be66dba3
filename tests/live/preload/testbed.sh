# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Two hosts with a daemon each, for tests of unmodified programs. Sourced; needs
#   NETCHANNEL_BUILD, NETCHANNEL_SCRIPTS   the build's root and the checkout's scripts
# and gives
#   pt_up, and pt_down in a trap on EXIT
#   pt_run a|b COMMAND...      as `netchannel run` does, on that host; pt_plain: on kernel TCP
#   pt_daemon_up a|b, pt_daemon_kill a|b
# Names are of this process, so tests can run side by side.

# shellcheck source=scripts/lib/netns.sh
. "$NETCHANNEL_SCRIPTS/lib/netns.sh"

pt_name=pt$$
pt_dir=$(mktemp -d)
declare -A pt_daemons=()

pt_socket() { echo "$pt_dir/$1.sock"; }

pt_plain() { # HOST COMMAND...
  local host=$1
  shift
  nc_in "$pt_name-$host" "$@"
}

pt_run() { # HOST COMMAND...
  local host=$1
  shift
  NETCHANNEL_DAEMON=$(pt_socket "$host") pt_plain "$host" \
    "$NETCHANNEL_BUILD/userspace/cli/netchannel" run -- "$@"
}

pt_daemon_up() { # HOST
  local host=$1 out="$pt_dir/$1.out" word
  rm -f "$out"
  mkfifo "$out"
  # Not by nc_in: in the background a function's process id is a shell's.
  nsenter --net="/run/netns/$pt_name-$host" -- "$NETCHANNEL_BUILD/userspace/daemon/netchanneld" \
    --interface "$pt_name$host" --set "daemon.socket='$(pt_socket "$host")'" \
    >"$out" 2>"$pt_dir/$host.log" &
  pt_daemons[$host]=$!
  read -r -t 20 word <"$out" || true
  if [[ "${word:-}" != ready ]]; then
    echo "netchanneld on $host: not ready" >&2
    cat "$pt_dir/$host.log" >&2
    return 1
  fi
}

pt_daemon_kill() { # HOST
  kill -KILL "${pt_daemons[$1]}"
  wait "${pt_daemons[$1]}" 2>/dev/null || true
  unset "pt_daemons[$1]"
}

pt_up() { # MTU
  local host
  nc_link_up "$pt_name" "${1:-1500}" 4 off
  for host in a b; do
    pt_plain "$host" "$NETCHANNEL_SCRIPTS/setup.sh" "$pt_name$host" >"$pt_dir/setup.log" 2>&1 || {
      cat "$pt_dir/setup.log" >&2
      return 1
    }
    pt_daemon_up "$host"
  done
}

pt_down() {
  local host
  for host in "${!pt_daemons[@]}"; do
    kill "${pt_daemons[$host]}" 2>/dev/null || true
    wait "${pt_daemons[$host]}" 2>/dev/null || true
  done
  for host in a b; do
    pt_plain "$host" "$NETCHANNEL_SCRIPTS/teardown.sh" "$pt_name$host" >/dev/null 2>&1 || true
  done
  nc_link_down "$pt_name"
  rm -rf "$pt_dir"
}

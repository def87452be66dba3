# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds. Sourced; needs NC_ROOT, the checkout, and NC_BUILD_KIND: `build` for tests, `build-release` for what is used
# and measured. NETCHANNEL_BUILD in the environment names another build directory; setup.sh and teardown.sh read it too.

NC_BUILD=${NETCHANNEL_BUILD:-$NC_ROOT/$NC_BUILD_KIND}
export NETCHANNEL_BUILD=$NC_BUILD

# Link-time optimisation takes a quarter off the stack's own part of a packet, and makes linking slow: tests do without.
# shellcheck disable=SC2034  # used by those who source this
NC_RELEASE_OPTIONS=(-Db_lto=true)

# What the other scripts run: the command, and the loader of the XDP program. As ninja's targets.
# shellcheck disable=SC2034  # used by those who source this
NC_PROGRAMS=(userspace/cli/netchannel userspace/netdriver/xdp/netchannel-xdp)
# What scripts/bench.sh and scripts/experiments.sh run beside them.
# shellcheck disable=SC2034
NC_BENCH_PROGRAMS=(userspace/daemon/netchanneld userspace/preload/libnetchannel_preload.so
  tests/bench/connection_rate tests/bench/redis_mix tests/bench/libmptcp_sockets.so)

# nc_configure DIR [MESON OPTION...]: sets the build directory up, or leaves it when it is. CC and CXX count.
nc_configure() {
  local dir=$1
  shift
  [[ -f "$dir/build.ninja" ]] && return 0
  meson setup "$dir" "$NC_ROOT" "$@" >"$dir.log" 2>&1 || {
    cat "$dir.log" >&2
    echo "$0: meson cannot set up $dir: see the lines above" >&2
    return 1
  }
  rm -f "$dir.log"
}

# nc_ninja DIR [TARGET...]: prints ninja's own progress on a terminal, and only errors elsewhere.
nc_ninja() ( # a subshell, so that the traps are its own
  dir=$1
  shift
  if [[ -t 1 ]]; then
    ninja -C "$dir" "$@"
    exit
  fi
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  ninja -C "$dir" "$@" >"$log" 2>&1 && exit 0
  grep -v '^\[' "$log" | head -100 >&2 || true
  echo "$0: building $dir failed" >&2
  exit 1
)

# nc_build_to_measure: installs what is missing and builds all that the measurements run. Needs root, and deps.sh.
nc_build_to_measure() {
  if ((EUID != 0)); then
    echo "$0: makes network namespaces and loads a BPF program: run it as root" >&2
    exit 1
  fi
  nc_install_deps
  nc_configure "$NC_BUILD" "${NC_RELEASE_OPTIONS[@]}"
  nc_ninja "$NC_BUILD" "${NC_PROGRAMS[@]}" "${NC_BENCH_PROGRAMS[@]}"
}

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The Debian packages that building, testing and measuring need: the one list of them.
# Sourced. `nc_install_deps` installs those that are missing, and needs root only then.

NC_PACKAGES=(
  # compilers and build
  build-essential g++ clang llvm libclang-rt-14-dev meson ninja-build pkg-config
  # BPF and AF_XDP
  libbpf-dev libxdp-dev bpftool liburing-dev linux-libc-dev
  # libraries
  libabsl-dev libtomlplusplus-dev libcli11-dev nlohmann-json3-dev
  libnl-3-dev libnl-route-3-dev libssl-dev
  # tests and checks
  libgtest-dev libgmock-dev shellcheck clang-format clang-tidy
  # what the scripts run
  git python3 iproute2 iputils-ping ethtool jq util-linux procps
  # programs that run on NetChannel in tests and measurements
  redis-server redis-tools iperf3 curl socat openssh-server openssh-client nginx-light
)

nc_missing_packages() {
  local package
  for package in "${NC_PACKAGES[@]}"; do
    # shellcheck disable=SC2016  # ${db:...} is dpkg-query's own format
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
      printf '%s\n' "$package"
  done
}

nc_install_deps() {
  local missing
  mapfile -t missing < <(nc_missing_packages)
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    echo "$0: missing packages: ${missing[*]}: install them with apt-get, or run this as root" >&2
    return 1
  fi
  echo "installing ${#missing[@]} packages: ${missing[*]}" >&2
  local log policy=/usr/sbin/policy-rc.d
  log=$(mktemp)
  # The tests start the servers that they need themselves; installing one must not.
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  else
    policy=
  fi
  if ! { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
    { apt-get update &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; }
  } >"$log" 2>&1; then
    tail -20 "$log" >&2
    rm -f "$policy"
    echo "$0: apt-get could not install: ${missing[*]}" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log" "$policy"
}

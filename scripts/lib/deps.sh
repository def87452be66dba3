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

# While this exists no package's installation starts a service: the tests start the servers that they need themselves.
NC_POLICY=/usr/sbin/policy-rc.d
NC_POLICY_MARK="# of NetChannel's scripts/lib/deps.sh, for as long as it installs packages"

# Leaves somebody else's. One of ours may be an earlier run's that was killed.
nc_remove_policy() {
  if grep -qsxF "$NC_POLICY_MARK" "$NC_POLICY"; then rm -f "$NC_POLICY"; fi
}

# A subshell, so that the traps are its own: the caller's stay as they are.
nc_apt_install() ( # PACKAGE...
  log=$(mktemp)
  trap 'rm -f "$log"; nc_remove_policy' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [[ ! -e $NC_POLICY ]]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$NC_POLICY_MARK" >"$NC_POLICY"
    chmod +x "$NC_POLICY"
  fi
  export DEBIAN_FRONTEND=noninteractive
  install=(apt-get install -y --no-install-recommends "$@")
  { "${install[@]}" || { apt-get update && "${install[@]}"; }; } >"$log" 2>&1 && exit 0
  tail -20 "$log" >&2
  echo "$0: apt-get could not install: $*" >&2
  exit 1
)

nc_install_deps() {
  local missing
  if ((EUID == 0)); then nc_remove_policy; fi
  mapfile -t missing < <(nc_missing_packages)
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    echo "$0: missing packages: ${missing[*]}: install them with apt-get, or run this as root" >&2
    return 1
  fi
  echo "installing ${#missing[@]} packages: ${missing[*]}" >&2
  nc_apt_install "${missing[@]}"
}

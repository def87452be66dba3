# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For setup.sh and teardown.sh, which source it: where the netchannel-xdp program is, and what setup.sh
# leaves for teardown.sh to undo.

# shellcheck disable=SC2034 # used by those who source this
run_dir=/run/netchannel

# Prints its path. In a build directory, or installed.
find_loader() {
  local build=${NETCHANNEL_BUILD:-$here/../build}
  local candidate
  for candidate in "$build/userspace/netdriver/xdp/netchannel-xdp" \
    "$here/../libexec/netchannel-xdp" /usr/local/libexec/netchannel-xdp /usr/libexec/netchannel-xdp; do
    if [[ -x $candidate ]]; then
      echo "$candidate"
      return 0
    fi
  done
  echo "$(basename "$0"): find netchannel-xdp in $build: it is not built;" \
    "run \`meson setup build && ninja -C build\`, or set NETCHANNEL_BUILD" >&2
  return 1
}

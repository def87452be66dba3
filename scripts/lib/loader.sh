# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For setup.sh and teardown.sh, which source it: where the netchannel-xdp program is, and what setup.sh
# leaves for teardown.sh to undo.

# shellcheck disable=SC2034 # used by those who source this
run_dir=/run/netchannel

# The file that says that setup.sh has opened a BPF file system to others than root.
closed_mark() { # BPFFS
  echo "$run_dir/bpffs${1//\//-}.closed"
}

# Prints the path of netchannel-xdp. In a build directory, or installed.
find_loader() {
  local in_build=userspace/netdriver/xdp/netchannel-xdp candidate
  local builds=("$here/../build-release" "$here/../build")
  [[ -z ${NETCHANNEL_BUILD-} ]] || builds=("$NETCHANNEL_BUILD")
  for candidate in "${builds[@]/%//$in_build}" "$here/../libexec/netchannel-xdp" \
    /usr/local/libexec/netchannel-xdp /usr/libexec/netchannel-xdp; do
    if [[ -x $candidate ]]; then
      echo "$candidate"
      return 0
    fi
  done
  echo "$(basename "$0"): find netchannel-xdp in ${builds[*]}: it is not built;" \
    "run \`meson setup build && ninja -C build\`, or set NETCHANNEL_BUILD" >&2
  return 1
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Undoes scripts/setup.sh: detaches NetChannel's XDP program from an interface and removes its pins. Other XDP
# programs stay, and so does the BPF file system. Safe to run again, and when nothing is set up.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/loader.sh
. "$here/lib/loader.sh"

if (($# != 1)) || [[ $1 == -* ]]; then
  echo "usage: teardown.sh IFACE   (environment: as for setup.sh)" >&2
  [[ ${1:-} == -h || ${1:-} == --help ]] && exit 0
  exit 1
fi
if ((EUID != 0)); then
  echo "teardown.sh: tear down $1: needs root; run it with sudo" >&2
  exit 1
fi
loader=$(find_loader)
"$loader" detach "$1"

mark=$run_dir/$(basename "$("$loader" pins "$1")").rxvlan
if [[ -e $mark ]]; then
  ethtool -K "$1" rxvlan on 2>/dev/null || true # the interface may be gone
  rm -f "$mark"
fi

# With the last interface nobody needs the way to the pins.
bpffs=${NETCHANNEL_BPFFS:-/sys/fs/bpf}
mark=$(closed_mark "$bpffs")
if [[ -e $mark && ! -e $bpffs/netchannel ]]; then
  chmod o-x "$bpffs" 2>/dev/null || true # it may be gone
  rm -f "$mark"
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what a build has made, so that netchanneld runs as a service: binaries, the preload library, the scripts
# that prepare an interface, the unit, a system user and group. --remove undoes it. With DESTDIR in the environment
# all files go below it, for a package to take: without root, and this host stays as it is.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: [DESTDIR=DIR] install.sh [--build DIR] [--prefix DIR] [--remove]
  --build DIR    build directory; default: build-release or build beside scripts
  --prefix DIR   default: /usr/local
  --remove       removes what was installed; the user, the group and the configuration stay
then: systemctl enable --now netchanneld@IFACE
Programs of users in the group "netchannel" may use the daemon. Configuration: /etc/netchannel/IFACE.toml, if any.
USAGE
}

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=''
prefix=/usr/local
remove=0
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --build | --prefix)
      (($# >= 2)) || fail "$1 needs a value; see --help"
      if [[ $1 == --build ]]; then build=$2; else prefix=$2; fi
      shift
      ;;
    --remove) remove=1 ;;
    *) fail "unknown argument $1; see --help" ;;
  esac
  shift
done
# The unit and the libraries' search paths take no other characters.
[[ $prefix =~ ^/[A-Za-z0-9._/+-]*$ ]] || fail "--prefix $prefix: an absolute path of letters, digits and ._/+- only"
destdir=${DESTDIR:-}
[[ -n $destdir ]] || ((EUID == 0)) || fail "needs root; run it with sudo, or set DESTDIR to make a package"

unit=$destdir/etc/systemd/system/netchanneld@.service
into=$destdir$prefix
share=$into/share/netchannel
reload_units() {
  if [[ -z $destdir && -d /run/systemd/system ]]; then systemctl daemon-reload; fi
}
make_user() {
  getent group netchannel >/dev/null || groupadd --system netchannel
  getent passwd netchannel >/dev/null ||
    useradd --system --gid netchannel --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin netchannel
}

pids_running() { # PROGRAM: of all processes for root, else of the user's own
  local file
  file=$(realpath -e "$1" 2>/dev/null) || return 0
  # find fails where a process ends meanwhile.
  { find /proc -maxdepth 2 -name exe -lname "$file" -printf '%h\n' 2>/dev/null || true; } | sed 's|.*/||' | paste -sd' '
}

if ((remove)); then
  running=$(pids_running "$into/sbin/netchanneld")
  [[ -z $running ]] ||
    fail "$into/sbin/netchanneld runs (pid $running): stop it first, systemctl disable --now netchanneld@IFACE"
  rm -f "$unit" "$into"/sbin/netchanneld "$into"/bin/netchannel "$into"/lib/libnetchannel_preload.so
  rm -rf "$share"
  reload_units
  exit 0
fi

if [[ -z $build ]]; then
  for candidate in "$root/build-release" "$root/build"; do
    [[ -x $candidate/userspace/daemon/netchanneld ]] && build=$candidate && break
  done
fi
[[ -n $build && -x $build/userspace/daemon/netchanneld ]] ||
  fail "find netchanneld: it is not built; run \`meson setup build && ninja -C build\`, or give --build"

[[ -n $destdir ]] || make_user
install -D -m 755 "$build/userspace/daemon/netchanneld" "$into/sbin/netchanneld"
install -D -m 755 "$build/userspace/cli/netchannel" "$into/bin/netchannel"
install -D -m 755 "$build/userspace/preload/libnetchannel_preload.so" "$into/lib/libnetchannel_preload.so"
install -D -m 755 "$build/userspace/netdriver/xdp/netchannel-xdp" "$share/libexec/netchannel-xdp"
install -D -m 755 -t "$share/scripts" "$root/scripts/setup.sh" "$root/scripts/teardown.sh"
install -D -m 644 -t "$share/scripts/lib" "$root/scripts/lib/loader.sh"
mkdir -p "$destdir/etc/netchannel" "$(dirname "$unit")"
sed "s|@PREFIX@|$prefix|g" "$root/scripts/netchanneld@.service.in" >"$unit"
reload_units
[[ -z $destdir ]] || exit 0
echo "installed in $prefix; start it with: systemctl enable --now netchanneld@IFACE"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: install_test.sh INSTALL_SH BUILD
#
# What install.sh puts below DESTDIR: all that the unit names, a unit that systemd takes, and nothing left when it is
# removed. Exit status 77, skipped, without systemd-analyze.
set -euo pipefail

install=$1 build=$2
command -v systemd-analyze >/dev/null || {
  echo "skipped: no systemd-analyze here (Debian's package systemd)"
  exit 77
}
fail() {
  echo "install_test.sh: $*" >&2
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=/opt/netchannel
DESTDIR=$work "$install" --build "$build" --prefix "$prefix"
for program in sbin/netchanneld bin/netchannel share/netchannel/libexec/netchannel-xdp \
  share/netchannel/scripts/setup.sh share/netchannel/scripts/teardown.sh; do
  [[ -x $work$prefix/$program ]] || fail "$program is not installed, or no program"
done
for file in lib/libnetchannel_preload.so share/netchannel/scripts/lib/loader.sh; do
  [[ -f $work$prefix/$file ]] || fail "$file is not installed"
done
"$work$prefix/sbin/netchanneld" --version >/dev/null
"$work$prefix/bin/netchannel" --version >/dev/null

# systemd looks for the programs that a unit names: here they are below DESTDIR.
unit=$work/etc/systemd/system/netchanneld@.service
! grep -n '@[A-Z]*@' "$unit" || fail "the lines above still have a place to fill"
for needed in 'Type=notify' 'User=netchannel' 'Group=netchannel' 'LimitMEMLOCK=infinity' 'Restart=on-failure' \
  'CapabilityBoundingSet=CAP_NET_RAW CAP_IPC_LOCK' "ExecStartPre=+$prefix/share/netchannel/scripts/setup.sh %i"; do
  grep -qF -- "$needed" "$unit" || fail "the unit does not say $needed"
done
mkdir "$work/verified"
sed "s|$prefix|$work$prefix|g" "$unit" >"$work/verified/netchanneld@.service"
said=$(systemd-analyze verify "$work/verified/netchanneld@.service" 2>&1) || fail "systemd-analyze verify: $said"
[[ $said != *netchanneld* ]] || fail "systemd-analyze verify: $said"

expect_refusal() { # WORDS ARGUMENTS...
  local said status=0
  said=$(DESTDIR=$work "$install" "${@:2}" 2>&1) || status=$?
  if ((status != 1)) || [[ $said != *"$1"* || $said == *$'\n'* ]]; then
    fail "install.sh ${*:2}: status $status and '$said', not one line with '$1'"
  fi
}
for wrong in relative '/a b' '/a&b' '/a|b'; do
  expect_refusal "--prefix $wrong: an absolute path" --build "$build" --prefix "$wrong"
done

# Another program in the daemon's place, which runs until it is told to end.
cp "$(command -v cat)" "$work$prefix/sbin/netchanneld"
mkfifo "$work/until"
"$work$prefix/sbin/netchanneld" "$work/until" &
running=$!
exec 3>"$work/until" # waits until it reads, so it runs
expect_refusal "netchanneld runs (pid $running): stop it first" --prefix "$prefix" --remove
[[ -x $work$prefix/bin/netchannel ]] || fail "a refused --remove has removed something"
exec 3>&-
wait "$running"
rm "$work/until"

DESTDIR=$work "$install" --prefix "$prefix" --remove
left=$(find "$work" -path "$work/verified" -prune -o -type f -print)
[[ -z $left ]] || fail "left by --remove: $left"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: deps_test.sh DEPS_SH
#
# What an installation of packages that ends early leaves behind: nothing. In place of apt-get, a function.
# shellcheck disable=SC2317  # apt-get is called, by what is under test
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
# shellcheck source=scripts/lib/deps.sh
source "$1"
NC_POLICY=$work/policy-rc.d

fail() {
  echo "deps_test.sh: $*" >&2
  exit 1
}

expect_status() { # STATUS COMMAND...
  local expected=$1 status=0
  shift
  "$@" 2>/dev/null || status=$?
  ((status == expected)) || fail "$*: exit status $status, not $expected"
}

expect_nothing_left() { # AFTER
  [[ ! -e $NC_POLICY ]] || fail "$1: the policy stays"
  [[ -z $(ls "$TMPDIR") ]] || fail "$1: a log stays"
}

apt-get() { grep -q '^exit 101$' "$NC_POLICY" && [[ -x $NC_POLICY ]]; }
expect_status 0 nc_apt_install one
expect_nothing_left "after an installation"

apt-get() { return 1; }
expect_status 1 nc_apt_install one
expect_nothing_left "after a failed one"

for signal in INT TERM; do
  if [[ $signal == INT ]]; then status_of_signal=130; else status_of_signal=143; fi
  apt-get() { kill -"$signal" "$BASHPID"; }
  expect_status "$status_of_signal" nc_apt_install one
  expect_nothing_left "after SIG$signal"
done

# Of a run that was killed.
printf '#!/bin/sh\n%s\nexit 101\n' "$NC_POLICY_MARK" >"$NC_POLICY"
nc_remove_policy
expect_nothing_left "after a run that was killed"

# Somebody else's.
printf '#!/bin/sh\nexit 101\n' >"$NC_POLICY"
apt-get() { true; }
expect_status 0 nc_apt_install one
[[ -e $NC_POLICY ]] || fail "somebody else's policy is gone"

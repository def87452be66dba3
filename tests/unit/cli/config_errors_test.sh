#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: config_errors_test.sh NETCHANNEL NETCHANNELD
#
# What is wrong in a configuration file has its own name and line, whichever program reads it and whatever --set says.
set -euo pipefail
netchannel=$1 daemon=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
file=$work/netchannel.toml
# Sections and keys out of order, and comments.
cat >"$file" <<'TOML'
# Of rack 7.
[session]
pacing = true

# As measured.
channels = 99
[driver]
mode = "copy"
TOML

expect() { # PATTERN COMMAND...
  local pattern=$1 status=0
  shift
  "$@" >"$work/out" 2>&1 || status=$?
  if ((status != 1)) || ! grep -qF -- "$pattern" "$work/out" || (($(wc -l <"$work/out") != 1)); then
    echo "config_errors_test.sh: $*: exit status $status, and not one line with '$pattern':" >&2
    cat "$work/out" >&2
    exit 1
  fi
}

wrong="$file:6: session.channels: must be a number from 1 to 8"
for program in "$daemon" "$netchannel bench stream --server"; do
  # shellcheck disable=SC2086  # a command and its arguments
  run() { expect "$1" $program --interface lo --config "$file" "${@:2}"; }
  run "$wrong"
  run "$wrong" --set driver.mode=auto
  run "$wrong" --set session.channels=4
done
expect "$wrong" "$netchannel" config "$file"

sed -i 's/^channels = 99/channels = 2/' "$file"
for program in "$daemon" "$netchannel bench stream --server"; do
  run "--set session.channels=9: session.channels: must be a number from 1 to 8" --set session.channels=9
done

# A flag that stands for a key has the key's range, and its own name.
expect "--channels: Value 9 not in range" "$netchannel" bench stream --server --interface lo --channels 9

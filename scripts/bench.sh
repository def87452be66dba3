#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: scripts/bench.sh [--json FILE] [--rounds N] [NAME...]
#
# Installs what is missing, builds, and measures: all names or the given ones (--help lists them). Each figure
# alternates with what it is compared to, medians of 5; prints a table, and one JSON object a line to FILE.
# Needs root and a machine that does nothing else. tests/bench/README.md says how it is measured.
set -euo pipefail
NC_ROOT=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/lib/deps.sh
source "$NC_ROOT/scripts/lib/deps.sh"
NC_BUILD_KIND=build-release
# shellcheck source=scripts/lib/build.sh
source "$NC_ROOT/scripts/lib/build.sh"

nc_build_to_measure
exec python3 "$NC_ROOT/tests/bench/bench.py" --binary "$NC_BUILD/userspace/cli/netchannel" "$@"

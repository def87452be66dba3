#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: scripts/experiments.sh [--quick] [--json FILE] [--html FILE] [NAME...]
#
# Installs what is missing, builds, and makes the experiments of the paper again: all or the given ones (--help lists
# them). Prints every figure; --json writes them as one object, --html as one page with plots that needs no other file.
# --quick takes less than 10 minutes. Needs root and a machine that does nothing else. tests/bench/README.md says more.
set -euo pipefail
NC_ROOT=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/lib/deps.sh
source "$NC_ROOT/scripts/lib/deps.sh"
NC_BUILD_KIND=build-release
# shellcheck source=scripts/lib/build.sh
source "$NC_ROOT/scripts/lib/build.sh"

nc_build_to_measure
exec python3 "$NC_ROOT/tests/bench/experiments.py" --binary "$NC_BUILD/userspace/cli/netchannel" "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: scripts/test.sh [--sanitize] [--long]
#
# Installs what is missing, builds, runs every test, and closes with `N passed, N failed, N skipped`; every
# skip and failure is named with its reason above that line. Exit status 0 only if nothing failed.
#
#   (none)      gcc, all tests in full; clang with the address and undefined sanitizers, the tests without a network
#               and without the programs, with fewer seeds (sim-transport: 1 of 5, and 1 of 2 shares of late packets;
#               channels that come and go in sim-stack: 4 of 12) and a tenth to a third of the fuzzers' runs
#   --sanitize  more: these two sanitizers on all tests, the thread sanitizer on all tests but bpf's
#   --long      more: 10,000 seeds in the simulator, 1,000 live steering changes, 1,000 kills of clients, an hour of
#               fuzzing, clang-tidy
#
# Live and BPF tests need root; without it they are skipped. Builds stay in build/, build-asan/, build-tsan/ and
# build-tidy/, or in $NETCHANNEL_BUILD, $NETCHANNEL_BUILD-asan, $NETCHANNEL_BUILD-tsan and $NETCHANNEL_BUILD-tidy.
set -euo pipefail
NC_ROOT=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/lib/deps.sh
source "$NC_ROOT/scripts/lib/deps.sh"
NC_BUILD_KIND=build
# shellcheck source=scripts/lib/build.sh
source "$NC_ROOT/scripts/lib/build.sh"

usage() { sed -n '4,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

sanitize=0
long=0
for argument in "$@"; do
  case "$argument" in
    --sanitize) sanitize=1 ;;
    --long) long=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 1 ;;
  esac
done
patience=1 # multiplies the tests' time limits
if ((long)); then
  export NETCHANNEL_SIM_SEEDS=10000
  export NETCHANNEL_STEERING_CHANGES=1000
  export NETCHANNEL_KILLS=1000
  patience=40
fi

work=$(mktemp -d)
ahead= # pid of build_ahead's ninja
trap 'if [[ -n $ahead ]]; then kill "$ahead" 2>/dev/null; wait "$ahead" || true; fi; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0
failed=0
skipped=0

add() { # PASSED FAILED SKIPPED
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + $3))
}

# The tests of DIR whose name begins with one of the given prefixes; all of them for none.
tests_of() { # DIR [PREFIX...]
  local dir=$1 pattern
  shift
  pattern="^($(IFS='|'; echo "$*"))"
  meson introspect --tests "$dir" | jq -r '.[].name' | grep -E "$pattern" || true
}

# What these tests run, as ninja's targets.
targets_of() { # DIR NAME...
  local dir=$1
  shift
  meson introspect --tests --targets "$dir" | jq -r --arg root "$(realpath "$dir")/" --args '
    ([.tests[] | select(IN(.name; $ARGS.positional[])) | .depends[]] | unique) as $needed |
    .targets[] | select(IN(.id; $needed[])) | .filename[] | ltrimstr($root)' "$@"
}

# Ninja's targets for the tests of DIR that the prefixes name; none for no prefix: all of DIR.
needed_by() { # DIR [PREFIX...]
  local names
  (($# > 1)) || return 0
  mapfile -t names < <(tests_of "$@")
  targets_of "$1" "${names[@]}"
}

# Builds for tests to come while others run, which leave cores idle, and at the lowest priority, so that those need
# not wait for it. Its errors show when `build` builds the same.
build_ahead() { # DIR [PREFIX...]
  local targets
  mapfile -t targets < <(needed_by "$@")
  nice -n 19 ninja -C "$1" "${targets[@]}" >"$work/ahead.log" 2>&1 &
  ahead=$!
}

build() { # LABEL DIR [PREFIX...]: all of DIR, or what the tests that the prefixes name need
  local label=$1 targets
  shift
  echo "== $label: build"
  if [[ -n $ahead ]]; then wait "$ahead" || true; fi
  ahead=
  mapfile -t targets < <(needed_by "$@")
  nc_ninja "$1" "${targets[@]}" && return
  echo "failed: $label: the build" >&2
  add 0 1 0
  return 1
}

run() { # LABEL DIR TIMEOUT_MULTIPLIER [PREFIX...]: the tests of DIR, or what the prefixes name; they are built
  local label=$1 dir=$2 multiplier=$3 names counts
  shift 3
  mapfile -t names < <(tests_of "$dir" "$@")
  ((${#names[@]})) || return 0
  echo "== $label: ${#names[@]} test programs"
  mkdir -p "$work/$label"
  NC_XML="$work/$label" meson test -C "$dir" --no-rebuild --print-errorlogs \
    --wrapper "$NC_ROOT/scripts/lib/gtest_xml.sh" --timeout-multiplier $((multiplier * patience)) "${names[@]}" || true
  # meson names its log after the wrapper.
  counts=$(python3 "$NC_ROOT/scripts/lib/count_tests.py" "$dir/meson-logs/testlog-gtest_xml.sh.json" \
    "$work/$label" "$label")
  # shellcheck disable=SC2086  # three numbers
  add $counts
}

# A unit for each library and program, whose headers are parsed once: gcc's build takes 400 s instead of some 600. That
# each file has the includes it needs shows where files are compiled one by one: in quickstart.sh and bench.sh, in any
# build that is set up by hand, and in `tidy`.
UNITS=(-Dunity=on -Dunity_size=100)

# clang, so that one pass also shows that what it builds compiles without a warning there.
sanitized_build() { # DIR SANITIZERS
  CC=clang CXX=clang++ nc_configure "$1" -Dbuildtype=plain -Doptimization=1 -Db_sanitize="$2" \
    "${UNITS[@]}" \
    -Dc_args=-gline-tables-only -Dcpp_args=-gline-tables-only
}

FUZZ_SECONDS=3600    # of the long run, shared by all fuzzers
HOSTILE_SECONDS=600  # of them: the one of an application that writes what it likes into the memory it shares

fuzz() { # DIR, of clang: libFuzzer
  local targets target share
  mapfile -t targets < <(find "$1/tests/fuzz" -maxdepth 1 -type f -name 'fuzz-*' -perm -u+x | sort)
  ((${#targets[@]})) || return 0
  for target in "${targets[@]}"; do
    share=$(((FUZZ_SECONDS - HOSTILE_SECONDS) / (${#targets[@]} - 1)))
    [[ $target == */fuzz-region-ops ]] && share=$HOSTILE_SECONDS
    echo "== $(basename "$target"): $share seconds"
    # A finding's input stays beside the build, for the next run of the target on it.
    if "$target" -max_total_time="$share" -verbosity=0 -artifact_prefix="$1/$(basename "$target")-"; then
      add 1 0 0
    else
      echo "failed: $(basename "$target"): its input is in $1" >&2
      add 0 1 0
    fi
  done
}

tidy() { # DIR: a build directory for it, in which nothing is built but the header that the files need
  echo "== clang-tidy"
  CC=clang CXX=clang++ nc_configure "$1"
  if nc_ninja "$1" bpf/steer.skel.h && "$NC_ROOT/scripts/check_tidy.sh" "$1"; then add 1 0 0; else
    echo "failed: clang-tidy: see above" >&2
    add 0 1 0
  fi
}

nc_install_deps
export ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
# A child of fork() that starts threads, as preloaded programs may: without die_after_fork=0 a test ends there.
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0

asan_tests=(unit sim fuzz)
((sanitize)) && asan_tests+=(commands bpf live)
tsan_tests=(unit commands sim live)

CC=gcc CXX=g++ nc_configure "$NC_BUILD" "${UNITS[@]}"
sanitized_build "$NC_BUILD-asan" address,undefined
if build gcc "$NC_BUILD"; then
  build_ahead "$NC_BUILD-asan" "${asan_tests[@]}"
  run gcc "$NC_BUILD" 1
fi
if build asan "$NC_BUILD-asan" "${asan_tests[@]}"; then
  run asan "$NC_BUILD-asan" 5 "${asan_tests[@]}"
fi
if ((sanitize)); then
  sanitized_build "$NC_BUILD-tsan" thread
  if build tsan "$NC_BUILD-tsan" "${tsan_tests[@]}"; then run tsan "$NC_BUILD-tsan" 10 "${tsan_tests[@]}"; fi
fi
if ((long)); then
  fuzz "$NC_BUILD-asan"
  tidy "$NC_BUILD-tidy"
fi

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))

// SPDX-License-Identifier: Apache-2.0
//
// The one place where a live stack reads time: CLOCK_MONOTONIC through the vDSO (about 20 ns).
// Thread: any. Errors: none.
#pragma once

#include <time.h>

#include "base/units.h"

namespace netchannel {

inline Time MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Time::FromNanos(now.tv_sec * 1'000'000'000 + now.tv_nsec);
}

}  // namespace netchannel

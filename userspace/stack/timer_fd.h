// SPDX-License-Identifier: Apache-2.0
//
// A timerfd(2) of the monotonic clock. Owner: who holds the descriptor. Thread: any. Errors: an
// invalid descriptor, with errno (too many open files).
#pragma once

#include <sys/timerfd.h>

#include "base/unique_fd.h"
#include "base/units.h"

namespace netchannel {

inline UniqueFd MakeTimerFd() {
  return UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

// Readable from `when` on; never for a time of 0. Forgets an earlier time.
inline void ArmTimerFd(const UniqueFd& timer, Time when) {
  const itimerspec at{.it_interval = {},
                      .it_value = {.tv_sec = when.nanos() / 1'000'000'000,
                                   .tv_nsec = when.nanos() % 1'000'000'000}};
  timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &at, nullptr);
}

}  // namespace netchannel

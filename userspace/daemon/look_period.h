// SPDX-License-Identifier: Apache-2.0
//
// How often the daemon's stack thread looks for what comes over the control socket: new programs,
// their messages and ends, the rings of quiet applications. A look is a system call, 0.1 us on one
// machine and 1.1 us on another (a virtual machine with its page tables in software): at the
// shortest period that comes to 1.1 us in 20 to 40 of a busy thread's there. What has come once
// comes again soon (a program's first messages, a burst of connections), so the period begins anew
// with each find.
//
// Thread: the stack's. A value.
#pragma once

#include <algorithm>

#include "base/units.h"

namespace netchannel {

class LookPeriod {
 public:
  static constexpr Duration kShortest = Duration::Micros(20);
  // With as much again while the stack is busy, how long a quiet application's ring may wait.
  static constexpr Duration kLongest = Duration::Micros(100);

  // A look has found something, or nothing. The time until the next.
  Duration OnLook(bool found) {
    period_ = found ? kShortest : std::min(period_ * 2, kLongest);
    return period_;
  }

 private:
  Duration period_ = kShortest;
};

}  // namespace netchannel

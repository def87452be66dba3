// SPDX-License-Identifier: Apache-2.0
//
// When a client stops: after `count` sends, or after `seconds`, or on Ctrl-C. The clock is asked
// every `stride` sends only, because it costs as much as a small send.
#pragma once

#include <cstdint>

#include "base/units.h"
#include "cli/bench/protocol.h"
#include "cli/bench/usage.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

class StopRule {
 public:
  static constexpr uint64_t kSendsPerClock = 64;  // the stride of small sends

  StopRule(const Request& request, uint64_t stride)
      : stride_(stride),
        left_(request.count != 0 ? request.count : UINT64_MAX),
        until_(request.count != 0
                   ? Time::Infinite()
                   : Now() + Duration::Nanos(static_cast<int64_t>(request.seconds * 1e9))) {}

  // Before each send.
  bool Next() {
    if (left_ == 0) return false;
    --left_;
    if (--until_check_ > 0) return true;
    until_check_ = stride_;
    return !InterruptRequested() && Now() < until_;
  }

 private:
  const uint64_t stride_;
  uint64_t left_;
  const Time until_;
  uint64_t until_check_ = 1;
};

}  // namespace netchannel::cli

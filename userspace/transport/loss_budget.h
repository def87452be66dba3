// SPDX-License-Identifier: Apache-2.0
//
// Which losses are not congestion. A link that loses one packet in a thousand at random would hold
// CUBIC to some 40 packets in flight, whatever its rate. So a loss is forgiven when the round-trip
// time shows no queue and losses have been rarer than kPacketsPerLoss lately; it is then only
// repaired. This is the loss tolerance of BBR (draft-ietf-ccwg-bbr, BBRLossThresh, 2 %), at less
// than half its rate.
//
// Safe where buffers are shallow and show no queueing delay: overflow beyond the budget is
// congestion again, so the loss rate that a connection causes stays below 1 / kPacketsPerLoss.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.h"
#include "transport/rtt_estimator.h"

namespace netchannel::transport {

class LossBudget {
 public:
  static constexpr uint32_t kPacketsPerLoss = 128;
  static constexpr uint32_t kMaxLosses = 4;  // what may be forgiven in a burst

  void OnAcked(uint32_t packets) {
    credit_ = std::min(credit_ + packets, kMaxLosses * kPacketsPerLoss);
  }
  // True when `packets` losses are forgiven.
  bool Forgive(uint32_t packets, const RttEstimator& rtt) {
    const uint64_t cost = uint64_t{packets} * kPacketsPerLoss;
    if (cost > credit_ || QueueSeen(rtt)) return false;
    credit_ -= static_cast<uint32_t>(cost);
    return true;
  }

 private:
  static bool QueueSeen(const RttEstimator& rtt) {
    // A quarter of the path's own time, and what timestamps on a busy host are off by.
    return rtt.smoothed() > rtt.min() + rtt.min() / 4 + Duration::Micros(100);
  }

  uint32_t credit_ = 2 * kPacketsPerLoss;
};

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
//
// How late a packet may be before it is taken for lost.
//
// On a path that keeps order, RFC 9002 section 6.1: three packets acknowledged after it, or 9/8 of
// the round-trip time. Once packets are seen to arrive late, only time counts, as in RFC 8985
// section 6.2, and the time follows what was observed: the longest that a late packet took, and an
// eighth more. An observation that is not repeated is forgotten after one to two periods of
// kPeriodRtts round trips, so the window shrinks back.
#pragma once

#include <cstdint>

#include "base/units.h"
#include "transport/rtt_estimator.h"

namespace netchannel::transport {

class ReorderingWindow {
 public:
  // A packet with a later one acknowledged before it was acknowledged itself, `took` after it was
  // sent.
  void OnLateArrival(Time now, Duration took, const RttEstimator& rtt);
  // Moves time on; cheap, once per ACK.
  void Roll(Time now, const RttEstimator& rtt);

  // Lost when this many later packets are acknowledged...
  uint64_t packet_threshold() const;
  // ...or, when any later one is, this long after it was sent.
  Duration LossDelay(const RttEstimator& rtt) const;

 private:
  Duration longest() const { return current_ > previous_ ? current_ : previous_; }

  Duration current_;   // the longest late arrival of this period
  Duration previous_;  // and of the one before
  Time period_end_;
};

}  // namespace netchannel::transport

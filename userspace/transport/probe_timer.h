// SPDX-License-Identifier: Apache-2.0
//
// The two clocks that run while ack-eliciting packets are out and nothing is acknowledged: the
// probe timeout (PTO, RFC 9002 section 6.2), which makes the sender ask again, and the user timeout
// (RFC 5482's), after which the peer is dead.
//
// A PTO says nothing about congestion: it does not touch the window. It backs off exponentially, up
// to kMaxInterval (or three of the shortest round trips), so that a path that comes back is found
// soon.
#pragma once

#include <cstdint>

#include "base/units.h"
#include "transport/rtt_estimator.h"

namespace netchannel::transport {

class ProbeTimer {
 public:
  explicit ProbeTimer(Duration user_timeout) : user_timeout_(user_timeout) {}

  // PTO without backoff: smoothed + max(4 * variance, 1 ms) + max_ack_delay.
  static Duration Interval(const RttEstimator& rtt);

  // An ack-eliciting packet went out; `first`: no other was out.
  void OnSent(Time now, bool first);
  // An ack-eliciting packet was acknowledged.
  void OnProgress(Time now, const RttEstimator& rtt);
  // The probe timeout passed.
  void OnFired(Time now, const RttEstimator& rtt);

  uint32_t count() const { return count_; }  // PTOs since progress
  Time probe_deadline() const { return start_ + backed_off_; }
  Time dead_deadline() const { return progress_ + user_timeout_; }

 private:
  void SetInterval(const RttEstimator& rtt);

  const Duration user_timeout_;
  Duration backed_off_ = Duration::Millis(1);
  Time start_;     // the last ack-eliciting packet, or the last PTO
  Time progress_;  // the last acknowledgement, or the first packet after silence
  uint32_t count_ = 0;
};

}  // namespace netchannel::transport

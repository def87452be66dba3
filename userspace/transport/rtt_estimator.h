// SPDX-License-Identifier: Apache-2.0
//
// Round-trip time of the path, RFC 9002 section 5.
#pragma once

#include "base/units.h"

namespace netchannel::transport {

class RttEstimator {
 public:
  RttEstimator(Duration initial_rtt, Duration max_ack_delay)
      : max_ack_delay_(max_ack_delay), smoothed_(initial_rtt), variance_(initial_rtt / 2) {}

  // `sample`: from the sending of the largest newly acknowledged packet to its ACK. `ack_delay`:
  // what the peer says it waited; believed up to max_ack_delay.
  void Update(Duration sample, Duration ack_delay);

  bool has_sample() const { return has_sample_; }
  Duration latest() const { return latest_; }
  Duration smoothed() const { return smoothed_; }
  Duration variance() const { return variance_; }
  // Zero before the first sample.
  Duration min() const { return min_; }
  Duration max_ack_delay() const { return max_ack_delay_; }

 private:
  const Duration max_ack_delay_;
  bool has_sample_ = false;
  Duration latest_;
  Duration min_;
  Duration smoothed_;
  Duration variance_;
};

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
#include "transport/rtt_estimator.h"

#include <algorithm>

namespace netchannel::transport {

void RttEstimator::Update(Duration sample, Duration ack_delay) {
  if (sample <= Duration::Zero()) sample = Duration::Nanos(1);
  latest_ = sample;
  if (!has_sample_) {
    has_sample_ = true;
    min_ = sample;
    smoothed_ = sample;
    variance_ = sample / 2;
    return;
  }
  min_ = std::min(min_, sample);
  ack_delay = std::min(ack_delay, max_ack_delay_);
  const Duration adjusted = sample >= min_ + ack_delay ? sample - ack_delay : sample;
  const Duration error = smoothed_ > adjusted ? smoothed_ - adjusted : adjusted - smoothed_;
  variance_ = (variance_ * 3 + error) / 4;
  smoothed_ = (smoothed_ * 7 + adjusted) / 8;
}

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
#include "transport/hystart.h"

#include <algorithm>

namespace netchannel::transport {

void HyStart::OnAck(PacketNumber largest_acked, PacketNumber next_number, Duration rtt) {
  if (done()) return;
  if (window_end_ == 0) window_end_ = next_number;
  if (rtt > Duration::Zero()) TakeSample(rtt);
  if (largest_acked + 1 >= window_end_) StartRound(next_number);
}

void HyStart::TakeSample(Duration rtt) {
  round_min_ = std::min(round_min_, rtt);
  if (++samples_ < kRttSamples) return;
  if (in_css()) {
    // The rise was a transient: back to slow start.
    if (round_min_ < css_baseline_) phase_ = Phase::kSlowStart;
    return;
  }
  if (last_round_min_ == Duration::Infinite()) return;
  const Duration threshold =
      std::max(kMinRttThreshold, std::min(last_round_min_ / kMinRttDivisor, kMaxRttThreshold));
  if (round_min_ < last_round_min_ + threshold) return;
  css_baseline_ = round_min_;
  css_rounds_ = 0;
  phase_ = Phase::kCss;
}

void HyStart::StartRound(PacketNumber next_number) {
  if (in_css() && ++css_rounds_ >= kCssRounds) phase_ = Phase::kDone;
  last_round_min_ = round_min_;
  round_min_ = Duration::Infinite();
  samples_ = 0;
  window_end_ = next_number;
}

}  // namespace netchannel::transport

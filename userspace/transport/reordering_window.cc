// SPDX-License-Identifier: Apache-2.0
#include "transport/reordering_window.h"

#include <algorithm>
#include <limits>

namespace netchannel::transport {
namespace {

constexpr uint64_t kPacketThreshold = 3;  // RFC 9002 section 6.1.1
// Below this a late packet is not told from a slow one. RFC 9002 section 6.1.2 has 1 ms, for timers
// of kernels; order on a path does not suffer from threads that are scheduled late.
constexpr Duration kMinReordering = Duration::Micros(250);
constexpr int kPeriodRtts = 16;  // RFC 8985 section 6.2: 16 recoveries
constexpr Duration kMinPeriod = Duration::Millis(20);
// A bound on what one late packet can do to recovery: no more than this above the round-trip time.
constexpr Duration kMaxExtra = Duration::Millis(10);

}  // namespace

void ReorderingWindow::OnLateArrival(Time now, Duration took, const RttEstimator& rtt) {
  Roll(now, rtt);
  const Duration bound = std::max(rtt.smoothed() * 2, rtt.smoothed() + kMaxExtra);
  current_ = std::max(current_, std::min(took, bound));
}

void ReorderingWindow::Roll(Time now, const RttEstimator& rtt) {
  if (now < period_end_) return;
  const Duration period = std::max(rtt.smoothed() * kPeriodRtts, kMinPeriod);
  previous_ = now - period_end_ < period ? current_ : Duration::Zero();
  current_ = Duration::Zero();
  period_end_ = now + period;
}

uint64_t ReorderingWindow::packet_threshold() const {
  return longest() > Duration::Zero() ? std::numeric_limits<uint64_t>::max() : kPacketThreshold;
}

Duration ReorderingWindow::LossDelay(const RttEstimator& rtt) const {
  const Duration ordered = std::max(rtt.smoothed(), rtt.latest()) * 9 / 8;
  const Duration reordered = longest() * 9 / 8;
  return std::max({ordered, reordered, kMinReordering});
}

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
#include "transport/probe_timer.h"

#include <algorithm>

namespace netchannel::transport {
namespace {

constexpr Duration kGranularity = Duration::Millis(1);  // RFC 9002 section 6.1.2; a thread's delay
// A path that is back is found within three of its shortest round trips, at least and at most
// these. Two packets each time are no load. Not the smoothed round trip: one packet that was
// seconds late would silence the sender for the double; and a limit, because it can be the first.
constexpr Duration kMaxInterval = Duration::Millis(250);
constexpr Duration kMaxIntervalOfLongPaths = Duration::Seconds(1);
constexpr uint32_t kMaxShift = 16;

}  // namespace

Duration ProbeTimer::Interval(const RttEstimator& rtt) {
  return rtt.smoothed() + std::max(rtt.variance() * 4, kGranularity) + rtt.max_ack_delay();
}

void ProbeTimer::SetInterval(const RttEstimator& rtt) {
  const Duration interval = Interval(rtt);
  const Duration longest = std::clamp(rtt.min() * 3, kMaxInterval, kMaxIntervalOfLongPaths);
  backed_off_ = std::min(interval * (int64_t{1} << std::min(count_, kMaxShift)), longest);
}

void ProbeTimer::OnSent(Time now, bool first) {
  start_ = now;
  if (first) progress_ = now;
}

void ProbeTimer::OnProgress(Time now, const RttEstimator& rtt) {
  progress_ = now;
  count_ = 0;
  SetInterval(rtt);
}

void ProbeTimer::OnFired(Time now, const RttEstimator& rtt) {
  start_ = now;
  ++count_;
  SetInterval(rtt);
}

}  // namespace netchannel::transport

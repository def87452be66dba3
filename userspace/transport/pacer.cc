// SPDX-License-Identifier: Apache-2.0
#include "transport/pacer.h"

#include <algorithm>

namespace netchannel::transport {

void Pacer::SetRate(ByteCount window, Duration smoothed_rtt, bool slow_start,
                    ByteCount packet_size) {
  const double gain = slow_start ? 2.0 : 1.25;
  nanos_per_byte_ =
      static_cast<double>(smoothed_rtt.nanos()) / (gain * static_cast<double>(window));
  const double packets = static_cast<double>(kBurstPackets * packet_size) * nanos_per_byte_;
  burst_ = std::max(Duration::Nanos(static_cast<int64_t>(packets)), kBurstTime);
}

void Pacer::OnSent(Time now, ByteCount bytes) {
  if (!enabled_) return;
  if (!held_back_) next_ = std::max(next_, now - burst_);
  next_ =
      next_ + Duration::Nanos(static_cast<int64_t>(static_cast<double>(bytes) * nanos_per_byte_));
}

}  // namespace netchannel::transport

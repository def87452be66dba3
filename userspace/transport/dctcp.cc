// SPDX-License-Identifier: Apache-2.0
#include "transport/dctcp.h"

#include <algorithm>
#include <limits>

namespace netchannel::transport {

Dctcp::Dctcp(ByteCount packet_size, ByteCount max_window)
    : size_(static_cast<double>(packet_size)), max_window_(static_cast<double>(max_window)) {
  now_.window = static_cast<double>(InitialWindow(packet_size));
  now_.ssthresh = std::numeric_limits<double>::max();
}

void Dctcp::SetPacketSize(ByteCount packet_size) {
  size_ = static_cast<double>(packet_size);
  const ByteCount least = reduced_once_ ? kMinPackets * packet_size : InitialWindow(packet_size);
  now_.window = std::max(now_.window, static_cast<double>(least));
}

void Dctcp::Reduce(double factor) {
  reduced_once_ = true;
  now_.window = std::max(now_.window * factor, static_cast<double>(kMinPackets) * size_);
  now_.ssthresh = now_.window;
}

void Dctcp::OnAck(const AckSample& sample) {
  acked_packets_ += sample.acked_packets;
  ce_packets_ += sample.ce_packets;
  // Slow start ends with the first mark, not a round trip later.
  if (sample.ce_packets > 0 && in_slow_start()) now_.ssthresh = now_.window;
  if (observation_end_ == 0) observation_end_ = sample.next_number;
  if (sample.largest_acked + 1 >= observation_end_) EndObservation(sample);

  if (!sample.window_limited || sample.in_recovery) return;
  const double acked = static_cast<double>(sample.acked_bytes);
  now_.window += in_slow_start() ? acked : acked * size_ / now_.window;
  now_.window = std::min(now_.window, max_window_);
}

void Dctcp::EndObservation(const AckSample& sample) {
  if (acked_packets_ > 0) {
    const double marked =
        std::min(1.0, static_cast<double>(ce_packets_) / static_cast<double>(acked_packets_));
    alpha_ = alpha_ * (1 - kGain) + kGain * marked;
    if (ce_packets_ > 0 && !sample.in_recovery) Reduce(1 - alpha_ / 2);
  }
  acked_packets_ = 0;
  ce_packets_ = 0;
  observation_end_ = sample.next_number;
}

void Dctcp::OnCongestion(Time) {
  before_ = now_;
  Reduce(kBeta);
}

void Dctcp::OnPersistentCongestion() { now_.window = static_cast<double>(kMinPackets) * size_; }

void Dctcp::OnSpurious() {
  if (now_.window < before_.window) now_ = before_;
}

}  // namespace netchannel::transport

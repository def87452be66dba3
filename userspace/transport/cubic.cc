// SPDX-License-Identifier: Apache-2.0
#include "transport/cubic.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace netchannel::transport {
namespace {

// Section 4.3: makes CUBIC take as much as Reno does, for its own beta.
constexpr double kAlpha = 3.0 * (1.0 - Cubic::kBeta) / (1.0 + Cubic::kBeta);

}  // namespace

Cubic::Cubic(ByteCount packet_size, ByteCount max_window)
    : size_(static_cast<double>(packet_size)), max_window_(static_cast<double>(max_window)) {
  now_.window = static_cast<double>(InitialWindow(packet_size));
  now_.ssthresh = std::numeric_limits<double>::max();
}

double Cubic::K(double w_max, double window) { return std::cbrt((w_max - window) / kC); }

void Cubic::SetPacketSize(ByteCount packet_size) {
  size_ = static_cast<double>(packet_size);
  // The initial window is meant in packets, and no window is below two of them.
  const ByteCount least = reduced_once_ ? kMinPackets * packet_size : InitialWindow(packet_size);
  now_.window = std::max(now_.window, static_cast<double>(least));
}

void Cubic::OnAck(const AckSample& sample) {
  const Time previous = last_ack_;
  last_ack_ = sample.now;
  if (sample.in_recovery || sample.acked_bytes == 0) return;
  if (!sample.window_limited) {
    if (now_.in_epoch) now_.epoch_start = now_.epoch_start + (sample.now - previous);
    return;
  }
  if (in_slow_start()) {
    GrowInSlowStart(sample);
  } else {
    GrowInAvoidance(sample);
  }
  now_.window = std::min(now_.window, max_window_);
}

void Cubic::GrowInSlowStart(const AckSample& sample) {
  hystart_.OnAck(sample.largest_acked, sample.next_number, sample.rtt);
  now_.window += static_cast<double>(sample.acked_bytes) / hystart_.growth_divisor();
  if (hystart_.done()) now_.ssthresh = now_.window;
}

void Cubic::StartEpoch(Time now) {
  now_.in_epoch = true;
  now_.epoch_start = now;
  now_.w_est = now_.window;
  if (now_.window < now_.w_max) {
    now_.k = K(now_.w_max / size_, now_.window / size_);
  } else {
    now_.k = 0;
    now_.w_max = now_.window;
  }
}

double Cubic::Reno(double segments_acked) {
  const double alpha = now_.w_est >= now_.prior_window ? 1.0 : kAlpha;
  now_.w_est += alpha * size_ * segments_acked * size_ / now_.window;
  return now_.w_est;
}

void Cubic::GrowInAvoidance(const AckSample& sample) {
  if (!now_.in_epoch) StartEpoch(sample.now);
  const double segments_acked = static_cast<double>(sample.acked_bytes) / size_;
  const auto w_cubic = [this](double t) {
    const double distance = t - now_.k;
    return kC * distance * distance * distance * size_ + now_.w_max;
  };
  const double t = (sample.now - now_.epoch_start).seconds();
  const double reno = Reno(segments_acked);
  if (w_cubic(t) < reno) {
    now_.window = std::max(now_.window, reno);
    return;
  }
  const double target =
      std::clamp(w_cubic(t + sample.smoothed_rtt.seconds()), now_.window, 1.5 * now_.window);
  now_.window += (target - now_.window) / now_.window * static_cast<double>(sample.acked_bytes);
}

void Cubic::OnCongestion(Time) {
  before_ = now_;
  reduced_once_ = true;
  // Fast convergence (section 4.7): a window that did not reach the last w_max makes room for
  // others.
  now_.w_max = now_.window < now_.w_max ? now_.window * (1.0 + kBeta) / 2.0 : now_.window;
  now_.prior_window = now_.window;
  now_.ssthresh = std::max(now_.window * kBeta, static_cast<double>(kMinPackets) * size_);
  now_.window = now_.ssthresh;
  now_.in_epoch = false;
}

void Cubic::OnPersistentCongestion() {
  now_.window = static_cast<double>(kMinPackets) * size_;
  now_.in_epoch = false;
}

void Cubic::OnSpurious() {
  if (now_.window >= before_.window) return;
  now_ = before_;
  now_.window = std::max(now_.window, static_cast<double>(kMinPackets) * size_);
}

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
//
// HyStart++ (RFC 9406): leaves slow start when the round-trip time rises, before the queue
// overflows, and checks that it rose for good (conservative slow start, CSS) before it does.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace netchannel::transport {

class HyStart {
 public:
  // Once per ACK in slow start. `rtt` is zero when the ACK gave no sample.
  void OnAck(PacketNumber largest_acked, PacketNumber next_number, Duration rtt);

  bool in_css() const { return phase_ == Phase::kCss; }
  bool done() const { return phase_ == Phase::kDone; }
  // How many times slower than in slow start the window grows.
  int growth_divisor() const { return in_css() ? kCssGrowthDivisor : 1; }

  static constexpr int kCssGrowthDivisor = 4;  // RFC 9406 section 4.3
  static constexpr int kCssRounds = 5;
  static constexpr int kRttSamples = 8;
  static constexpr int kMinRttDivisor = 8;
  // RFC 9406 has 4 ms, for the internet. Where the whole queue of a switch is 200 us long that
  // never triggers; what a stalled thread adds to a round is told from a queue by CSS.
  static constexpr Duration kMinRttThreshold = Duration::Micros(100);
  static constexpr Duration kMaxRttThreshold = Duration::Millis(16);

 private:
  enum class Phase : uint8_t { kSlowStart, kCss, kDone };

  void StartRound(PacketNumber next_number);
  void TakeSample(Duration rtt);

  Phase phase_ = Phase::kSlowStart;
  PacketNumber window_end_ = 0;
  Duration last_round_min_ = Duration::Infinite();
  Duration round_min_ = Duration::Infinite();
  Duration css_baseline_;
  int samples_ = 0;
  int css_rounds_ = 0;
};

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
//
// Spreads a window over its round trip (RFC 9002 section 7.7): a leaky bucket at 1.25 times the
// rate window / srtt, twice in slow start.
//
// The bucket lets a burst of kBurstPackets or kBurstTime worth pass, so on a path with a round-trip
// time below that it does nothing, and a sleeping sender is woken for no less than kQuantum worth.
// A sender that was held back keeps its credit however late it is polled: pacing never costs
// throughput.
#pragma once

#include "base/units.h"

namespace netchannel::transport {

class Pacer {
 public:
  explicit Pacer(bool enabled) : enabled_(enabled) {}

  // Once per ACK.
  void SetRate(ByteCount window, Duration smoothed_rtt, bool slow_start, ByteCount packet_size);

  bool CanSend(Time now) const { return !enabled_ || next_ <= now; }
  // The sender has something to send and was refused: wake it at release_time.
  void OnHeldBack() { held_back_ = true; }
  // The sender has nothing to send, or the window is full.
  void OnIdle() { held_back_ = false; }
  void OnSent(Time now, ByteCount bytes);
  // Infinite when the pacer holds nothing back.
  Time release_time() const { return held_back_ ? next_ + kQuantum : Time::Infinite(); }

  static constexpr ByteCount kBurstPackets = 32;
  static constexpr Duration kBurstTime = Duration::Millis(1);
  static constexpr Duration kQuantum = Duration::Micros(100);  // no timer is shorter

 private:
  const bool enabled_;
  bool held_back_ = false;
  double nanos_per_byte_ = 0;
  Duration burst_;  // how far next_ may lie in the past
  Time next_;       // when the bucket has drained what was sent
};

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
//
// A limit of bytes a second, as a virtual clock (GCRA, ITU-T I.371): each grant moves it on by the
// time that its bytes take, and sending waits while it is ahead of the real one. Unused time is
// kept for kBurst only. A grant that has begun is not cut, so over a time t at most rate * (t +
// kBurst) and one grant more are sent.
//
// Thread: one at a time. Errors: none. Cost: a comparison where there is no limit.
#pragma once

#include <algorithm>

#include "base/units.h"

namespace netchannel {

class RateLimit {
 public:
  // More than the 20 ms that a timer may be late and less would not reach the rate, and a limit
  // is not for smoothing: that is the transport's pacing.
  static constexpr Duration kBurst = Duration::Millis(25);
  // Below it a turn of 64 KiB takes more than a minute; above it there is no link.
  static constexpr Bandwidth kMin = Bandwidth::BytesPerSecond(1000);
  static constexpr Bandwidth kMax = Bandwidth::BytesPerSecond(1'000'000'000'000);

  // From kMin to kMax; 0: no limit.
  void Set(Bandwidth rate) {
    rate_ = rate;
    next_ = Time();
  }
  Bandwidth rate() const { return rate_; }

  bool MaySend(Time now) const { return !limited() || next_ <= now; }
  void Charge(Time now, ByteCount bytes) {
    if (limited()) next_ = std::max(next_, now - kBurst) + rate_.TimeFor(bytes);
  }
  // When MaySend is true.
  Time ready_at() const { return limited() ? next_ : Time(); }

 private:
  bool limited() const { return rate_ != Bandwidth(); }

  Bandwidth rate_;
  Time next_;
};

}  // namespace netchannel

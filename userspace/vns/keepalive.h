// SPDX-License-Identifier: Apache-2.0
//
// Keepalive of one socket (RFC 1122 section 4.2.3.6, with Linux's three numbers): when to ask after
// the peer, and when to give it up.
//
//   heard --idle--> ask --interval--> ask ... (`count` times) --interval--> gone
//
// Whether the peer is there is a property of the session, so what counts as heard is anything that
// came from the peer's stack, for whichever socket; an answer that one socket asked for is an
// answer to all. Silence counts from the first question at the earliest: a socket whose option is
// set in the middle of a silence, or a stack that did not run for a while, still asks before it
// gives up.
//
// Plain state; the socket's own timer drives it, so who has not asked for it pays nothing.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace netchannel {

struct KeepaliveTimes {
  // Linux's MAX_TCP_KEEPCNT; with it and times of 32 bits in milliseconds no sum overflows.
  static constexpr uint32_t kMaxCount = 127;

  Duration idle = Duration::Seconds(7200);  // RFC 1122: no less than two hours by default
  Duration interval = Duration::Seconds(75);
  uint32_t count = 9;

  bool valid() const {
    return idle > Duration::Zero() && interval > Duration::Zero() && count > 0 &&
           count <= kMaxCount;
  }
};

class Keepalive {
 public:
  enum class Verdict : uint8_t { kWait, kAsk, kGone };

  // When OnTimer has something to do, if the peer was last heard of at `heard`.
  Time Due(const KeepaliveTimes& times, Time heard) const {
    return asking(heard) ? asked_at_ + times.interval : heard + times.idle;
  }

  Verdict OnTimer(Time now, const KeepaliveTimes& times, Time heard) {
    if (!asking(heard)) asked_ = 0;
    if (now < Due(times, heard)) return Verdict::kWait;
    if (asked_ >= times.count) return Verdict::kGone;
    ++asked_;
    asked_at_ = now;
    return Verdict::kAsk;
  }

 private:
  bool asking(Time heard) const { return asked_ > 0 && asked_at_ > heard; }

  Time asked_at_;
  uint8_t asked_ = 0;  // questions since the peer was last heard of
};

}  // namespace netchannel

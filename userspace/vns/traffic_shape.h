// SPDX-License-Identifier: Apache-2.0
//
// What a connection's bytes look like at one end: small requests and answers in turn (latency), or
// bulk (throughput). For sockets whose class nobody has chosen.
//
// A turn is what one end writes and then receives until it writes again. Small turns in a row make
// the latency class; one big turn, in either direction, makes the throughput class at once, since a
// bulk flow among latency ones is what hurts. Between the two thresholds nothing changes but the
// count starts anew. Each time a connection falls back to bulk it needs twice as many small turns
// to return, so one that does both in turn settles as throughput.
//
// Thresholds: kSmallTurn is above the paper's short messages (4 KB) and a page of a database (8 and
// 16 KB); kBigTurn is a whole turn of the scheduler (64 KiB), from where on a flow waits for others
// anyway. kTurns is long enough that a connection's greeting (TLS, authentication: 2 to 6 turns)
// and one bulk request behind it do not change the class twice.
//
// Thread: one at a time. Errors: none. Cost: an addition and a comparison a write and a record.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/stream.h"
#include "base/units.h"

namespace netchannel {

class TrafficShape {
 public:
  static constexpr ByteCount kSmallTurn = 16 * 1024;
  static constexpr ByteCount kBigTurn = 64 * 1024;
  static constexpr uint16_t kTurns = 16;
  static constexpr uint16_t kMaxTurns = 1024;
  static_assert(kSmallTurn < kBigTurn && kTurns < kMaxTurns);

  AppClass app_class() const { return class_; }

  // True when the class has changed.
  bool OnWritten(ByteCount bytes) {
    const bool ended = received_ > 0 && EndTurn();
    written_ = Sum(written_, bytes);
    return (written_ > kBigTurn && Fall()) || ended;
  }
  bool OnReceived(ByteCount bytes) {
    received_ = Sum(received_, bytes);
    return received_ > kBigTurn && Fall();
  }

 private:
  static uint32_t Sum(uint32_t so_far, ByteCount more) {
    return static_cast<uint32_t>(std::min<ByteCount>(so_far + more, kBigTurn + 1));
  }
  bool EndTurn() {
    // Who has only received has seen no turn of its own yet.
    const bool small = written_ > 0 && std::max(written_, received_) <= kSmallTurn;
    written_ = received_ = 0;
    small_turns_ = static_cast<uint16_t>(small ? small_turns_ + 1 : 0);
    if (class_ == AppClass::kLatency || small_turns_ < needed_) {
      small_turns_ = std::min(small_turns_, needed_);
      return false;
    }
    class_ = AppClass::kLatency;
    return true;
  }
  bool Fall() {
    small_turns_ = 0;
    if (class_ == AppClass::kThroughput) return false;
    class_ = AppClass::kThroughput;
    needed_ = std::min<uint16_t>(static_cast<uint16_t>(needed_ * 2), kMaxTurns);
    return true;
  }

  uint32_t written_ = 0, received_ = 0;  // of this turn, cut above kBigTurn
  uint16_t small_turns_ = 0;             // in a row
  uint16_t needed_ = kTurns;
  AppClass class_ = AppClass::kThroughput;
};

}  // namespace netchannel

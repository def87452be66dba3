// SPDX-License-Identifier: Apache-2.0
//
// What the stack's own thread sleeps on while application threads run the stack often: a timer that
// they put off, with a system call each half of kPatience. It goes off when they come no more, or
// less than kOften times in such a half. Without it the thread would look by itself each kPatience
// and interrupt one of theirs for 50 to 100 us on a virtual machine: with two hosts on it a hundred
// times a second, which decided the P99.9 of a ping-pong that spins.
//
// Thread: Wait by the own thread; PutOff by the holder of the lease; Wake by any. Errors: without
// descriptors (ulimit -n) usable() is false, and nothing else may be called.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/unique_fd.h"
#include "base/units.h"

namespace netchannel {

class StandbyTimer {
 public:
  // From the last call on at most, to when it goes off.
  static constexpr Duration kPatience = Duration::Millis(20);

  static constexpr uint32_t kOften = 16;  // calls

  explicit StandbyTimer(Duration patience = kPatience);
  bool usable() const { return timer_.valid() && wake_.valid(); }

  // Sleeps until it goes off (true), or until a Wake or for no reason (false). Not at all when
  // `event` is not `seen` any more: who wakes moves it first.
  bool Wait(Time now, const std::atomic<uint32_t>& event, uint32_t seen);

  // An application thread runs the stack; `calls`: how many have done so up to now (it wraps).
  void PutOff(Time now, uint32_t calls) {
    if (now.nanos() >= due_.load(std::memory_order_relaxed)) [[unlikely]]
      PutOffIfOften(now, calls);
  }
  void Wake();

 private:
  static constexpr int64_t kNever = Time::Infinite().nanos();

  void PutOffIfOften(Time now, uint32_t calls);

  const Duration patience_;
  UniqueFd timer_, wake_;
  std::atomic<int64_t> due_{kNever};  // ns: when to put it off again; kNever: nobody waits
  std::atomic<bool> waiting_{false};
  uint32_t calls_ = 0;  // when it was put off; under the lease
};

}  // namespace netchannel

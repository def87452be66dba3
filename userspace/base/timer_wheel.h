// SPDX-License-Identifier: Apache-2.0
//
// A hierarchical timing wheel (Varghese and Lauck, SOSP 1987, scheme 7) of intrusive timers:
// Schedule and Cancel in O(1) for any number of timers, no allocation, and no table to scan for the
// next deadline.
//
//   wheel.Schedule(session.timer, now + Duration::Millis(1));
//   while (Timer* timer = wheel.PopExpired(now)) { ... }    // may Schedule and Cancel any timer
//   sleep until wheel.NextDeadline();
//
// Nine levels of 64 slots; a slot of level 0 is one tick of 2^13 ns (8.2 µs), one of level n is
// 64^n ticks: every instant of a Time fits. Within the current tick deadlines are compared exactly,
// so a timer fires neither early nor a tick late.
//
// Invariants: a timer of level n > 0 lies in a slot above the current one of that level, and shares
// all higher digits (base 64) of its tick with the current tick; so everything in a lower level is
// due before everything in a higher one. The current tick never goes back, and never passes a
// timer.
//
// Owner: timers belong to their users, which cancel them before they are destroyed.
// Thread: one at a time. Errors: none.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace netchannel {

class TimerWheel;

class Timer {
 public:
  // `owner` is whatever the one who pops the timer needs in order to find what it belongs to.
  explicit Timer(void* owner = nullptr) : owner_(owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { assert(!scheduled()); }

  void* owner() const { return owner_; }
  bool scheduled() const { return previous_ != nullptr; }
  // Infinite when not scheduled.
  Time deadline() const { return deadline_; }

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer** previous_ = nullptr;  // what points to this timer: the slot, or the timer in front
  Time deadline_ = Time::Infinite();
  uint8_t level_ = 0;
  uint8_t slot_ = 0;
  void* owner_;
};

class TimerWheel {
 public:
  // `now` is the earliest instant that will be used.
  explicit TimerWheel(Time now) : tick_(TickOf(now)) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  // Cancels what is left.
  ~TimerWheel();

  // Sets or moves the timer. A deadline that has passed fires at the next PopExpired; Infinite
  // cancels.
  void Schedule(Timer& timer, Time deadline);
  // No effect when it is not scheduled.
  void Cancel(Timer& timer);

  // A timer with deadline <= now, no longer scheduled; nullptr when there is none. Timers of
  // different ticks come in order. A timer that is rescheduled at or before `now` is popped again:
  // bound the loop or schedule later.
  Timer* PopExpired(Time now);

  // Never later than the earliest deadline, and exact once it is less than 64 ticks away; an early
  // answer costs one PopExpired that finds nothing. Infinite when no timer is scheduled.
  Time NextDeadline() const;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr int kTickShift = 13;
  static constexpr int kLevelBits = 6;
  static constexpr uint64_t kSlots = uint64_t{1} << kLevelBits;
  static constexpr int kLevels = 9;
  static_assert(kTickShift + kLevels * kLevelBits >= 63, "every Time must have a slot");

  struct Level {
    uint64_t occupied = 0;  // bit n: slot n is not empty
    std::array<Timer*, kSlots> slots{};
  };

  static uint64_t TickOf(Time t) {
    return t.nanos() <= 0 ? 0 : static_cast<uint64_t>(t.nanos()) >> kTickShift;
  }
  static uint64_t DigitOf(uint64_t tick, int level) {
    return (tick >> (level * kLevelBits)) & (kSlots - 1);
  }

  void Insert(Timer& timer);
  void Unlink(Timer& timer);
  // The first tick of the first occupied slot. Precondition: !empty().
  uint64_t FirstOccupiedTick() const;
  // Precondition: no timer is due before `tick`'s first instant.
  void MoveTo(uint64_t tick);
  // From the current tick's slot; lowers next_deadline_ to what is left there when nothing is due.
  Timer* PopFromCurrentSlot(Time now);
  Time ComputeNextDeadline() const;

  uint64_t tick_;
  size_t size_ = 0;
  // A lower bound of all deadlines, when known.
  mutable Time next_deadline_ = Time::Infinite();
  mutable bool next_known_ = true;
  std::array<Level, kLevels> levels_{};
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace netchannel {

TimerWheel::~TimerWheel() {
  for (Level& level : levels_) {
    for (Timer*& head : level.slots) {
      while (head != nullptr) Unlink(*head);
    }
  }
}

void TimerWheel::Schedule(Timer& timer, Time deadline) {
  if (timer.scheduled()) {
    if (timer.deadline_ == deadline) return;
    Cancel(timer);
  }
  if (deadline.is_infinite()) return;
  timer.deadline_ = deadline;
  Insert(timer);
  ++size_;
  next_deadline_ = std::min(next_deadline_, deadline);
}

void TimerWheel::Cancel(Timer& timer) {
  if (!timer.scheduled()) return;
  if (timer.deadline_ <= next_deadline_) next_known_ = false;
  Unlink(timer);
  timer.deadline_ = Time::Infinite();
  --size_;
}

void TimerWheel::Insert(Timer& timer) {
  const uint64_t tick = std::max(TickOf(timer.deadline_), tick_);
  const int top_bit = std::bit_width(tick ^ tick_);  // 0: the current tick
  const int level = top_bit == 0 ? 0 : (top_bit - 1) / kLevelBits;
  const uint64_t slot = DigitOf(tick, level);
  timer.level_ = static_cast<uint8_t>(level);
  timer.slot_ = static_cast<uint8_t>(slot);

  Level& l = levels_[static_cast<size_t>(level)];
  Timer*& head = l.slots[slot];
  timer.next_ = head;
  timer.previous_ = &head;
  if (head != nullptr) head->previous_ = &timer.next_;
  head = &timer;
  l.occupied |= uint64_t{1} << slot;
}

void TimerWheel::Unlink(Timer& timer) {
  *timer.previous_ = timer.next_;
  if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
  timer.next_ = nullptr;
  timer.previous_ = nullptr;
  Level& l = levels_[timer.level_];
  if (l.slots[timer.slot_] == nullptr) l.occupied &= ~(uint64_t{1} << timer.slot_);
}

uint64_t TimerWheel::FirstOccupiedTick() const {
  for (int level = 0; level < kLevels; ++level) {
    const uint64_t occupied = levels_[static_cast<size_t>(level)].occupied;
    if (occupied == 0) continue;
    const uint64_t slot = static_cast<uint64_t>(std::countr_zero(occupied));
    // The digits above this level are the current tick's, those below it are zero.
    const int shift = level * kLevelBits;
    const uint64_t above = tick_ >> shift >> kLevelBits;
    return ((above << kLevelBits) | slot) << shift;
  }
  assert(false);
  return tick_;
}

void TimerWheel::MoveTo(uint64_t tick) {
  if (tick <= tick_) return;
  const int top_level = (std::bit_width(tick ^ tick_) - 1) / kLevelBits;
  tick_ = tick;
  if (top_level == 0) return;
  // All levels below are empty: what was in them would have been due before. So only the slot of
  // top_level that the tick has entered is spread over them.
  Level& level = levels_[static_cast<size_t>(top_level)];
  const uint64_t slot = DigitOf(tick, top_level);
  Timer* timer = level.slots[slot];
  level.slots[slot] = nullptr;
  level.occupied &= ~(uint64_t{1} << slot);
  while (timer != nullptr) {
    Timer* next = timer->next_;
    Insert(*timer);
    timer = next;
  }
}

Timer* TimerWheel::PopFromCurrentSlot(Time now) {
  for (Timer* timer = levels_[0].slots[DigitOf(tick_, 0)]; timer != nullptr; timer = timer->next_) {
    if (timer->deadline_ > now) continue;
    Unlink(*timer);
    timer->deadline_ = Time::Infinite();
    --size_;
    return timer;
  }
  return nullptr;
}

Timer* TimerWheel::PopExpired(Time now) {
  const uint64_t now_tick = TickOf(now);
  if (now < next_deadline_) {
    MoveTo(now_tick);
    return nullptr;
  }
  while (size_ != 0) {
    const uint64_t first = FirstOccupiedTick();
    MoveTo(std::min(std::max(first, tick_), now_tick));
    if (Timer* timer = PopFromCurrentSlot(now)) return timer;
    // A slot of a level above was spread and its timers are later, or what is left is later than
    // now.
    if (tick_ >= now_tick) break;
  }
  MoveTo(now_tick);
  next_deadline_ = ComputeNextDeadline();
  next_known_ = true;
  return nullptr;
}

Time TimerWheel::ComputeNextDeadline() const {
  if (size_ == 0) return Time::Infinite();
  const uint64_t first = FirstOccupiedTick();
  if (levels_[0].occupied == 0) {
    return Time::FromNanos(static_cast<int64_t>(first << kTickShift));
  }
  Time earliest = Time::Infinite();
  for (const Timer* t = levels_[0].slots[DigitOf(first, 0)]; t != nullptr; t = t->next_) {
    earliest = std::min(earliest, t->deadline_);
  }
  return earliest;
}

Time TimerWheel::NextDeadline() const {
  if (!next_known_) {
    next_deadline_ = ComputeNextDeadline();
    next_known_ = true;
  }
  return next_deadline_;
}

}  // namespace netchannel

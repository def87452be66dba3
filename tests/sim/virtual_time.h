// SPDX-License-Identifier: Apache-2.0
//
// Virtual time: actors that ask to be woken at an instant, and the queue that wakes them in order.
// There is no other clock in the simulator, so a run takes as long as its computation, and two runs
// of the same actors are the same run.
//
// Invariants: time never goes back; actors due at the same instant wake in the order in which they
// asked. An actor has at most one wake-up pending, the earliest that it asked for. Owner: the test.
// Actors and queue refer to each other: actors are destroyed first. Thread: one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

#include "base/units.h"

namespace netchannel::sim {

class EventQueue;

class Actor {
 public:
  explicit Actor(EventQueue* events) : events_(events) {}
  virtual ~Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  virtual void OnWake(Time now) = 0;

 protected:
  // Wakes this actor at `when`, or at once when that has passed. A wake-up that is already due
  // earlier stays, and this one is then the actor's to ask for again.
  void WakeAt(Time when);
  Time now() const;

 private:
  friend class EventQueue;
  EventQueue* events_;
  Time wake_at_ = Time::Infinite();
};

class EventQueue {
 public:
  Time now() const { return now_; }
  uint64_t events_run() const { return events_run_; }

  // Runs the next event when it is not later than `deadline`. False when there is none, and then
  // the clock stands at `deadline`.
  bool RunOne(Time deadline) {
    while (!heap_.empty() && heap_.top().actor->wake_at_ != heap_.top().at) heap_.pop();
    if (heap_.empty() || heap_.top().at > deadline) {
      now_ = std::max(now_, deadline);
      return false;
    }
    Actor* actor = heap_.top().actor;
    now_ = heap_.top().at;
    heap_.pop();
    actor->wake_at_ = Time::Infinite();
    ++events_run_;
    actor->OnWake(now_);
    return true;
  }

 private:
  friend class Actor;
  struct Entry {
    Time at;
    uint64_t sequence;
    Actor* actor;
    bool operator<(const Entry& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;  // the earliest on top
    }
  };

  void Schedule(Actor* actor, Time when) {
    when = std::max(when, now_);
    if (when >= actor->wake_at_) return;
    actor->wake_at_ = when;
    heap_.push({when, next_sequence_++, actor});
  }

  std::priority_queue<Entry> heap_;
  Time now_ = Time::FromNanos(1'000'000'000);  // not 0, which protocol code may take for "never"
  uint64_t next_sequence_ = 0;
  uint64_t events_run_ = 0;
};

inline void Actor::WakeAt(Time when) {
  if (!when.is_infinite()) events_->Schedule(this, when);
}
inline Time Actor::now() const { return events_->now(); }

}  // namespace netchannel::sim

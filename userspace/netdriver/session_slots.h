// SPDX-License-Identifier: Apache-2.0
//
// The sessions of a host by handle: a slot, and a generation that tells a session from those that
// were in its slot before.
//
// Invariant: a handle finds its session until Remove, and never another one; after 2^32 sessions in
// one slot handles begin again. Owner: a session table. Thread: one. Errors: Create gives nullptr
// at the limit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/stream.h"

namespace netchannel {

// Session: has a `handle`, and is made without arguments.
template <typename Session>
class SessionSlots {
 public:
  explicit SessionSlots(uint32_t max_sessions) : max_sessions_(max_sessions) {}

  Session* Create() {
    if (size() >= max_sessions_) return nullptr;
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    if (++slot.generation == 0) slot.generation = 1;
    slot.session = std::make_unique<Session>();
    slot.session->handle = {index, slot.generation};
    return slot.session.get();
  }

  // Destroys it.
  void Remove(Session& session) {
    const uint32_t index = session.handle.slot;
    slots_[index].session.reset();
    free_.push_back(index);
  }

  Session* Find(SessionHandle handle) const {
    if (handle.slot >= slots_.size() || !handle.valid()) return nullptr;
    const Slot& slot = slots_[handle.slot];
    return slot.generation == handle.generation ? slot.session.get() : nullptr;
  }

  size_t size() const { return slots_.size() - free_.size(); }

  // Calls `see` for at most `most` slots' sessions from slot `from` on; where to go on: 0 behind
  // the last.
  template <typename F>
  uint32_t Visit(uint32_t from, size_t most, F see) const {
    const size_t end = std::min(slots_.size(), from + most);
    for (size_t i = from; i < end; ++i) {
      if (slots_[i].session != nullptr) see(std::as_const(*slots_[i].session));
    }
    return end == slots_.size() ? 0 : static_cast<uint32_t>(end);
  }

  // In the order of slots; control plane.
  std::vector<Session*> All() const {
    std::vector<Session*> all;
    for (const Slot& slot : slots_) {
      if (slot.session != nullptr) all.push_back(slot.session.get());
    }
    return all;
  }

 private:
  struct Slot {
    uint32_t generation = 0;  // of the session in it, or of the next one minus 1
    std::unique_ptr<Session> session;
  };

  const uint32_t max_sessions_;
  std::vector<Slot> slots_;  // grows to the largest number of sessions at a time
  std::vector<uint32_t> free_;
};

}  // namespace netchannel

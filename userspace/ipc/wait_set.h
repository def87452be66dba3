// SPDX-License-Identifier: Apache-2.0
//
// A wait set's ring: the stack pushes sockets to which something has happened, the application pops
// them. A socket can be in several sets; each has a bit in the bitmaps of its slot (ipc/abi.h).
//
// SocketSlot::queued has the set's bit while the socket is in the ring: the stack sets it and
// pushes, the application pops and clears it, and only then looks at the socket. So what happens
// after the look is pushed again, and what happens before it is seen.
//
// WaitSet::sleeping is set (Arm) by an application about to sleep on the set's eventfd; the stack
// clears it with the one write that it makes, so an eventfd is written at most once a sleep.
//
// Thread: WaitSetProducer the lease's thread, but SetEventFd any; WaitSetConsumer under the set's
// lock, but HasEntry any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "ipc/region.h"

namespace netchannel::ipc {

inline constexpr uint32_t SetWord(uint32_t set) { return set / 64; }
inline constexpr uint64_t SetBit(uint32_t set) { return uint64_t{1} << (set % 64); }

class WaitSetProducer {
 public:
  explicit WaitSetProducer(const RegionView& region);
  ~WaitSetProducer();
  WaitSetProducer(const WaitSetProducer&) = delete;
  WaitSetProducer& operator=(const WaitSetProducer&) = delete;

  // Pushes `socket`, whose slot is `slot`, to each set of `word` that `sets` names and that does
  // not have it already. Unused sets take nothing.
  void Push(SocketSlot* slot, uint32_t socket, uint32_t word, uint64_t sets);
  // Writes `fd`, an eventfd that stays the caller's, when the set is to be woken; it takes the
  // place of an earlier one. Wakes at once, unless the application sleeps and nothing has happened:
  // a wake-up may have come before the descriptor. False: a set out of range, or no more
  // descriptors.
  bool SetEventFd(uint32_t set, int fd);
  int EventFd(uint32_t set) const {
    return set < kWaitSets ? event_fds_[set].load(std::memory_order_acquire) : -1;
  }
  // Wakes whoever sleeps in any set: the stack goes.
  void WakeAll();

 private:
  bool PushOne(uint32_t set, uint32_t socket);
  void Signal(uint32_t set);

  RegionView region_;
  std::array<uint32_t, kWaitSets> tails_{};
  // Our own copies. A number once stored stays: another descriptor is put behind it (dup3), so that
  // a thread that signals never writes to a stranger's.
  std::array<std::atomic<int>, kWaitSets> event_fds_;
};

class WaitSetConsumer {
 public:
  WaitSetConsumer(const RegionView& region, uint32_t set);
  bool HasEntry() const;
  // The oldest socket, whose `queued` bit is cleared. Sequentially consistent: what the stack
  // publishes and does not push again is seen by looks that come after.
  std::optional<uint32_t> Pop();
  // After Arm, HasEntry must be asked once more before sleeping.
  void Arm();
  void Disarm();

 private:
  RegionView region_;
  WaitSet* set_;
  uint32_t* entries_;
  uint32_t mask_;
  uint32_t index_;
};

}  // namespace netchannel::ipc

// SPDX-License-Identifier: Apache-2.0
//
// A wait set's ring: the stack pushes sockets that became ready, the application pops them.
//
// SocketSlot::queued says that the socket is in the ring or in the application's own list of ready
// sockets: then the stack need not push it. The application clears it when it has found the socket
// not ready, fences, and looks once more (client/set.cc).
//
// WaitSet::sleeping is set (Arm) by an application about to sleep on the set's eventfd; the stack
// clears it with the one write that it makes, so an eventfd is written at most once a sleep.
//
// Thread: WaitSetProducer the lease's thread, but EventFd any; WaitSetConsumer under the set's
// lock, but HasEntry any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "ipc/region.h"

namespace netchannel::ipc {

class WaitSetProducer {
 public:
  explicit WaitSetProducer(const RegionView& region);
  ~WaitSetProducer();
  WaitSetProducer(const WaitSetProducer&) = delete;
  WaitSetProducer& operator=(const WaitSetProducer&) = delete;

  // A full ring (which a lawful application cannot have) or an unused set drops the entry.
  void Push(uint32_t set, uint32_t socket);
  // The set's eventfd (non-blocking, close-on-exec), created on first use and owned here. -1: no
  // more descriptors.
  int EventFd(uint32_t set);
  // Wakes whoever sleeps in any set: the stack goes.
  void WakeAll();

 private:
  void Signal(uint32_t set);

  RegionView region_;
  std::array<uint32_t, kWaitSets> tails_{};
  std::array<std::atomic<int>, kWaitSets> event_fds_;
};

class WaitSetConsumer {
 public:
  WaitSetConsumer(const RegionView& region, uint32_t set);
  bool HasEntry() const;
  std::optional<uint32_t> Pop();
  void Clear();
  // After Arm, HasEntry must be asked once more before sleeping.
  void Arm();
  void Disarm();

 private:
  WaitSet* set_;
  const uint32_t* entries_;
  uint32_t mask_;
};

}  // namespace netchannel::ipc

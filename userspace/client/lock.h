// SPDX-License-Identifier: Apache-2.0
//
// The lock of one direction of a socket, and the fence of the doorbell in one.
//
// Sending 64 bytes takes about 25 ns, and a locked instruction 6 to 8 of them, so there are two:
// taking the lock, and one full fence after releasing it. That fence serves two protocols at once:
// - this lock's: `held` is cleared before it, `waiters` is looked at after it (a waiter counts
// itself, and
//   then looks at `held`);
// - the socket's (ipc/abi.h): the position was stored before it, `dirty` is looked at after it.
//
// Held over a copy of at most one ring, never over a wait. Inside one process. Thread: any. Errors:
// none.
#pragma once

#include <atomic>
#include <cstdint>

#include "ipc/fence.h"
#include "ipc/futex.h"

namespace netchannel {

class DirectionLock {
 public:
  void Lock() {
    if (held_.exchange(1, std::memory_order_acquire) != 0) LockSlow();
  }

  // Releases, with a full fence: what the caller stored before is seen by everyone whose flag it
  // does not see set afterwards.
  void UnlockAndFence() {
    held_.store(0, std::memory_order_release);
    ipc::FullFence();
    if (waiters_.load(std::memory_order_relaxed) != 0) {
      ipc::FutexWake(held_, 1, ipc::FutexScope::kPrivate);
    }
  }

 private:
  void LockSlow() {
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    while (held_.exchange(1, std::memory_order_seq_cst) != 0) {
      ipc::FutexWait(held_, 1, Time::Infinite(), ipc::FutexScope::kPrivate);
    }
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }

  std::atomic<uint32_t> held_{0};
  std::atomic<uint32_t> waiters_{0};
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// The lock of one direction of a socket, and the fence of the doorbell in one. It lies in the
// region and works between processes.
//
// Sending 64 bytes takes about 25 ns, and a locked instruction 6 to 8 of them, so there are two:
// taking the lock, and one full fence after releasing it. That fence serves two protocols at once:
// - this lock's: `owner` is cleared before it, `waiting` is looked at after it (a waiter sets it,
// and
//   then looks at `owner`);
// - the socket's (ipc/abi.h): the position was stored before it, `dirty` is looked at after it.
//
// Death. A holder that is killed leaves its name in `owner`. A waiter that has slept kPatience
// looks whether the holder lives, and takes the lock over if it does not. What the lock guards must
// be fit for that: positions are stored in the slot once and after the copy, so a takeover finds
// the socket as before the call or after it, and copies of the stack's positions may be old at any
// time.
//
// A holder whose process has workers that copy for it says so in `helpers`: a lock is not taken
// over while one of them may still write.
//
// Held over a copy of at most one ring, never over a wait but that for the workers that copy
// (options_lock: over a call). A holder
// that is only stopped is waited for. Thread: any; not from a signal handler that interrupts its
// holder.
#pragma once

#include <atomic>

#include "ipc/abi.h"
#include "ipc/fence.h"
#include "ipc/owner.h"

namespace netchannel {

namespace internal {
void LockSlow(ipc::SharedLock* lock);
void WakeNext(ipc::SharedLock* lock);
}  // namespace internal

inline void Lock(ipc::SharedLock* lock) {
  ipc::OwnerWord nobody = 0;
  if (!lock->owner.compare_exchange_strong(nobody, ipc::ThisThread(), std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
    internal::LockSlow(lock);
  }
}

// Releases, with a full fence: what the caller stored before is seen by everyone whose flag it does
// not see set afterwards.
inline void UnlockAndFence(ipc::SharedLock* lock) {
  lock->owner.store(0, std::memory_order_release);
  ipc::FullFence();
  if (lock->waiting.load(std::memory_order_relaxed) != 0) internal::WakeNext(lock);
}

class SharedLockGuard {
 public:
  explicit SharedLockGuard(ipc::SharedLock* lock) : lock_(lock) { Lock(lock); }
  ~SharedLockGuard() { UnlockAndFence(lock_); }
  SharedLockGuard(const SharedLockGuard&) = delete;
  SharedLockGuard& operator=(const SharedLockGuard&) = delete;

 private:
  ipc::SharedLock* const lock_;
};

}  // namespace netchannel

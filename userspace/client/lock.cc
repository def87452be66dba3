// SPDX-License-Identifier: Apache-2.0
#include "client/lock.h"

#include "ipc/futex.h"

namespace netchannel::internal {
namespace {

// How long a waiter sleeps before it asks whether the holder is alive.
constexpr Duration kPatience = Duration::Millis(50);

bool IsAlive(const ipc::SharedLock& lock, ipc::OwnerWord holder) {
  if (ipc::IsAlive(holder)) return true;
  const ipc::OwnerWord helpers = lock.helpers.load(std::memory_order_acquire);
  return helpers != 0 && ipc::IsAlive(helpers);
}

}  // namespace

void LockSlow(ipc::SharedLock* lock) {
  for (;;) {
    const uint32_t turn = lock->turn.load(std::memory_order_seq_cst);
    lock->waiting.store(1, std::memory_order_seq_cst);
    ipc::OwnerWord holder = 0;
    if (lock->owner.compare_exchange_strong(holder, ipc::ThisThread(), std::memory_order_seq_cst)) {
      break;
    }
    const int slept =
        ipc::FutexWait(lock->turn, turn, ipc::MonotonicNow() + kPatience, ipc::FutexScope::kShared);
    if (slept == ETIMEDOUT && !IsAlive(*lock, holder) &&
        lock->owner.compare_exchange_strong(holder, ipc::ThisThread(), std::memory_order_seq_cst)) {
      lock->helpers.store(0, std::memory_order_relaxed);
      break;
    }
  }
  // Others may sleep still: our release wakes the next.
  lock->waiting.store(1, std::memory_order_seq_cst);
}

// One at a time. Who has set `waiting` before it is cleared here, and does not sleep yet, finds
// that `turn` has moved.
void WakeNext(ipc::SharedLock* lock) {
  lock->waiting.store(0, std::memory_order_seq_cst);
  lock->turn.fetch_add(1, std::memory_order_seq_cst);
  ipc::FutexWake(lock->turn, 1, ipc::FutexScope::kShared);
}

}  // namespace netchannel::internal

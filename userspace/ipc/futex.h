// SPDX-License-Identifier: Apache-2.0
//
// Sleeping on a 32-bit word (futex(2)). Shared futexes work between processes that map the same
// region; private ones are cheaper and stay inside one. Deadlines are absolute on CLOCK_MONOTONIC.
//
// Thread: any. Errors: FutexWait returns an errno value; waking cannot fail.
#pragma once

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include "base/units.h"

namespace netchannel::ipc {

enum class FutexScope : int { kShared = 0, kPrivate = FUTEX_PRIVATE_FLAG };

inline Time MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Time::FromNanos(int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec);
}

// `deadline` as the kernel wants it. Precondition: not infinite.
inline timespec ToTimespec(Duration since_epoch) {
  timespec out;
  out.tv_sec = static_cast<time_t>(since_epoch.nanos() / 1'000'000'000);
  out.tv_nsec = static_cast<long>(since_epoch.nanos() % 1'000'000'000);
  return out;
}

// Sleeps while `word` holds `expected`, until woken or `deadline`. 0: woken (perhaps for nothing),
// EAGAIN: the word differed, ETIMEDOUT, EINTR: a signal handler ran.
inline int FutexWait(std::atomic<uint32_t>& word, uint32_t expected, Time deadline,
                     FutexScope scope) {
  timespec at;
  timespec* timeout = nullptr;
  if (!deadline.is_infinite()) {
    if (deadline.nanos() <= 0) return ETIMEDOUT;
    at = ToTimespec(Duration::Nanos(deadline.nanos()));
    timeout = &at;
  }
  // FUTEX_WAIT_BITSET takes an absolute deadline, FUTEX_WAIT a relative one.
  const long result = syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word),
                              FUTEX_WAIT_BITSET | static_cast<int>(scope), expected, timeout,
                              nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 ? 0 : errno;
}

inline void FutexWake(std::atomic<uint32_t>& word, int threads, FutexScope scope) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE | static_cast<int>(scope),
          threads);
}

inline void FutexWakeAll(std::atomic<uint32_t>& word, FutexScope scope) {
  FutexWake(word, INT_MAX, scope);
}

}  // namespace netchannel::ipc

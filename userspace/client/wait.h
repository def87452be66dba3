// SPDX-License-Identifier: Apache-2.0
//
// Waiting for something to become true of a socket.
//
// The waiting thread first offers itself to the stack (StackLink::Lend), which then runs on it: no
// hand-over, the lowest latency. Where that is not possible it sleeps on the slot's `event` futex,
// after it has counted itself in `waiters` and looked once more; with NC_SPIN it spins on shared
// memory instead.
//
// Signals, as with recv() of Linux (signal(7)): a handler ends the wait, unless it was installed
// with SA_RESTART and the wait has no time limit. A futex sleep without a limit is restarted by the
// kernel itself, and one with a limit never is. Of a lent thread, see ipc/link.h.
//
// Cancellation: the futex sleep is a cancellation point; a lent thread's pthread_cancel() waits
// until the call ends.
#pragma once

#include <cstdint>

#include "base/units.h"
#include "client/socket.h"

namespace netchannel {

enum class WaitResult : uint8_t { kReady, kTimedOut, kInterrupted };

// Conditions are asked by any thread, without locks, often: they look at the slot only.
enum class Condition : uint8_t {
  kReadable,   // `bytes` can be read, or no more will come
  kWritable,   // `bytes` can be written, or writing fails
  kConnected,  // the outcome of connect is known
  kDelivered,  // the peer has acknowledged `bytes` of the stream, or never will
};

// `deadline` on CLOCK_MONOTONIC.
WaitResult WaitFor(nc_socket* socket, Condition condition, uint64_t bytes, Time deadline);

// Time::Infinite() for timeout_ms <= 0.
Time DeadlineAfter(int timeout_ms);

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "client/wait.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include <optional>

#include "ipc/fence.h"
#include "ipc/futex.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

// Looks at shared memory between two offers of the thread (a lease held by another may have come
// free), and of its core: who is to bring what it waits for may need it. Under 1 us.
constexpr int kSpinTurns = 16;
// Between two offers of the core where the stack's thread is known to be on another: who waits for
// this one (the peer's stack, on a machine with two hosts) comes rarely, and a switch to it and
// back costs several microseconds. Measured: stack/core_sharing.h.
constexpr Duration kSpinWindow = Duration::Micros(10);

struct Waiting {
  nc_socket* socket;
  uint64_t bytes;
};

bool Gone(uint32_t flags) {
  return ipc::StateOf(flags) == ipc::SlotState::kClosed || (flags & ipc::kFlagDetached) != 0;
}

bool IsReadable(void* argument) {
  const auto* waiting = static_cast<Waiting*>(argument);
  const uint32_t flags = waiting->socket->Flags();
  if (ipc::PeerFin(flags) || Gone(flags)) return true;
  if ((waiting->socket->shut() & kShutRead) != 0) return true;
  const ipc::SocketSlot* slot = waiting->socket->slot;
  return slot->received.load(std::memory_order_acquire) -
             slot->consumed.load(std::memory_order_relaxed) >=
         waiting->bytes;
}

bool IsWritable(void* argument) {
  const auto* waiting = static_cast<Waiting*>(argument);
  const uint32_t flags = waiting->socket->Flags();
  if (ipc::StateOf(flags) == ipc::SlotState::kConnecting) return false;
  if (ipc::StateOf(flags) != ipc::SlotState::kConnected || Gone(flags)) return true;
  if ((waiting->socket->shut() & kShutWrite) != 0) return true;
  const ipc::SocketSlot* slot = waiting->socket->slot;
  const uint64_t acknowledged = slot->acknowledged.load(std::memory_order_acquire);
  return ipc::WriteRoom(slot->written.load(std::memory_order_relaxed), acknowledged,
                        waiting->socket->client->send_limit.load(std::memory_order_relaxed)) >=
         waiting->bytes;
}

bool IsConnected(void* argument) {
  const uint32_t flags = static_cast<Waiting*>(argument)->socket->Flags();
  return ipc::StateOf(flags) != ipc::SlotState::kConnecting || Gone(flags);
}

bool IsDelivered(void* argument) {
  const auto* waiting = static_cast<Waiting*>(argument);
  if (Gone(waiting->socket->Flags())) return true;
  return waiting->socket->slot->acknowledged.load(std::memory_order_acquire) >= waiting->bytes;
}

using Done = bool (*)(void*);

Done DoneOf(Condition condition) {
  switch (condition) {
    case Condition::kReadable:
      return &IsReadable;
    case Condition::kWritable:
      return &IsWritable;
    case Condition::kConnected:
      return &IsConnected;
    case Condition::kDelivered:
      return &IsDelivered;
  }
  return &IsConnected;
}

// A thread that spins for a stack which runs on another one.
class Spinner {
 public:
  explicit Spinner(ipc::RegionHeader* header) : header_(header) {}

  // Looks for a while, and gives the core away if that was in vain.
  void Turn(Done done, Waiting* waiting) {
    const uint32_t stack_core = header_->stack_core.load(std::memory_order_relaxed);
    const auto core = static_cast<uint32_t>(sched_getcpu());
    const bool apart = stack_core != 0 && stack_core != core + 1;
    Tell(core);
    // What this thread has written is on its way now; who is next on the core may be who carries
    // it on, and nothing can come before that.
    const bool look = !apart || turns_ > 0;
    ++turns_;
    if (look && Look(done, waiting, apart ? kSpinWindow : Duration::Zero())) return;
    sched_yield();
  }

 private:
  static bool Look(Done done, Waiting* waiting, Duration window) {
    const Time until = ipc::MonotonicNow() + window;
    do {
      for (int i = 0; i < kSpinTurns; ++i) {
        if (done(waiting)) return true;
        ipc::SpinPause();
      }
    } while (ipc::MonotonicNow() < until);
    return false;
  }

  void Tell(uint32_t core) {
    constexpr uint32_t kCoreMask = (1u << ipc::kSpinnerCoreBits) - 1;
    const uint32_t before = header_->spinner.load(std::memory_order_relaxed);
    header_->spinner.store(((before & ~kCoreMask) + kCoreMask + 1) | (core & kCoreMask),
                           std::memory_order_relaxed);
  }

  ipc::RegionHeader* const header_;
  uint32_t turns_ = 0;
};

// 0, or what ended the sleep. EINTR is the only one that the caller must know.
int SleepOnEvent(nc_socket* socket, uint32_t waiter, Done done, Waiting* waiting, Time deadline) {
  ipc::SocketSlot* slot = socket->slot;
  Attachment* home = socket->home.get();
  const Attending attending(home);
  const std::optional<uint32_t> event = ipc::AnnounceWaiter(slot, waiter);
  if (!event || done(waiting)) return 0;
  // Nothing is held that a cancelled thread would have to give back (embedded: `sleepers`, which
  // then keeps the stack's own thread at work).
  int cancel_type;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &cancel_type);
  const int error = ipc::FutexWait(slot->event, *event, deadline, ipc::FutexScope::kShared);
  pthread_setcanceltype(cancel_type, nullptr);
  return error;
}

}  // namespace

WaitResult WaitFor(nc_socket* socket, Condition condition, uint64_t bytes, Time deadline) {
  const Done done = DoneOf(condition);
  const uint32_t waiter = condition == Condition::kReadable ? ipc::kReadWaiter : ipc::kWriteWaiter;
  Waiting waiting = {socket, bytes};
  ipc::StackLink* link = socket->home->link.get();
  Spinner spinner(socket->home->header);
  while (!done(&waiting)) {
    if (!deadline.is_infinite() && ipc::MonotonicNow() >= deadline) return WaitResult::kTimedOut;
    const bool spin = socket->client->spin.load(std::memory_order_relaxed) != 0;
    const ipc::LendResult lent = link->Lend(done, &waiting, deadline, spin);
    // As recv() of Linux: with SA_RESTART it goes on, unless it has a time limit (signal(7)).
    const bool ends = lent == ipc::LendResult::kInterrupted ||
                      (lent == ipc::LendResult::kRestartable && !deadline.is_infinite());
    if (ends && !done(&waiting)) return WaitResult::kInterrupted;
    if (lent != ipc::LendResult::kUnavailable) continue;
    if (spin) {
      spinner.Turn(done, &waiting);
      continue;
    }
    if (SleepOnEvent(socket, waiter, done, &waiting, deadline) == EINTR && !done(&waiting)) {
      return WaitResult::kInterrupted;
    }
  }
  return WaitResult::kReady;
}

Time DeadlineAfter(int timeout_ms) {
  return timeout_ms > 0 ? ipc::MonotonicNow() + Duration::Millis(timeout_ms) : Time::Infinite();
}

}  // namespace netchannel

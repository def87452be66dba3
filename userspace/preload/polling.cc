// SPDX-License-Identifier: Apache-2.0
//
// poll and ppoll; what select (select.cc) and accept (accept.cc) wait with.
#include "preload/polling.h"

#include <errno.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "client/socket.h"
#include "ipc/futex.h"
#include "ipc/socket_slot.h"
#include "preload/connecting.h"
#include "preload/events.h"
#include "preload/own_calls.h"
#include "preload/poll_set.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/sockets.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

// How long a poll() sleeps at once when it can have no wait set.
constexpr int64_t kSliceNanos = 1'000'000;

// A futex sleep without a deadline would be restarted after a signal handler with SA_RESTART, and
// poll() never is.
constexpr Duration kLongSleep = Duration::Millis(3'600'000);

int64_t Soonest(int64_t a, int64_t b) { return a < 0 ? b : b < 0 ? a : std::min(a, b); }

timespec ToTimespec(int64_t nanos) {
  return {nanos / 1'000'000'000, static_cast<long>(nanos % 1'000'000'000)};
}

// One poll() call.
class Polling {
 public:
  Polling(pollfd* fds, nfds_t count, const sigset_t* mask)
      : fds_(fds), count_(count), mask_(mask) {}

  // Looks at all virtual sockets. Returns how many have something.
  int LookAtVirtual();
  // Asks the kernel about the others, and waits there. `wake`: another descriptor that ends the
  // wait, or -1. How many have something; -1 and errno.
  int AskKernel(int64_t timeout_ns, int wake);
  bool has_kernel() const { return !kernel_.empty(); }
  // Waits for the virtual ones and the kernel's. As AskKernel; 0: look again.
  int Sleep(int64_t timeout_ns);

 private:
  int SleepOnOne(int64_t timeout_ns);

  pollfd* const fds_;
  const nfds_t count_;
  const sigset_t* const mask_;
  absl::InlinedVector<pollfd, 32> kernel_;
  absl::InlinedVector<nfds_t, 32> kernel_at_;  // their places in fds_
  std::vector<PollSet::Member> virtual_;
};

int Polling::LookAtVirtual() {
  kernel_.clear();
  kernel_at_.clear();
  virtual_.clear();
  int found = 0;
  for (nfds_t i = 0; i < count_; ++i) {
    pollfd& one = fds_[i];
    one.revents = 0;
    const Use use(one.fd);
    if (use) Refresh(one.fd, use.get());
    const Kind kind = use ? use->kind_now() : Kind::kFree;
    if (kind == Kind::kListener) KeepListening(one.fd, use.get());
    nc_socket* const socket = use ? use->socket.load(std::memory_order_acquire) : nullptr;
    if (kind == Kind::kInherited) {  // its daemon has gone
      one.revents = static_cast<short>(POLLERR | POLLHUP | (one.events & (POLLIN | POLLOUT)));
    } else if (socket != nullptr) {
      const uint32_t asked = static_cast<uint16_t>(one.events);
      const unsigned watch = WatchEventsOfPoll(asked);
      virtual_.push_back({use.get(), use->life.load(std::memory_order_acquire), watch});
      // An attempt's outcome is acted on before it is told: it may be the kernel's to try now.
      uint32_t events = kind == Kind::kConnecting ? 0 : PollEventsOf(nc_ready(socket));
      if (use->error.load(std::memory_order_relaxed) != 0) events |= POLLERR;
      one.revents = static_cast<short>(events & (asked | POLLERR | POLLHUP));
    }
    if (one.revents != 0) {
      ++found;
      continue;
    }
    if (kind == Kind::kVirtual || kind == Kind::kConnecting || one.fd < 0) continue;
    kernel_.push_back({one.fd, one.events, 0});
    kernel_at_.push_back(i);
  }
  return found;
}

int Polling::AskKernel(int64_t timeout_ns, int wake) {
  if (wake >= 0) kernel_.push_back({wake, POLLIN, 0});
  const timespec timeout = ToTimespec(std::max<int64_t>(timeout_ns, 0));
  int count =
      Real().ppoll(kernel_.data(), kernel_.size(), timeout_ns < 0 ? nullptr : &timeout, mask_);
  if (count > 0) {
    count = 0;
    for (size_t i = 0; i < kernel_at_.size(); ++i) {
      fds_[kernel_at_[i]].revents = kernel_[i].revents;
      if (kernel_[i].revents != 0) ++count;
    }
  }
  if (wake >= 0) kernel_.pop_back();
  return count;
}

// One virtual socket and nothing else: on its futex.
int Polling::SleepOnOne(int64_t timeout_ns) {
  const PollSet::Member& only = virtual_.front();
  const Use use(only.socket, only.life);
  nc_socket* const socket = use ? use->socket.load(std::memory_order_acquire) : nullptr;
  if (socket == nullptr) return 0;
  const unsigned wanted = only.events | NC_HANGUP | NC_FAILED;
  ipc::SocketSlot* const slot = socket->slot;
  const std::optional<uint32_t> event =
      ipc::AnnounceWaiter(slot, ipc::kReadWaiter | ipc::kWriteWaiter);
  if (!event || (nc_ready(socket) & wanted) != 0) return 0;
  if ((wanted & NC_WRITE) != 0 && !AwaitRoom(socket)) return 0;
  const Duration limit =
      timeout_ns < 0 ? kLongSleep : std::min(Duration::Nanos(timeout_ns), kLongSleep);
  const CancellationPoint cancellable;
  const int slept =
      ipc::FutexWait(slot->event, *event, ipc::MonotonicNow() + limit, ipc::FutexScope::kShared);
  if (slept != EINTR || (nc_ready(socket) & wanted) != 0) return 0;
  errno = EINTR;
  return -1;
}

int Polling::Sleep(int64_t timeout_ns) {
  if (virtual_.size() == 1 && kernel_.empty() && mask_ == nullptr) return SleepOnOne(timeout_ns);
  PollSet* const set = PollSet::OfThread();
  if (set == nullptr || !set->Fill(virtual_)) {
    return AskKernel(Soonest(timeout_ns, kSliceNanos), -1);
  }
  const int wake = set->Arm();
  if (wake < 0) return has_kernel() ? AskKernel(0, -1) : 0;
  return AskKernel(timeout_ns, wake);
}

}  // namespace

bool AnyKnown(pollfd* fds, nfds_t count) {
  for (nfds_t i = 0; i < count; ++i) {
    if (Peek(fds[i].fd) != nullptr) return true;
  }
  return false;
}

int Poll(pollfd* fds, nfds_t count, int64_t timeout_ns, const sigset_t* mask) {
  Polling polling(fds, count, mask);
  int64_t left = timeout_ns, deadline = -1;
  for (;;) {
    const int found = polling.LookAtVirtual();
    if (found > 0 || left == 0) {
      if (!polling.has_kernel()) return found;
      const int saved = errno;
      const int more = polling.AskKernel(0, -1);
      if (more < 0 && found == 0) return -1;
      errno = saved;
      return found + std::max(more, 0);
    }
    if (timeout_ns > 0) {
      const int64_t now = NowNanos();
      if (deadline < 0) deadline = now + timeout_ns;
      left = std::max<int64_t>(deadline - now, 0);
      if (left == 0) continue;
    }
    const int slept = polling.Sleep(left);
    if (slept < 0) return -1;
    if (slept > 0) return slept;
  }
}

bool RestartsCalls() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) != 0) continue;
    const bool caught = (action.sa_flags & SA_SIGINFO) != 0 ||
                        (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
    if (caught && (action.sa_flags & SA_RESTART) == 0) return false;
  }
  return true;
}

}  // namespace netchannel::preload

using netchannel::preload::Real;

extern "C" {

int poll(struct pollfd* fds, nfds_t count, int timeout_ms) {
  if (!netchannel::preload::AnyKnown(fds, count)) return Real().poll(fds, count, timeout_ms);
  return netchannel::preload::Poll(fds, count,
                                   timeout_ms < 0 ? -1 : int64_t{timeout_ms} * 1'000'000, nullptr);
}

int ppoll(struct pollfd* fds, nfds_t count, const struct timespec* timeout, const sigset_t* mask) {
  if (!netchannel::preload::AnyKnown(fds, count)) return Real().ppoll(fds, count, timeout, mask);
  int64_t timeout_ns = -1;
  if (timeout != nullptr) {
    if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1'000'000'000) {
      errno = EINVAL;
      return -1;
    }
    timeout_ns = timeout->tv_sec > INT64_MAX / 2'000'000'000
                     ? -1
                     : int64_t{timeout->tv_sec} * 1'000'000'000 + timeout->tv_nsec;
  }
  return netchannel::preload::Poll(fds, count, timeout_ns, mask);
}

}  // extern "C"

NETCHANNEL_OWN_CALL(poll);
NETCHANNEL_OWN_CALL(ppoll);

// SPDX-License-Identifier: Apache-2.0
//
// Waiting on an epoll instance that has virtual sockets in it.
#include <errno.h>

#include <algorithm>
#include <cstring>

#include "preload/connecting.h"
#include "preload/epoll.h"
#include "preload/events.h"
#include "preload/real.h"
#include "preload/settings.h"

namespace netchannel::preload {
namespace {

// While the wait set has something at each wait, the kernel's instance is asked each so many waits:
// often enough for a new connection, and seldom enough not to show in the cost of a request.
constexpr uint32_t kKernelTurn = 8;

// Taken from the wait set at once, at most.
constexpr int kMaxBatch = 512;

// epoll_pwait takes milliseconds: rounded up, so that nobody wakes too early.
int ToMilliseconds(int64_t nanos) {
  if (nanos < 0) return -1;
  return static_cast<int>(std::min<int64_t>((nanos + 999'999) / 1'000'000, INT32_MAX));
}

}  // namespace

// What the wait set has now. -1: it has nothing, and never will again.
int Epoll::FromSet(nc_set* set, epoll_event* events, int capacity) {
  nc_event found[kMaxBatch];
  const int count = nc_set_wait(set, found, std::min(capacity, kMaxBatch), 0);
  if (count < 0) return errno == ENETDOWN ? -1 : 0;
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    // It may turn out to be the kernel's; then the kernel's instance has it from now on.
    if (AnyConnecting() && !SettleForEvent(found[i].socket)) continue;
    events[kept].events = EpollEventsOf(found[i].events);
    std::memcpy(&events[kept].data, &found[i].data, sizeof(found[i].data));
    ++kept;
  }
  if (kept == 0 && count > 0) return FromSet(set, events, capacity);
  return kept;
}

// False: -1 is to be returned, with errno.
bool Epoll::FromKernel(int epfd, Found* found, int capacity, int64_t timeout_ns,
                       const sigset_t* mask, bool precise) {
  int count;
  if (precise && timeout_ns >= 0) {
    const timespec timeout = {timeout_ns / 1'000'000'000,
                              static_cast<long>(timeout_ns % 1'000'000'000)};
    count = Real().epoll_pwait2(epfd, found->events, capacity, &timeout, mask);
  } else {
    count = Real().epoll_pwait(epfd, found->events, capacity, ToMilliseconds(timeout_ns), mask);
  }
  if (count < 0) return false;
  epoll_event* const end = found->events + count;
  const auto ours = [this](const epoll_event& event) { return event.data.u64 == cookie(); };
  epoll_event* const kept = std::remove_if(found->events, end, ours);
  found->set_woke = kept != end;
  found->count = static_cast<int>(kept - found->events);
  return true;
}

// A listener may be reported by both sides: the program gets one event of it. With EPOLLONESHOT the
// side that has not reported is disarmed too. Returns the new total.
int Epoll::MergeListeners(epoll_event* events, int from_set, int total) {
  if (!has_listeners_.load(std::memory_order_relaxed)) return total;
  const std::lock_guard lock(Mutex());
  for (const int fd : listeners_) {
    Registration& registration = registrations_.find(fd)->second;
    const auto same = [&, data = registration.event.data.u64](const epoll_event& event) {
      return event.data.u64 == data;
    };
    epoll_event* const middle = events + from_set;
    epoll_event* const in_set = std::find_if(events, middle, same);
    epoll_event* const in_kernel = std::find_if(middle, events + total, same);
    const bool by_set = in_set != middle, by_kernel = in_kernel != events + total;
    if (by_set && by_kernel) {
      in_set->events |= in_kernel->events;
      std::copy(in_kernel + 1, events + total, in_kernel);
      --total;
    }
    if ((registration.event.events & EPOLLONESHOT) == 0 || by_set == by_kernel) continue;
    if (by_kernel) {
      LeaveSet(&registration);
    } else {
      epoll_event disarmed = registration.event;
      disarmed.events = EPOLLONESHOT;
      Real().epoll_ctl(own_fd(), EPOLL_CTL_MOD, fd, &disarmed);
    }
  }
  return total;
}

int Epoll::Wait(int epfd, epoll_event* events, int capacity, int64_t timeout_ns,
                const sigset_t* mask, bool precise) {
  if (pid_.load(std::memory_order_relaxed) != ProcessId()) MakePrivate(epfd);
  nc_set* const set = set_.load(std::memory_order_acquire);
  int64_t deadline = -1;
  for (;;) {
    const bool kernel_turn = has_kernel_.load(std::memory_order_relaxed) &&
                             turns_.fetch_add(1, std::memory_order_relaxed) % kKernelTurn == 0;
    const int most =
        kernel_turn && capacity > 1 ? capacity - capacity / 4 - (capacity < 4) : capacity;
    int from_set = FromSet(set, events, most);
    if (from_set < 0) {
      const std::lock_guard lock(Mutex());
      Detach();
      from_set = 0;
    }
    if (from_set > 0) {
      Found rest = {events + from_set, 0};
      if (kernel_turn && capacity > from_set) {
        const int saved = errno;
        if (!FromKernel(epfd, &rest, capacity - from_set, 0, nullptr, false)) errno = saved;
      }
      return MergeListeners(events, from_set, from_set + rest.count);
    }
    int64_t left = timeout_ns;
    if (timeout_ns > 0) {
      const int64_t now = NowNanos();
      if (deadline < 0) deadline = now + timeout_ns;
      left = std::max<int64_t>(deadline - now, 0);
    }
    Found found = {events, 0};
    if (!FromKernel(epfd, &found, capacity, left, mask, precise)) return -1;
    if (found.set_woke && found.count < capacity) {
      const int more = FromSet(set, events + found.count, capacity - found.count);
      if (more > 0) {
        std::rotate(events, events + found.count, events + found.count + more);
        return MergeListeners(events, more, found.count + more);
      }
    }
    if (found.count > 0) return MergeListeners(events, 0, found.count);
    if (!found.set_woke || left == 0) return 0;
  }
}

}  // namespace netchannel::preload

// SPDX-License-Identifier: Apache-2.0
//
// epoll_ctl and the epoll_wait family. An instance is known from the first known socket in it on;
// until then, and for all others, the calls are libc's.
#include <errno.h>

#include "preload/epoll.h"
#include "preload/options.h"
#include "preload/own_calls.h"
#include "preload/real.h"
#include "preload/sockets.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

// Of the instance `epfd`; null: it is none that the table has room for. Precondition: Mutex().
Epoll* MakeKnown(int epfd) {
  Description* description = Peek(epfd);
  if (description == nullptr) {
    description = NewDescription(Kind::kEpoll);
    if (!Track(epfd, description)) {
      description->kind.store(Kind::kFree);
      return nullptr;
    }
  }
  if (description->kind_now() != Kind::kEpoll) return nullptr;
  Epoll* epoll = description->epoll.load(std::memory_order_relaxed);
  if (epoll == nullptr) {
    epoll = new Epoll(description);
    description->epoll.store(epoll, std::memory_order_release);
    epoll->OnKernelAdded();  // nobody has counted what was added before
  }
  return epoll;
}

// An epoll instance says ENOENT of a descriptor that is not in it, which no program can have put
// there; anything else refuses with EINVAL.
bool IsEpoll(int fd) {
  return Real().epoll_ctl(fd, EPOLL_CTL_DEL, ReferenceSocket(AF_INET), nullptr) != 0 &&
         errno == ENOENT;
}

int ControlKnown(int epfd, int op, int fd, Description* socket, const epoll_event* event) {
  if (op != EPOLL_CTL_DEL && event == nullptr) return EFAULT;
  const std::lock_guard lock(Mutex());
  // It may have become the kernel's just now.
  if (socket->fds.empty() || Peek(fd) != socket) {
    epoll_event copy = event != nullptr ? *event : epoll_event{};
    return Real().epoll_ctl(epfd, op, fd, &copy) == 0 ? 0 : errno;
  }
  Epoll* const epoll = MakeKnown(epfd);
  return epoll != nullptr ? epoll->Control(op, fd, socket, event) : EINVAL;
}

void NoteKernelAdded(int epfd) {
  const Use use(epfd);
  if (!use) return;
  if (Epoll* const epoll = use->epoll.load(std::memory_order_acquire); epoll != nullptr) {
    epoll->OnKernelAdded();
  }
}

Epoll* Active(const Use& use) {
  if (!use) return nullptr;
  Epoll* const epoll = use->epoll.load(std::memory_order_acquire);
  return epoll != nullptr && epoll->HasSet() ? epoll : nullptr;
}

bool IsValid(epoll_event* events, int capacity) {
  if (capacity > 0 && events != nullptr) return true;
  errno = capacity > 0 ? EFAULT : EINVAL;
  return false;
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::Active;
using netchannel::preload::Epoll;
using netchannel::preload::IsValid;
using netchannel::preload::Kind;
using netchannel::preload::Real;
using netchannel::preload::Use;

extern "C" {

int epoll_ctl(int epfd, int op, int fd, struct epoll_event* event) noexcept {
  const Use use(fd);
  // Foreign() is not asked, a system call each time: parent and vfork() child have one instance, of
  // the kernel's as of ours, and what the child changes in it the parent sees.
  if (!use || use->kind_now() == Kind::kEpoll) {
    const int result = Real().epoll_ctl(epfd, op, fd, event);
    if (result == 0 && op == EPOLL_CTL_ADD) netchannel::preload::NoteKernelAdded(epfd);
    return result;
  }
  if (netchannel::preload::Peek(epfd) == nullptr && !netchannel::preload::IsEpoll(epfd)) {
    return Real().epoll_ctl(epfd, op, fd, event);
  }
  netchannel::preload::Refresh(fd, use.get());
  // A wait does not look at each socket: one that was found at the start gets its virtual one now.
  if (use->kind_now() == Kind::kListener && use->socket.load() == nullptr) {
    netchannel::preload::KeepListening(fd, use.get());
  }
  const int error = netchannel::preload::ControlKnown(epfd, op, fd, use.get(), event);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

int epoll_pwait(int epfd, struct epoll_event* events, int capacity, int timeout_ms,
                const sigset_t* mask) {
  const Use use(epfd);
  Epoll* const epoll = Active(use);
  if (epoll == nullptr) return Real().epoll_pwait(epfd, events, capacity, timeout_ms, mask);
  if (!IsValid(events, capacity)) return -1;
  const int64_t timeout_ns = timeout_ms < 0 ? -1 : int64_t{timeout_ms} * 1'000'000;
  return epoll->Wait(epfd, events, capacity, timeout_ns, mask, false);
}

int epoll_wait(int epfd, struct epoll_event* events, int capacity, int timeout_ms) {
  const Use use(epfd);
  Epoll* const epoll = Active(use);
  if (epoll == nullptr) return Real().epoll_wait(epfd, events, capacity, timeout_ms);
  if (!IsValid(events, capacity)) return -1;
  const int64_t timeout_ns = timeout_ms < 0 ? -1 : int64_t{timeout_ms} * 1'000'000;
  return epoll->Wait(epfd, events, capacity, timeout_ns, nullptr, false);
}

int epoll_pwait2(int epfd, struct epoll_event* events, int capacity, const struct timespec* timeout,
                 const sigset_t* mask) {
  const Use use(epfd);
  Epoll* const epoll = Active(use);
  if (epoll == nullptr) return Real().epoll_pwait2(epfd, events, capacity, timeout, mask);
  if (!IsValid(events, capacity)) return -1;
  const int64_t timeout_ns =
      timeout == nullptr ? -1 : int64_t{timeout->tv_sec} * 1'000'000'000 + timeout->tv_nsec;
  return epoll->Wait(epfd, events, capacity, timeout_ns, mask, true);
}

}  // extern "C"

NETCHANNEL_OWN_CALL(epoll_ctl);
NETCHANNEL_OWN_CALL(epoll_wait);
NETCHANNEL_OWN_CALL(epoll_pwait);
NETCHANNEL_OWN_CALL(epoll_pwait2);

// SPDX-License-Identifier: Apache-2.0
//
// accept() of a listener that serves both kinds of peer: from the virtual socket and from the
// kernel's in turn.
#include <errno.h>

#include "preload/own_calls.h"
#include "preload/polling.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/sockets.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

// accept4() that does not wait; what is not there is EAGAIN.
int FromVirtual(const Use& use, sockaddr* address, socklen_t* length, int flags) {
  nc_socket* const listener = use->socket.load(std::memory_order_acquire);
  if (listener == nullptr || (nc_ready(listener) & NC_READ) == 0) {
    errno = EAGAIN;
    return -1;
  }
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  nc_socket* accepted = nc_accept(listener, reinterpret_cast<sockaddr*>(&peer), &size,
                                  (flags & SOCK_NONBLOCK) | MSG_DONTWAIT);
  if (accepted == nullptr) {
    // A daemon that has gone takes the connections with it.
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM) errno = EAGAIN;
    return -1;
  }
  const int family = use->family.load(std::memory_order_relaxed);
  const int fd = Publish(accepted, flags, family);
  if (fd >= 0) ShowAddress(family, peer, address, length);
  return fd;
}

// The kernel's accept4(), which does not wait beside a virtual socket.
int TakeFromKernel(int fd, const Use& use, sockaddr* peer, socklen_t* size, int flags) {
  if (!use->shared || use->socket.load(std::memory_order_acquire) == nullptr) {
    return Real().accept4(fd, peer, size, flags);
  }
  pollfd waiting = {fd, POLLIN, 0};
  if (Real().poll(&waiting, 1, 0) == 0) {
    errno = EAGAIN;
    return -1;
  }
  // Another process may be faster.
  const int mode = Real().fcntl(fd, F_GETFL);
  if ((mode & O_NONBLOCK) == 0) Real().fcntl(fd, F_SETFL, mode | O_NONBLOCK);
  const int accepted = Real().accept4(fd, peer, size, flags);
  const int saved = errno;
  if ((mode & O_NONBLOCK) == 0) Real().fcntl(fd, F_SETFL, mode);
  errno = saved;
  return accepted;
}

int FromKernel(int fd, const Use& use, sockaddr* address, socklen_t* length, int flags) {
  for (;;) {
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    const int accepted = TakeFromKernel(fd, use, reinterpret_cast<sockaddr*>(&peer), &size, flags);
    if (accepted < 0) return -1;
    const auto* const shown = reinterpret_cast<const sockaddr*>(&peer);
    ReportSome(ipc::FallbackReason::kKernelPeer, shown, size);
    if (GetSettings().strict) {
      RefuseFallback(shown, size, "it came over the kernel's TCP");
      CloseOwn(accepted);
      continue;
    }
    if (address != nullptr && length != nullptr) ShowAddress(peer.ss_family, peer, address, length);
    return accepted;
  }
}

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK; }

int64_t ReceiveTimeoutMs(nc_socket* listener) {
  int timeout_ms = 0;
  nc_getopt(listener, NC_RECEIVE_TIMEOUT_MS, &timeout_ms);
  return timeout_ms > 0 ? timeout_ms : -1;
}

bool IsNonblocking(nc_socket* listener) {
  int nonblocking = 0;
  nc_getopt(listener, NC_NONBLOCK, &nonblocking);
  return nonblocking != 0;
}

int AcceptBoth(int fd, sockaddr* address, socklen_t* length, int flags) {
  static constinit std::atomic<uint32_t> turn{0};
  for (;;) {
    int64_t timeout_ms;
    {
      const Use use(fd);
      // It may have been shut down meanwhile.
      if (!use || use->kind_now() != Kind::kListener) {
        return Real().accept4(fd, address, length, flags);
      }
      KeepListening(fd, use.get());
      const bool virtual_first = turn.fetch_add(1, std::memory_order_relaxed) % 2 == 0;
      for (const bool from_virtual : {virtual_first, !virtual_first}) {
        const int accepted = from_virtual ? FromVirtual(use, address, length, flags)
                                          : FromKernel(fd, use, address, length, flags);
        if (accepted >= 0 || !WouldBlock()) return accepted;
      }
      nc_socket* const listener = use->socket.load(std::memory_order_acquire);
      // Without a virtual socket the kernel's has its own blocking mode, and has waited.
      if (listener == nullptr || IsNonblocking(listener)) {
        errno = EAGAIN;
        return -1;
      }
      timeout_ms = ReceiveTimeoutMs(listener);
    }
    pollfd waiting = {fd, POLLIN, 0};
    const int ready = Poll(&waiting, 1, timeout_ms < 0 ? -1 : timeout_ms * 1'000'000, nullptr);
    if (ready < 0 && (errno != EINTR || !RestartsCalls() || timeout_ms >= 0)) return -1;
    if (ready == 0) {
      errno = EAGAIN;
      return -1;
    }
  }
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::Kind;
using netchannel::preload::Real;
using netchannel::preload::Use;

extern "C" {

int accept4(int fd, struct sockaddr* address, socklen_t* length, int flags) {
  {
    const Use use(fd);
    if (!use) return Real().accept4(fd, address, length, flags);
    netchannel::preload::Refresh(fd, use.get());
    if (use->kind_now() == Kind::kVirtual) {
      errno = EINVAL;
      return -1;
    }
    if (use->kind_now() != Kind::kListener) return Real().accept4(fd, address, length, flags);
  }
  if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0) {
    errno = EINVAL;
    return -1;
  }
  return netchannel::preload::AcceptBoth(fd, address, length, flags);
}

int accept(int fd, struct sockaddr* address, socklen_t* length) {
  return accept4(fd, address, length, 0);
}

}  // extern "C"

NETCHANNEL_OWN_CALL(accept);
NETCHANNEL_OWN_CALL(accept4);

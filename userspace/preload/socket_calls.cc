// SPDX-License-Identifier: Apache-2.0
//
// socket, bind, listen, connect, shutdown and names. accept() is in accept.cc.
#include <errno.h>
#include <netinet/in.h>

#include "preload/call_result.h"
#include "preload/own_calls.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/sockets.h"
#include "preload/table.h"

using netchannel::preload::Description;
using netchannel::preload::Kind;
using netchannel::preload::Mutex;
using netchannel::preload::Real;
using netchannel::preload::Use;

namespace netchannel::preload {
namespace {

bool IsTcp(int family, int type, int protocol) {
  if (family != AF_INET && family != AF_INET6) return false;
  if ((type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_STREAM) return false;
  return protocol == 0 || protocol == IPPROTO_TCP;
}

// The virtual socket whose names the program sees. Null: the kernel's.
nc_socket* Named(const Use& use) {
  const Kind kind = use->kind_now();
  if (kind != Kind::kVirtual && kind != Kind::kConnecting) return nullptr;
  return use->socket.load(std::memory_order_acquire);
}

int VirtualName(const Use& use, nc_socket* socket, int (*get)(nc_socket*, sockaddr*, socklen_t*),
                sockaddr* address, socklen_t* length) {
  if (address == nullptr || length == nullptr) return Result(EFAULT);
  sockaddr_storage found{};
  socklen_t size = sizeof(found);
  if (get(socket, reinterpret_cast<sockaddr*>(&found), &size) != 0) return -1;
  ShowAddress(use->family.load(std::memory_order_relaxed), found, address, length);
  return 0;
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::Named;
using netchannel::preload::Refresh;
using netchannel::preload::Result;
using netchannel::preload::VirtualName;

extern "C" {

int socket(int family, int type, int protocol) noexcept {
  const int fd = Real().socket(family, type, protocol);
  if (fd < 0 || !netchannel::preload::IsTcp(family, type, protocol)) return fd;
  if (netchannel::preload::Foreign()) return fd;
  // Known all the same where somebody is to be told that the kernel serves it.
  if (netchannel::preload::StaysOnKernel() && !netchannel::preload::GetSettings().strict &&
      netchannel::preload::KnownStack() == nullptr) {
    return fd;
  }
  const std::lock_guard lock(Mutex());
  Description* description = netchannel::preload::NewDescription(Kind::kCandidate);
  description->family.store(family, std::memory_order_relaxed);
  if (!Track(fd, description)) description->kind.store(Kind::kFree);
  return fd;
}

int bind(int fd, const struct sockaddr* address, socklen_t length) noexcept {
  const Use use(fd);
  if (use && use->kind_now() == Kind::kVirtual) return Result(EINVAL);
  const int result = Real().bind(fd, address, length);
  if (use && result == 0) {
    const std::lock_guard lock(Mutex());
    use->bound = true;
  }
  return result;
}

// libc's binds by a name of its own.
int bindresvport(int fd, struct sockaddr_in* address) noexcept {
  const Use use(fd);
  if (use && use->kind_now() == Kind::kVirtual) return Result(EINVAL);
  const int result = Real().bindresvport(fd, address);
  if (use && result == 0) {
    const std::lock_guard lock(Mutex());
    use->bound = true;
  }
  return result;
}

int listen(int fd, int backlog) noexcept {
  const Use use(fd);
  if (!use) return Real().listen(fd, backlog);
  Refresh(fd, use.get());
  const Kind kind = use->kind_now();
  if (kind == Kind::kVirtual || kind == Kind::kConnecting) return Result(EINVAL);
  const int result = Real().listen(fd, backlog);
  if (result != 0 || (kind != Kind::kCandidate && kind != Kind::kListener)) return result;
  return Result(netchannel::preload::ListenToo(fd, use.get(), backlog));
}

int connect(int fd, const struct sockaddr* address, socklen_t length) {
  const Use use(fd);
  if (!use) return Real().connect(fd, address, length);
  netchannel::preload::Adopt(fd, use.get());
  switch (use->kind_now()) {
    case Kind::kCandidate:
      return Result(netchannel::preload::Connect(fd, use.get(), address, length));
    case Kind::kConnecting:
      return Result(netchannel::preload::ConnectAgain(fd, use.get()));
    case Kind::kVirtual: {
      // The outcome of a failed attempt is the next connect()'s, if nothing else has asked for it.
      if (const int error = use->error.exchange(0); error != 0) return Result(error);
      return nc_connect(use->socket.load(std::memory_order_acquire), address, length);
    }
    default:
      return Real().connect(fd, address, length);
  }
}

int shutdown(int fd, int how) noexcept {
  const Use use(fd);
  if (!use) return Real().shutdown(fd, how);
  Refresh(fd, use.get());
  nc_socket* const socket = use->socket.load(std::memory_order_acquire);
  switch (use->kind_now()) {
    case Kind::kVirtual:
      return nc_shutdown(socket, how);
    case Kind::kConnecting:
    case Kind::kInherited:
      return Result(ENOTCONN);
    case Kind::kListener: {
      const int result = Real().shutdown(fd, how);
      if (result == 0 && how != SHUT_WR) netchannel::preload::StopListening(fd, use.get());
      return result;
    }
    default:
      return Real().shutdown(fd, how);
  }
}

int getsockname(int fd, struct sockaddr* address, socklen_t* length) noexcept {
  const Use use(fd);
  if (!use) return Real().getsockname(fd, address, length);
  Refresh(fd, use.get());
  nc_socket* const socket = Named(use);
  if (socket == nullptr) return Real().getsockname(fd, address, length);
  return VirtualName(use, socket, &nc_getsockname, address, length);
}

int getpeername(int fd, struct sockaddr* address, socklen_t* length) noexcept {
  const Use use(fd);
  if (!use) return Real().getpeername(fd, address, length);
  Refresh(fd, use.get());
  nc_socket* const socket = Named(use);
  if (socket == nullptr) {
    if (use->kind_now() == Kind::kInherited) return Result(ENOTCONN);
    return Real().getpeername(fd, address, length);
  }
  return VirtualName(use, socket, &nc_getpeername, address, length);
}

}  // extern "C"

NETCHANNEL_OWN_CALL(socket);
NETCHANNEL_OWN_CALL(bind);
NETCHANNEL_OWN_CALL(listen);
NETCHANNEL_OWN_CALL(connect);
NETCHANNEL_OWN_CALL(shutdown);
NETCHANNEL_OWN_CALL(getsockname);
NETCHANNEL_OWN_CALL(getpeername);

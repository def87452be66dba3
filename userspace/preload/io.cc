// SPDX-License-Identifier: Apache-2.0
//
// read, write, send, recv and their kin, also as the compiler's _FORTIFY_SOURCE calls them. What
// moves several messages or descriptors is in message_io.cc, files in file_io.cc.
#include "preload/io.h"

#include <errno.h>
#include <signal.h>

#include <algorithm>

#include "preload/call_result.h"
#include "preload/own_calls.h"
#include "preload/real.h"
#include "preload/sockets.h"

extern "C" [[noreturn]] void __chk_fail(void);

namespace netchannel::preload {
namespace {

// What the client knows. The rest a stream has no use for, or the kernel ignores it too.
constexpr int kHeededSending = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE;
constexpr int kHeededReceiving = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL;

constexpr size_t kDiscardBytes = 16384;

// recv() with MSG_TRUNC on a stream takes the bytes and gives none (tcp(7)).
ssize_t Discard(nc_socket* socket, size_t length, int flags) {
  char scratch[kDiscardBytes];
  size_t done = 0;
  while (done < length) {
    const ssize_t got = nc_recv(socket, scratch, std::min(length - done, kDiscardBytes),
                                done == 0 ? flags : flags | MSG_DONTWAIT);
    if (got <= 0) return done > 0 ? static_cast<ssize_t>(done) : got;
    done += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

// Not what NetChannel has: urgent data, and errors' own queue, which is empty. 0, or errno.
int Unserved(int flags) {
  if ((flags & MSG_OOB) != 0) return EINVAL;
  return (flags & MSG_ERRQUEUE) != 0 ? EAGAIN : 0;
}

ssize_t AfterSend(ssize_t result, int flags) {
  if (result < 0 && errno == EPIPE && (flags & MSG_NOSIGNAL) == 0) {
    raise(SIGPIPE);
    errno = EPIPE;
  }
  return result;
}

size_t Sum(const iovec* parts, int count) {
  size_t sum = 0;
  for (int i = 0; i < count; ++i) sum += parts[i].iov_len;
  return sum;
}

bool IsNonblocking(const Description* socket, int flags) {
  if ((flags & MSG_DONTWAIT) != 0) return true;
  int nonblocking = 0;
  nc_getopt(socket->socket.load(std::memory_order_acquire), NC_NONBLOCK, &nonblocking);
  return nonblocking != 0;
}

}  // namespace

Path PathOf(int fd, const Use& use, int flags, nc_socket** socket) {
  if (!use) return Path::kKernel;
  Kind kind = use->kind_now();
  if (kind != Kind::kVirtual) [[unlikely]] {
    Refresh(fd, use.get());
    kind = use->kind_now();
    if (kind == Kind::kConnecting) {
      const int settled = Settle(use.get(), !IsNonblocking(use.get(), flags));
      if (settled != 0) {
        errno = settled;
        return Path::kFailed;
      }
      kind = use->kind_now();
    }
    if (kind == Kind::kInherited) {
      errno = ECONNRESET;
      return Path::kFailed;
    }
    if (kind != Kind::kVirtual) return Path::kKernel;
  }
  if (use->error.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    errno = use->error.exchange(0);
    if (errno != 0) return Path::kFailed;
  }
  *socket = use->socket.load(std::memory_order_acquire);
  return Path::kVirtual;
}

ssize_t Receive(nc_socket* socket, void* data, size_t length, int flags) {
  if (const int error = Unserved(flags); error != 0) return Failed(error);
  const bool discard = (flags & MSG_TRUNC) != 0 && (flags & MSG_PEEK) == 0;
  flags &= kHeededReceiving;
  const CancellationPoint cancellable;
  if (discard) return Discard(socket, length, flags);
  return nc_recv(socket, data, length, flags);
}

ssize_t ReceiveV(nc_socket* socket, const iovec* parts, int count, int flags) {
  if (const int error = Unserved(flags); error != 0) return Failed(error);
  const bool discard = (flags & MSG_TRUNC) != 0 && (flags & MSG_PEEK) == 0;
  flags &= kHeededReceiving;
  const CancellationPoint cancellable;
  if (discard) return Discard(socket, Sum(parts, count), flags);
  return nc_recvv(socket, parts, count, flags);
}

ssize_t Send(nc_socket* socket, const void* data, size_t length, int flags) {
  if ((flags & MSG_OOB) != 0) return Failed(EOPNOTSUPP);
  const CancellationPoint cancellable;
  return AfterSend(nc_send(socket, data, length, flags & kHeededSending), flags);
}

ssize_t SendV(nc_socket* socket, const iovec* parts, int count, int flags) {
  if ((flags & MSG_OOB) != 0) return Failed(EOPNOTSUPP);
  const CancellationPoint cancellable;
  return AfterSend(nc_sendv(socket, parts, count, flags & kHeededSending), flags);
}

}  // namespace netchannel::preload

using netchannel::preload::Path;
using netchannel::preload::PathOf;
using netchannel::preload::Real;
using netchannel::preload::Receive;
using netchannel::preload::ReceiveV;
using netchannel::preload::Send;
using netchannel::preload::SendV;
using netchannel::preload::Use;

// The kernel's way, or the virtual socket's, of a call on `fd`.
#define ROUTE(fd, flags, real_call, virtual_call) \
  const Use use(fd);                              \
  nc_socket* socket = nullptr;                    \
  switch (PathOf(fd, use, flags, &socket)) {      \
    case Path::kKernel:                           \
      return real_call;                           \
    case Path::kFailed:                           \
      return -1;                                  \
    case Path::kVirtual:                          \
      return virtual_call;                        \
  }                                               \
  __builtin_unreachable()

extern "C" {

ssize_t read(int fd, void* data, size_t length) {
  ROUTE(fd, 0, Real().read(fd, data, length), Receive(socket, data, length, 0));
}

ssize_t write(int fd, const void* data, size_t length) {
  ROUTE(fd, 0, Real().write(fd, data, length), Send(socket, data, length, 0));
}

ssize_t readv(int fd, const struct iovec* parts, int count) {
  ROUTE(fd, 0, Real().readv(fd, parts, count), ReceiveV(socket, parts, count, 0));
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  ROUTE(fd, 0, Real().writev(fd, parts, count), SendV(socket, parts, count, 0));
}

// With an offset a socket is refused (ESPIPE), as the kernel does; pread() and its kin are not
// here, since what stands for a virtual socket refuses them the same way.
ssize_t preadv2(int fd, const struct iovec* parts, int count, off_t offset, int flags) {
  const int receive_flags = (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0;
  if (offset != -1) return Real().preadv2(fd, parts, count, offset, flags);
  ROUTE(fd, receive_flags, Real().preadv2(fd, parts, count, offset, flags),
        ReceiveV(socket, parts, count, receive_flags));
}

ssize_t pwritev2(int fd, const struct iovec* parts, int count, off_t offset, int flags) {
  const int send_flags = (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0;
  if (offset != -1) return Real().pwritev2(fd, parts, count, offset, flags);
  ROUTE(fd, send_flags, Real().pwritev2(fd, parts, count, offset, flags),
        SendV(socket, parts, count, send_flags));
}

ssize_t send(int fd, const void* data, size_t length, int flags) {
  ROUTE(fd, flags, Real().send(fd, data, length, flags), Send(socket, data, length, flags));
}

// A stream has no use for the address (tcp(7)).
ssize_t sendto(int fd, const void* data, size_t length, int flags, const struct sockaddr* to,
               socklen_t to_length) {
  ROUTE(fd, flags, Real().sendto(fd, data, length, flags, to, to_length),
        Send(socket, data, length, flags));
}

ssize_t recv(int fd, void* data, size_t length, int flags) {
  ROUTE(fd, flags, Real().recv(fd, data, length, flags), Receive(socket, data, length, flags));
}

ssize_t recvfrom(int fd, void* data, size_t length, int flags, struct sockaddr* from,
                 socklen_t* from_length) {
  const auto received = [&](nc_socket* of) {
    if (from != nullptr && from_length != nullptr) *from_length = 0;
    return Receive(of, data, length, flags);
  };
  ROUTE(fd, flags, Real().recvfrom(fd, data, length, flags, from, from_length), received(socket));
}

ssize_t __read_chk(int fd, void* data, size_t length, size_t room) {
  if (length > room) __chk_fail();
  return read(fd, data, length);
}

ssize_t __recv_chk(int fd, void* data, size_t length, size_t room, int flags) {
  if (length > room) __chk_fail();
  return recv(fd, data, length, flags);
}

ssize_t __recvfrom_chk(int fd, void* data, size_t length, size_t room, int flags,
                       struct sockaddr* from, socklen_t* from_length) {
  if (length > room) __chk_fail();
  return recvfrom(fd, data, length, flags, from, from_length);
}

}  // extern "C"

NETCHANNEL_OWN_CALL(read);
NETCHANNEL_OWN_CALL(write);
NETCHANNEL_OWN_CALL(readv);
NETCHANNEL_OWN_CALL(writev);
NETCHANNEL_OWN_CALL(preadv2);
NETCHANNEL_OWN_CALL(pwritev2);
NETCHANNEL_OWN_CALL(send);
NETCHANNEL_OWN_CALL(recv);
NETCHANNEL_OWN_CALL(recvfrom);

// SPDX-License-Identifier: Apache-2.0
//
// Listeners: the kernel's socket under the program's number, and a virtual socket on the same port
// beside it.
//
// The kernel's socket is made non-blocking, so that accept() can ask both; whether the program sees
// it as blocking is the virtual socket's NC_NONBLOCK, which all processes share that share the
// listener. One that others may use without this library keeps its mode but for the moment of the
// kernel's accept() (accept.cc).
//
// exec(), posix_spawn(): the virtual socket's anchor is kept open across it (process.cc). Its own
// end is bound to an abstract name with the kernel socket's cookie (socket(7), SO_COOKIE), by which
// the new image finds which listener it belongs to:
//   \0netchannel-listener/<cookie, 16 hex digits>/<region>/<slot>/<generation>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "client/anchor.h"
#include "preload/companion.h"
#include "preload/epoll.h"
#include "preload/options.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/sockets.h"

namespace netchannel::preload {
namespace {

// A daemon that comes back finds a listener again after this long at most, if the program uses it.
constexpr int64_t kListenAgainNanos = 500'000'000;

constexpr char kNameFormat[] = "netchannel-listener/%016llx/%016llx/%u/%u";
constexpr char kScanFormat[] = "netchannel-listener/%16llx/";

uint64_t CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof(cookie);
  return Real().getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

// Only IPv6 peers, where :: of NetChannel would take those of IPv4 as well.
bool IsIpv6Only(int fd, const sockaddr_storage& local) {
  if (local.ss_family != AF_INET6) return false;
  int only = 0;
  socklen_t length = sizeof(only);
  Real().getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &length);
  sockaddr_in6 v6;
  std::memcpy(&v6, &local, sizeof(v6));
  return only != 0 && IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

uint16_t PortOf(const sockaddr_storage& address) {
  sockaddr_in6 v6;  // has the port where sockaddr_in has it
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&v6, &address, sizeof(v6));
  return ntohs(v6.sin6_port);
}

void NameCompanion(int companion, int listener) {
  const auto anchor = ReadAnchor(companion);
  if (!anchor) return;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const int length = std::snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, kNameFormat,
                                   static_cast<unsigned long long>(CookieOf(listener)),
                                   static_cast<unsigned long long>(anchor->region_id), anchor->slot,
                                   anchor->generation);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  // Without a name the listener is the kernel's alone after exec().
  Real().bind(companion, reinterpret_cast<const sockaddr*>(&name), size);
}

// A virtual socket that listens where `fd` does. Null: errno says why.
nc_socket* MakeListener(int fd, Description* socket, const sockaddr_storage& local, int backlog) {
  nc_stack* const stack = Stack();
  if (stack == nullptr) {
    errno = ENETDOWN;
    return nullptr;
  }
  nc_socket* made = nc_socket_create(stack, 0);
  if (made == nullptr) return nullptr;
  {
    const std::lock_guard lock(Mutex());
    ApplySavedOptions(socket, made);
  }
  // The kernel has said that the port may be had; connections of an earlier listener may hold it.
  nc_setopt(made, NC_REUSEADDR, 1);
  int reuse_port = 0;
  socklen_t length = sizeof(reuse_port);
  Real().getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse_port, &length);
  // Other processes that have the kernel's socket may each have their own virtual one.
  if (reuse_port != 0 || socket->shared) nc_setopt(made, NC_REUSEPORT, 1);
  const int flags = Real().fcntl(fd, F_GETFL);
  nc_setopt(made, NC_NONBLOCK, (flags & O_NONBLOCK) != 0 ? 1 : 0);
  const auto* const address = reinterpret_cast<const sockaddr*>(&local);
  if (nc_bind(made, address, sizeof(local)) != 0 || nc_listen(made, backlog) != 0) {
    const int error = errno;
    nc_close(made);
    errno = error;
    return nullptr;
  }
  return made;
}

// 0, or errno.
int Join(int fd, Description* socket, nc_socket* made) {
  const int companion = Internalise(nc_socket_fd(made));
  if (companion < 0) {
    const int error = errno;
    nc_close(made);
    return error;
  }
  NameCompanion(companion, fd);
  if (!socket->shared) {
    const int flags = Real().fcntl(fd, F_GETFL);
    Real().fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  }
  const std::lock_guard lock(Mutex());
  socket->companion = companion;
  socket->socket.store(made, std::memory_order_release);
  socket->kind.store(Kind::kListener, std::memory_order_release);
  PlaceInEpolls(socket);
  return 0;
}

// The kernel's socket blocks as the program wants it, without `gone` beside it.
void RestoreBlocking(int fd, nc_socket* gone) {
  int nonblocking = 0;
  nc_getopt(gone, NC_NONBLOCK, &nonblocking);
  if (nonblocking != 0) return;
  const int flags = Real().fcntl(fd, F_GETFL);
  Real().fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

// The listener goes on as `kind`, without its virtual socket. Another description does, since users
// of the handle may still be there; the caller retires the old one. Precondition: Mutex().
void GoOnWithout(int fd, Description* socket, nc_socket* gone, Kind kind) {
  Description* next = NewDescription(kind);
  next->family.store(socket->family.load(), std::memory_order_relaxed);
  next->options = socket->options;
  next->bound = socket->bound;
  next->shared = socket->shared;
  next->kernel_only = socket->kernel_only;
  next->backlog = socket->backlog;
  next->retry_at_ns = NowNanos() + kListenAgainNanos;
  ReplaceInEpolls(socket, next);
  const auto fds = socket->fds;
  socket->fds.clear();
  for (const int one : fds) Track(one, next);
  PlaceInEpolls(next);
  RestoreBlocking(fd, gone);
}

// The virtual socket has gone with its daemon: there may be another one later.
void DropVirtual(int fd, Description* socket) {
  {
    const std::lock_guard lock(Mutex());
    nc_socket* const gone = socket->socket.load(std::memory_order_relaxed);
    if (Peek(fd) != socket || gone == nullptr || (nc_ready(gone) & NC_HANGUP) == 0) return;
    GoOnWithout(fd, socket, gone, Kind::kListener);
  }
  Retire(socket);
}

// Why the kernel's socket must listen alone. Null: a virtual one may listen beside it.
const char* KernelOnly(int fd, const Description* socket, const sockaddr_storage& local) {
  if (socket->kernel_only) return kKernelOption;
  if (UsesIoUring()) return kIoUring;
  return IsIpv6Only(fd, local) ? "an IPv6-only listener on :: is the kernel's" : nullptr;
}

}  // namespace

int ListenToo(int fd, Description* socket, int backlog) {
  {
    const std::lock_guard lock(Mutex());
    socket->backlog = backlog;
  }
  if (nc_socket* listener = socket->socket.load(std::memory_order_acquire); listener != nullptr) {
    nc_listen(listener, backlog);  // a new backlog
    return 0;
  }
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  auto* const address = reinterpret_cast<sockaddr*>(&local);
  if (Real().getsockname(fd, address, &length) != 0) return 0;
  if (IsLoopback(address, length)) {
    LeaveToKernel(socket);
    return 0;
  }
  if (const char* const why = KernelOnly(fd, socket, local); why != nullptr) {
    Report(ipc::FallbackReason::kNotSupported, address, length);
    if (GetSettings().strict) return RefuseFallback(address, length, why);
    LeaveToKernel(socket);
    return 0;
  }
  nc_socket* made = MakeListener(fd, socket, local, backlog);
  int error = made == nullptr ? errno : Join(fd, socket, made);
  if (error == 0) return 0;
  if (error == ENETDOWN && !StaysOnKernel()) {
    const std::lock_guard lock(Mutex());
    socket->kind.store(Kind::kListener, std::memory_order_release);
    socket->retry_at_ns = NowNanos() + kListenAgainNanos;
    return GetSettings().strict ? RefuseFallback(address, length, "no daemon") : 0;
  }
  Report(ReasonOf(error), address, length);
  if (GetSettings().strict) return RefuseFallback(address, length, std::strerror(error));
  LeaveToKernel(socket);
  return 0;
}

void KeepListening(int fd, Description* socket) {
  nc_socket* listener = socket->socket.load(std::memory_order_acquire);
  if (listener != nullptr) {
    if ((nc_ready(listener) & NC_HANGUP) == 0) return;
    DropVirtual(fd, socket);
    return;
  }
  int backlog;
  {
    const std::lock_guard lock(Mutex());
    if (socket->socket.load() != nullptr || NowNanos() < socket->retry_at_ns) return;
    socket->retry_at_ns = NowNanos() + kListenAgainNanos;
    backlog = socket->backlog;
  }
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  if (Real().getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) != 0) return;
  const int saved = errno;
  if (KernelOnly(fd, socket, local) != nullptr) {
    LeaveToKernel(socket);
  } else if (nc_socket* made = MakeListener(fd, socket, local, backlog); made != nullptr) {
    Join(fd, socket, made);
  }
  errno = saved;
}

void StopListening(int fd, Description* socket) {
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  Real().getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
  {
    const std::lock_guard lock(Mutex());
    if (socket->kind_now() != Kind::kListener || Peek(fd) != socket) return;
    nc_socket* const gone = socket->socket.load(std::memory_order_relaxed);
    socket->bound = PortOf(local) != 0;  // one that the kernel had chosen is given back
    if (gone == nullptr) {
      socket->kind.store(Kind::kCandidate, std::memory_order_release);
      PlaceInEpolls(socket);
      return;
    }
    // Whoever else has it hears of it, and waits no more.
    nc_shutdown(gone, SHUT_RDWR);
    GoOnWithout(fd, socket, gone, Kind::kCandidate);
  }
  Retire(socket);
}

void ListenOnKernelAlone(int fd, Description* socket) {
  {
    const std::lock_guard lock(Mutex());
    if (socket->kind_now() != Kind::kListener || Peek(fd) != socket) return;
    nc_socket* const gone = socket->socket.load(std::memory_order_relaxed);
    if (gone != nullptr) RestoreBlocking(fd, gone);
  }
  LeaveToKernel(socket);
}

bool IsCompanion(int fd, uint64_t* cookie) {
  sockaddr_un name{};
  socklen_t length = sizeof(name);
  if (Real().getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) return false;
  if (name.sun_family != AF_UNIX || name.sun_path[0] != '\0') return false;
  name.sun_path[sizeof(name.sun_path) - 1] = '\0';
  unsigned long long found;
  if (std::sscanf(name.sun_path + 1, kScanFormat, &found) != 1) return false;
  *cookie = found;
  return true;
}

bool RejoinAfterExec(int listener, int companion, uint64_t cookie) {
  int accepts = 0;
  socklen_t length = sizeof(accepts);
  if (Real().getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) != 0 ||
      accepts == 0 || CookieOf(listener) != cookie) {
    return false;
  }
  sockaddr_storage local{};
  length = sizeof(local);
  Real().getsockname(listener, reinterpret_cast<sockaddr*>(&local), &length);
  nc_socket* adopted = nc_socket_adopt(DaemonPath(), companion);
  if (adopted == nullptr) return false;
  const int moved = Internalise(companion);
  const std::lock_guard lock(Mutex());
  Description* description = NewDescription(Kind::kListener);
  description->family.store(local.ss_family, std::memory_order_relaxed);
  description->bound = true;
  description->shared = (Real().fcntl(listener, F_GETFL) & O_NONBLOCK) == 0;
  description->backlog = SOMAXCONN;
  description->companion = moved;
  description->socket.store(adopted, std::memory_order_release);
  Track(listener, description);
  return true;
}

void RecogniseKernelSocket(int fd, const std::vector<int>& earlier) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (Real().getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return;
  const bool listens = info.tcpi_state == TCP_LISTEN;
  if (!listens && info.tcpi_state != TCP_CLOSE) return;
  int protocol = 0;
  length = sizeof(protocol);
  Real().getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
  sockaddr_storage local{};
  length = sizeof(local);
  auto* const address = reinterpret_cast<sockaddr*>(&local);
  if (protocol != IPPROTO_TCP || Real().getsockname(fd, address, &length) != 0) return;
  if (listens && (IsLoopback(address, length) || IsIpv6Only(fd, local))) return;
  const uint64_t cookie = CookieOf(fd);
  const std::lock_guard lock(Mutex());
  for (const int other : earlier) {
    Description* const known = Peek(other);
    if (known == nullptr || CookieOf(other) != cookie) continue;
    Track(fd, known);
    return;
  }
  Description* description = NewDescription(listens ? Kind::kListener : Kind::kCandidate);
  description->family.store(local.ss_family, std::memory_order_relaxed);
  description->bound = PortOf(local) != 0;
  description->shared = true;
  description->backlog = SOMAXCONN;
  if (!Track(fd, description)) description->kind.store(Kind::kFree);
}

}  // namespace netchannel::preload

// SPDX-License-Identifier: Apache-2.0
//
// connect() of a TCP socket: over NetChannel where the peer has it, else over the kernel's TCP.
#include "preload/connecting.h"

#include <errno.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "client/connect.h"
#include "client/socket.h"
#include "client/wait.h"
#include "ipc/socket_slot.h"
#include "preload/epoll.h"
#include "preload/options.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/sockets.h"
#include "preload/stand_ins.h"

namespace netchannel::preload {
namespace internal {

constinit std::atomic<int> connecting_count{0};

}  // namespace internal

namespace {

using ipc::FallbackReason;

// Guarded by Mutex().
absl::flat_hash_map<const nc_socket*, Description*>& Attempts() {
  static auto* const attempts = new absl::flat_hash_map<const nc_socket*, Description*>();
  return *attempts;
}

// The outcome means: try the kernel. What else can go wrong (a timeout on the way to a NetChannel
// peer) goes wrong in the kernel too.
bool MeansKernel(int error) {
  switch (error) {
    case EPROTONOSUPPORT:  // no NetChannel there
    case ECONNREFUSED:     // a NetChannel host, whose kernel may have the listener
    case EAFNOSUPPORT:
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case ENETDOWN:  // the daemon has gone
    case ECONNRESET:
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case EPERM:
    case EIO:
      return true;
    default:
      return false;
  }
}

// The stack has noted EPROTONOSUPPORT itself.
void ReportOutcome(int error, const sockaddr* peer, socklen_t length) {
  if (error == EPROTONOSUPPORT) return;
  Report(ReasonOf(error), peer, length);
}

const char* Explain(int error) {
  switch (error) {
    case EPROTONOSUPPORT:
      return "no NetChannel answers there, or it is outside peers.networks";
    case ECONNREFUSED:
      return "its NetChannel has no listener on that port";
    default:
      return std::strerror(error);
  }
}

bool IsAny(const sockaddr* address, socklen_t length) {
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    return v4.sin_addr.s_addr == 0;
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, std::min<size_t>(length, sizeof(v6)));
  return IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

// The peer's address is one that NetChannel could serve.
bool IsUsable(const Description* socket, const sockaddr* peer, socklen_t length) {
  const int family = socket->family.load(std::memory_order_relaxed);
  if (peer == nullptr || length < sizeof(sa_family_t) || peer->sa_family != family) return false;
  return length >= (family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
}

bool IsNonblocking(int fd) {
  const int flags = Real().fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

// The virtual socket has what the kernel's has: options, and the address it is bound to.
int Prepare(int fd, Description* socket, nc_socket* made) {
  bool bound;
  {
    const std::lock_guard lock(Mutex());
    ApplySavedOptions(socket, made);
    bound = socket->bound;
  }
  nc_setopt(made, NC_PROBE, 1);
  if (!bound) return 0;
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  auto* const address = reinterpret_cast<sockaddr*>(&local);
  if (Real().getsockname(fd, address, &length) != 0) return errno;
  if (IsLoopback(address, length)) return EADDRNOTAVAIL;
  nc_setopt(made, NC_REUSEADDR, 1);
  return nc_bind(made, address, length) == 0 ? 0 : errno;
}

// A virtual socket that connects, or has connected, to `peer`. *error as OpenConnection has it.
nc_socket* Open(int fd, Description* socket, nc_stack* stack, const sockaddr* peer,
                socklen_t length, int* error) {
  const bool nonblocking = IsNonblocking(fd);
  bool at_once;
  {
    const std::lock_guard lock(Mutex());
    at_once = !socket->bound && !NeedsPreparing(socket);
  }
  if (at_once) {
    const OpenOptions options = {nonblocking, true, GetSettings().app_class};
    nc_socket* const made = OpenConnection(stack, peer, length, options, error);
    const std::lock_guard lock(Mutex());
    if (made != nullptr) ApplySavedOptions(socket, made);
    return made;
  }
  nc_socket* const made = nc_socket_create(stack, nonblocking ? SOCK_NONBLOCK : 0);
  *error = made == nullptr ? errno : Prepare(fd, socket, made);
  if (*error == 0) *error = nc_connect(made, peer, length) == 0 ? 0 : errno;
  return made;
}

// The socket's numbers are the virtual one's from now on. 0, or errno: nothing has changed. Under
// Mutex().
int TakeOver(Description* socket, nc_socket* connected) {
  const bool stands_in = MayStandIn(connected);
  const int anchor = stands_in ? -1 : nc_socket_fd(connected);
  if (!stands_in && anchor < 0) return errno;
  socket->socket.store(connected, std::memory_order_release);
  socket->kind.store(Kind::kVirtual, std::memory_order_release);
  PlaceInEpolls(socket);
  if (stands_in) {
    StandIn(socket);
  } else {
    PutUnderNumbers(anchor, socket);
  }
  return 0;
}

int KernelConnect(int fd, Description* socket, const sockaddr* peer, socklen_t length) {
  LeaveToKernel(socket);
  return Real().connect(fd, peer, length) == 0 ? 0 : errno;
}

int FallBack(int fd, Description* socket, int error, const sockaddr* peer, socklen_t length) {
  ReportOutcome(error, peer, length);
  if (GetSettings().strict) return RefuseFallback(peer, length, Explain(error));
  return KernelConnect(fd, socket, peer, length);
}

// Without the daemon's word.
int FallBackAtOnce(int fd, Description* socket, FallbackReason reason, const char* why,
                   const sockaddr* peer, socklen_t length) {
  Report(reason, peer, length);
  if (GetSettings().strict) return RefuseFallback(peer, length, why);
  return KernelConnect(fd, socket, peer, length);
}

// The attempt goes on without the caller.
void GoOn(Description* socket, nc_socket* made, const sockaddr* peer, socklen_t length) {
  const std::lock_guard lock(Mutex());
  std::memcpy(&socket->peer, peer, std::min<size_t>(length, sizeof(socket->peer)));
  socket->peer_length = length;
  socket->socket.store(made, std::memory_order_release);
  socket->kind.store(Kind::kConnecting, std::memory_order_release);
  EnterConnecting(socket);
  PlaceInEpolls(socket);
}

// The kernel takes over an attempt that has failed: its connect() must not block whoever finds out.
// Under Mutex().
void StartKernelConnect(Description* socket) {
  const int fd = socket->fds.front();
  const int flags = Real().fcntl(fd, F_GETFL);
  if ((flags & O_NONBLOCK) == 0) Real().fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const auto* const peer = reinterpret_cast<const sockaddr*>(&socket->peer);
  const int result = Real().connect(fd, peer, socket->peer_length);
  const int error = result == 0 ? 0 : errno;
  if ((flags & O_NONBLOCK) == 0) Real().fcntl(fd, F_SETFL, flags);
  // Another process that shares the socket may have been first.
  if (error != 0 && error != EINPROGRESS && error != EALREADY && error != EISCONN) {
    socket->error.store(error, std::memory_order_relaxed);
  }
}

// Of the attempt of `socket`, which is over. Returns what is to be retired once Mutex() is
// released. Under Mutex().
Description* Conclude(Description* socket) {
  nc_socket* const made = socket->socket.load(std::memory_order_relaxed);
  int error = TakeError(made);
  const bool connected = ipc::StateOf(made->Flags()) == ipc::SlotState::kConnected;
  if (!connected && error == 0) error = ECONNABORTED;
  LeaveConnecting(socket);
  if (connected || !MeansKernel(error)) {
    const int failed = TakeOver(socket, made);
    socket->error.store(failed != 0 ? failed : connected ? 0 : error, std::memory_order_relaxed);
    if (failed == 0) return nullptr;
  }
  const auto* const peer = reinterpret_cast<const sockaddr*>(&socket->peer);
  ReportOutcome(error, peer, socket->peer_length);
  socket->kind.store(Kind::kCandidate, std::memory_order_release);
  if (GetSettings().strict) {
    socket->error.store(RefuseFallback(peer, socket->peer_length, Explain(error)));
  } else if (!connected) {
    StartKernelConnect(socket);
  }
  socket->socket.store(nullptr, std::memory_order_release);
  socket->given_up = made;
  if (socket->error.load(std::memory_order_relaxed) != 0) {
    // The program finds the error on the kernel's socket, which hangs up, not being connected.
    LeaveEpollSets(socket);
    PlaceInEpolls(socket);
    return nullptr;
  }
  HandEpollsToKernel(socket);
  return UntrackAll(socket);
}

bool OutcomeKnown(nc_socket* made) {
  const uint32_t flags = made->Flags();
  return ipc::StateOf(flags) != ipc::SlotState::kConnecting || (flags & ipc::kFlagDetached) != 0;
}

// Waits for the outcome. 0, EINTR, or EAGAIN: the send timeout has passed.
int AwaitOutcome(nc_socket* made) {
  int timeout_ms = 0;
  nc_getopt(made, NC_SEND_TIMEOUT_MS, &timeout_ms);
  switch (WaitFor(made, Condition::kConnected, 0, DeadlineAfter(timeout_ms))) {
    case WaitResult::kReady:
      return 0;
    case WaitResult::kTimedOut:
      return EAGAIN;
    case WaitResult::kInterrupted:
      return EINTR;
  }
  return EINTR;
}

}  // namespace

void EnterConnecting(Description* description) {
  Attempts()[description->socket.load(std::memory_order_relaxed)] = description;
  internal::connecting_count.fetch_add(1, std::memory_order_release);
}

void LeaveConnecting(Description* description) {
  if (Attempts().erase(description->socket.load(std::memory_order_relaxed)) != 0) {
    internal::connecting_count.fetch_sub(1, std::memory_order_release);
  }
}

int Connect(int fd, Description* socket, const sockaddr* peer, socklen_t length) {
  if (!IsUsable(socket, peer, length)) {
    return Real().connect(fd, peer, length) == 0 ? 0 : errno;
  }
  if (IsLoopback(peer, length) || IsAny(peer, length)) {
    return FallBackAtOnce(fd, socket, FallbackReason::kOwnAddress, "it is this host", peer, length);
  }
  if (socket->kernel_only) {
    return FallBackAtOnce(fd, socket, FallbackReason::kNotSupported, kKernelOption, peer, length);
  }
  nc_stack* const stack = Stack();
  if (StaysOnKernel()) {  // Stack() may just have found out
    return FallBackAtOnce(fd, socket, FallbackReason::kNotSupported, kIoUring, peer, length);
  }
  if (stack == nullptr) {
    if (GetSettings().strict) return RefuseFallback(peer, length, "no daemon");
    return KernelConnect(fd, socket, peer, length);
  }
  int error = 0;
  nc_socket* const made = Open(fd, socket, stack, peer, length, &error);
  if (error == EINPROGRESS || error == EINTR) {
    GoOn(socket, made, peer, length);
    return error;
  }
  if (error == 0) {
    const std::lock_guard lock(Mutex());
    error = TakeOver(socket, made);
    if (error == 0) return 0;
  }
  if (made != nullptr) nc_close(made);
  return MeansKernel(error) ? FallBack(fd, socket, error, peer, length) : error;
}

int ConnectAgain(int fd, Description* socket) {
  const int settled = Settle(socket, !IsNonblocking(fd));
  if (settled == EAGAIN) return IsNonblocking(fd) ? EALREADY : EINPROGRESS;
  if (settled != 0) return settled;
  if (const int error = socket->error.exchange(0); error != 0) return error;
  if (socket->kind_now() == Kind::kVirtual) return 0;
  // The kernel's attempt has begun: it knows how far it is.
  const auto* const peer = reinterpret_cast<const sockaddr*>(&socket->peer);
  return Real().connect(fd, peer, socket->peer_length) == 0 ? 0 : errno;
}

int Settle(Description* socket, bool wait) {
  for (;;) {
    Description* last = nullptr;
    nc_socket *awaited = nullptr, *over = nullptr;
    {
      const std::lock_guard lock(Mutex());
      if (socket->kind_now() == Kind::kConnecting && !socket->fds.empty()) {
        nc_socket* made = socket->socket.load(std::memory_order_relaxed);
        if (OutcomeKnown(made)) {
          last = Conclude(socket);
        } else {
          awaited = made;
        }
      }
      if (awaited != nullptr && wait) ++socket->awaiting;
      if (socket->awaiting == 0) over = std::exchange(socket->given_up, nullptr);
    }
    if (over != nullptr) nc_close(over);
    if (last != nullptr) Retire(last);
    if (awaited == nullptr) return 0;
    if (!wait) return EAGAIN;
    const int error = AwaitOutcome(awaited);
    {
      const std::lock_guard lock(Mutex());
      --socket->awaiting;
    }
    if (error != 0) return error;
  }
}

bool SettleForEvent(const nc_socket* socket) {
  Description* description;
  uint64_t life;
  {
    const std::lock_guard lock(Mutex());
    const auto found = Attempts().find(socket);
    if (found == Attempts().end()) return true;
    description = found->second;
    life = description->life.load(std::memory_order_relaxed);
  }
  const Use use(description, life);
  if (!use) return false;
  Settle(use.get(), false);
  return use->kind_now() == Kind::kVirtual || use->kind_now() == Kind::kConnecting;
}

}  // namespace netchannel::preload

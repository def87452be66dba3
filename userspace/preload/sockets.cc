// SPDX-License-Identifier: Apache-2.0
#include "preload/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "client/anchor.h"
#include "preload/epoll.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/stand_ins.h"

namespace netchannel::preload {
namespace {

constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool IsLoopback(const sockaddr* address, socklen_t length) {
  if (length >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    const uint32_t ip = ntohl(v4.sin_addr.s_addr);
    return ip >> 24 == 127;
  }
  if (length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof(v6));
    const uint8_t* ip = v6.sin6_addr.s6_addr;
    if (std::memcmp(ip, kMappedPrefix, sizeof(kMappedPrefix)) == 0) return ip[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  }
  return false;
}

void ShowAddress(int family, const sockaddr_storage& from, sockaddr* to, socklen_t* length) {
  if (to == nullptr || length == nullptr) return;
  sockaddr_storage shown = from;
  socklen_t size = from.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (family == AF_INET6 && from.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &from, sizeof(v4));
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = v4.sin_port;
    if (v4.sin_addr.s_addr != 0) {
      std::memcpy(v6.sin6_addr.s6_addr, kMappedPrefix, sizeof(kMappedPrefix));
      std::memcpy(v6.sin6_addr.s6_addr + sizeof(kMappedPrefix), &v4.sin_addr, sizeof(v4.sin_addr));
    }
    std::memcpy(&shown, &v6, sizeof(v6));
    size = sizeof(v6);
  }
  std::memcpy(to, &shown, std::min(*length, size));
  *length = size;
}

void LeaveToKernel(Description* socket) {
  Description* last;
  {
    const std::lock_guard lock(Mutex());
    HandEpollsToKernel(socket);
    last = UntrackAll(socket);
  }
  if (last != nullptr) Retire(last);
}

int Adopt(int fd, Description* socket) {
  const std::lock_guard lock(Mutex());
  if (socket->kind_now() != Kind::kInherited) return 0;
  nc_socket* adopted = nc_socket_adopt(DaemonPath(), fd);
  if (adopted == nullptr) {
    const int error = errno;
    socket->error.store(ECONNRESET, std::memory_order_relaxed);
    return error;
  }
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  nc_getsockname(adopted, reinterpret_cast<sockaddr*>(&local), &length);
  socket->family.store(local.ss_family, std::memory_order_relaxed);
  socket->socket.store(adopted, std::memory_order_release);
  socket->kind.store(Kind::kVirtual, std::memory_order_release);
  return 0;
}

void Recognise(int fd) {
  if (Peek(fd) != nullptr || Foreign() || !ReadAnchor(fd)) return;
  const std::lock_guard lock(Mutex());
  Track(fd, NewDescription(Kind::kInherited));
}

int Publish(nc_socket* accepted, int flags, int family) {
  const bool stands_in = MayStandIn(accepted);
  const int fd = stands_in ? Real().socket(AF_UNIX, SOCK_STREAM | (flags & SOCK_CLOEXEC), 0)
                           : nc_socket_fd(accepted);
  if (fd < 0) {
    const int error = errno;
    nc_close(accepted);
    errno = error;
    return -1;
  }
  if (!stands_in && (flags & SOCK_CLOEXEC) == 0) Real().fcntl(fd, F_SETFD, 0);
  const std::lock_guard lock(Mutex());
  Description* description = NewDescription(Kind::kVirtual);
  description->family.store(family, std::memory_order_relaxed);
  description->socket.store(accepted, std::memory_order_release);
  if (!Track(fd, description)) {
    description->socket.store(nullptr);
    description->kind.store(Kind::kFree);
    nc_close(accepted);
    CloseOwn(fd);
    errno = EMFILE;
    return -1;
  }
  if (stands_in) StandIn(description);
  return fd;
}

}  // namespace netchannel::preload

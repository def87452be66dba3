// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/port_reservation.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "netdriver/xdp/failure.h"

namespace netchannel::xdp {
namespace {

// 0 or a positive errno.
int BindAny(int fd, int family, uint16_t port) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_in);
  if (family == AF_INET) {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
  } else {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(port);
    length = sizeof(*address);
  }
  return bind(fd, reinterpret_cast<const sockaddr*>(&storage), length) == 0 ? 0 : errno;
}

absl::StatusOr<UniqueFd> Reserve(int family, uint16_t port) {
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    if (family == AF_INET6 && errno == EAFNOSUPPORT) return fd;
    return Failure(errno, "open a UDP socket", "raise the limit of open files (ulimit -n)");
  }
  const int one = 1;
  const int smallest = 0;
  if (family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest));
  const int error = BindAny(fd.get(), family, port);
  if (error == 0 || (family == AF_INET6 && error == EADDRNOTAVAIL)) return fd;
  return Failure(error, absl::StrCat("reserve UDP port ", port),
                 absl::StrCat("`ss -ulpn sport = :", port,
                              "` shows who has it: stop it, or choose another base port"));
}

}  // namespace

absl::StatusOr<std::vector<UniqueFd>> ReservePorts(uint16_t base, uint32_t count) {
  if (base == 0 || base + count > 65536) {
    return absl::InvalidArgumentError(
        absl::StrCat("reserve UDP ports ", base, "..", base + count - 1,
                     ": not within 1..65535; choose another base port or fewer lanes"));
  }
  std::vector<UniqueFd> sockets;
  for (uint32_t i = 0; i < count; ++i) {
    for (const int family : {AF_INET, AF_INET6}) {
      auto fd = Reserve(family, static_cast<uint16_t>(base + i));
      if (!fd.ok()) return fd.status();
      if (fd->valid()) sockets.push_back(*std::move(fd));
    }
  }
  return sockets;
}

}  // namespace netchannel::xdp

// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/port_reservation.h"

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

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

// The socket takes nothing but errors: their queue shares its memory with datagrams, and would be
// starved by those that nobody reads. Before bind, so that none is there.
int TakeErrorsOnly(int fd, int family) {
  sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &drop_all};
  const int one = 1;
  const bool done =
      setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 &&
      (family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)) == 0
                         : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one)) == 0);
  return done ? 0 : errno;
}

absl::StatusOr<UniqueFd> OpenReserved(int family, uint16_t port) {
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    if (family == AF_INET6 && errno == EAFNOSUPPORT) return fd;
    return Failure(errno, "open a UDP socket", "raise the limit of open files (ulimit -n)");
  }
  const int one = 1;
  if (family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  if (const int error = TakeErrorsOnly(fd.get(), family); error != 0) {
    return Failure(error, absl::StrCat("receive ICMP errors for UDP port ", port),
                   "the kernel must allow socket filters and IP_RECVERR");
  }
  const int error = BindAny(fd.get(), family, port);
  if (error == 0 || (family == AF_INET6 && error == EADDRNOTAVAIL)) return fd;
  return Failure(error, absl::StrCat("reserve UDP port ", port),
                 absl::StrCat("`ss -ulpn sport = :", port,
                              "` shows who has it: stop it, or choose another base port"));
}

wire::IpEndpoint ToEndpoint(const sockaddr_storage& storage) {
  wire::IpEndpoint endpoint;
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    endpoint = {wire::IpAddress::V4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  } else if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::memcpy(endpoint.address.bytes.data(), &in6.sin6_addr, sizeof(in6.sin6_addr));
    endpoint.port = ntohs(in6.sin6_port);
  }
  return endpoint;
}

// Whether it says that nobody got the packet. RFC 792 type 3 but for "fragmentation needed" (our
// own MTU probing deals with that), RFC 4443 type 1, and its "unrecognized next header", which is
// how IPv6 says "protocol unreachable".
bool SaysUnreachable(const sock_extended_err& error) {
  if (error.ee_origin == SO_EE_ORIGIN_ICMP) {
    return error.ee_type == ICMP_DEST_UNREACH && error.ee_code != ICMP_FRAG_NEEDED;
  }
  if (error.ee_origin == SO_EE_ORIGIN_ICMP6) {
    return error.ee_type == ICMPV6_DEST_UNREACH ||
           (error.ee_type == ICMPV6_PARAMPROB && error.ee_code == ICMPV6_UNK_NEXTHDR);
  }
  return false;
}

bool SaysNobodyHasThePort(const sock_extended_err& error) {
  return (error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_code == ICMP_PORT_UNREACH) ||
         (error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == ICMPV6_DEST_UNREACH &&
          error.ee_code == ICMPV6_PORT_UNREACH);
}

const sock_extended_err* FindError(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
        (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
      return reinterpret_cast<const sock_extended_err*>(CMSG_DATA(c));
    }
  }
  return nullptr;
}

enum class Taken { kUnreachable, kOther, kNothing };

Taken TakeError(int fd, Unreachable& out) {
  sockaddr_storage destination{};
  alignas(cmsghdr) std::byte control[512];
  iovec quoted{.iov_base = out.header, .iov_len = sizeof(out.header)};
  msghdr message{};
  message.msg_name = &destination;
  message.msg_namelen = sizeof(destination);
  message.msg_iov = &quoted;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t got = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (got < 0) return Taken::kNothing;
  const sock_extended_err* error = FindError(message);
  if (error == nullptr || !SaysUnreachable(*error)) return Taken::kOther;
  out.destination = ToEndpoint(destination);
  out.quoted = static_cast<size_t>(got);
  out.port = SaysNobodyHasThePort(*error);
  return Taken::kUnreachable;
}

// An error that found no room in the queue still leaves its number, for which the socket would poll
// forever.
void ClearPending(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
}

}  // namespace

absl::StatusOr<PortReservation> PortReservation::Reserve(uint16_t base, uint32_t count) {
  if (base == 0 || base + count > 65536) {
    return absl::InvalidArgumentError(
        absl::StrCat("reserve UDP ports ", base, "..", base + count - 1,
                     ": not within 1..65535; choose another base port or fewer lanes"));
  }
  PortReservation reservation;
  reservation.errors_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!reservation.errors_.valid()) {
    return Failure(errno, "make an epoll set", "raise the limit of open files (ulimit -n)");
  }
  for (uint32_t i = 0; i < count; ++i) {
    for (const int family : {AF_INET, AF_INET6}) {
      auto fd = OpenReserved(family, static_cast<uint16_t>(base + i));
      if (!fd.ok()) return fd.status();
      if (!fd->valid()) continue;
      epoll_event only_errors{.events = 0, .data = {.fd = fd->get()}};
      if (epoll_ctl(reservation.errors_.get(), EPOLL_CTL_ADD, fd->get(), &only_errors) != 0) {
        return Failure(errno, absl::StrCat("watch UDP port ", base + i),
                       "raise fs.epoll.max_user_watches");
      }
      reservation.sockets_.push_back(*std::move(fd));
    }
  }
  return reservation;
}

std::optional<Unreachable> PortReservation::PollUnreachable() {
  // Of those that are passed over; the rest waits for the next call.
  constexpr int kMaxOthers = 64;
  for (int others = 0; others < kMaxOthers; ++others) {
    epoll_event ready;
    if (epoll_wait(errors_.get(), &ready, 1, 0) != 1) return std::nullopt;
    Unreachable error;
    switch (TakeError(ready.data.fd, error)) {
      case Taken::kUnreachable:
        return error;
      case Taken::kOther:
        break;
      case Taken::kNothing:
        ClearPending(ready.data.fd);
    }
  }
  return std::nullopt;
}

}  // namespace netchannel::xdp

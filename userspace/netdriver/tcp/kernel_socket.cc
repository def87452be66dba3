// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/kernel_socket.h"

#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace netchannel::tcp {
namespace {

struct Address {
  explicit Address(const wire::IpEndpoint& endpoint) {
    if (endpoint.address.is_v4()) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      v4->sin_family = AF_INET;
      v4->sin_port = htons(endpoint.port);
      v4->sin_addr.s_addr = htonl(endpoint.address.v4());
      length = sizeof(sockaddr_in);
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(endpoint.port);
      std::memcpy(&v6->sin6_addr, endpoint.address.bytes.data(), sizeof(v6->sin6_addr));
      length = sizeof(sockaddr_in6);
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }

  sockaddr_storage storage{};
  socklen_t length = 0;
};

wire::IpEndpoint EndpointOf(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from);
    return {wire::IpAddress::V4(ntohl(v4->sin_addr.s_addr)), ntohs(v4->sin_port)};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from);
  wire::IpEndpoint endpoint;
  std::memcpy(endpoint.address.bytes.data(), &v6->sin6_addr, sizeof(v6->sin6_addr));
  endpoint.port = ntohs(v6->sin6_port);
  return endpoint;
}

void Set(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

void Configure(int fd, const SocketOptions& options) {
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // a message does not wait for more
  Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
      static_cast<int>(options.user_timeout.nanos() / 1'000'000));
  // The kernel counts in seconds. With a user timeout the number of probes means nothing.
  const auto seconds = static_cast<int>(
      std::clamp<int64_t>(options.keepalive_interval.nanos() / 1'000'000'000, 1, 32767));
  Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  Set(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::min(seconds, 5));
}

// False: the kernel does not offer it, or not to this user.
bool SetCongestion(int fd, const std::string& name) {
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                    static_cast<socklen_t>(name.size())) == 0;
}

absl::Status ListenError(const char* operation, const wire::IpEndpoint& local, int error) {
  const char* cure = "";
  if (error == EADDRINUSE) {
    cure = "; another stack or program has the port: choose another with host.port";
  } else if (error == EADDRNOTAVAIL) {
    cure = "; it is no address of this host: `ip address` lists them";
  } else if (error == EACCES) {
    cure = "; choose a port that needs no privilege with host.port";
  }
  return absl::UnavailableError(absl::StrCat("channels over TCP: ", operation, " ",
                                             local.ToString(), ": ", std::strerror(error), cure));
}

}  // namespace

absl::StatusOr<UniqueFd> Listen(const wire::IpEndpoint& local, const SocketOptions& options) {
  const Address address(local);
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ListenError("socket for", local, errno);
  // Connections of a stack that was here before may still linger on the port.
  Set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.family() == AF_INET6) Set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  Configure(fd.get(), options);
  if (!SetCongestion(fd.get(), options.congestion) && options.congestion_required) {
    return absl::FailedPreconditionError(absl::StrCat(
        "session.congestion: the kernel does not offer ", options.congestion,
        " to this user; /proc/sys/net/ipv4/tcp_allowed_congestion_control lists what it does"));
  }
  if (bind(fd.get(), address.get(), address.length) != 0) return ListenError("bind", local, errno);
  if (listen(fd.get(), SOMAXCONN) != 0) return ListenError("listen at", local, errno);
  return fd;
}

Dialed Dial(const wire::IpAddress& local, const wire::IpEndpoint& peer,
            const SocketOptions& options) {
  const Address from({local, 0});
  const Address to(peer);
  UniqueFd fd(socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return {UniqueFd(), errno};
  Configure(fd.get(), options);
  SetCongestion(fd.get(), options.congestion);  // as Listen could, or could not
  // The port is chosen by connect(), which may use one port for many peers.
  Set(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (bind(fd.get(), from.get(), from.length) != 0) return {UniqueFd(), errno};
  const bool begun = connect(fd.get(), to.get(), to.length) == 0 || errno == EINPROGRESS;
  if (!begun) return {UniqueFd(), errno};
  return {std::move(fd), 0};
}

Accepted Accept(int listener) {
  sockaddr_storage from{};
  socklen_t length = sizeof(from);
  UniqueFd fd(
      accept4(listener, reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return {UniqueFd(), {}, errno};
  return {std::move(fd), EndpointOf(from), 0};
}

void SetClass(int fd, AppClass app_class) {
  constexpr int kInteractive = 6;  // TC_PRIO_INTERACTIVE: the highest without a privilege
  if (app_class == AppClass::kLatency) Set(fd, SOL_SOCKET, SO_PRIORITY, kInteractive);
}

int TakeError(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

std::optional<SocketFacts> ReadFacts(int fd) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  char congestion[16] = {};  // TCP_CA_NAME_MAX
  socklen_t name_length = sizeof(congestion) - 1;
  getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &name_length);
  return SocketFacts{.smoothed_rtt = Duration::Micros(info.tcpi_rtt),
                     .min_rtt = Duration::Micros(info.tcpi_min_rtt),
                     .congestion_window = ByteCount{info.tcpi_snd_cwnd} * info.tcpi_snd_mss,
                     .segment_size = info.tcpi_snd_mss,
                     .congestion = congestion,
                     .segments_sent = info.tcpi_segs_out,
                     .segments_received = info.tcpi_segs_in,
                     .retransmitted = info.tcpi_total_retrans};
}

}  // namespace netchannel::tcp

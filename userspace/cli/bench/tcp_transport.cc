// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/tcp_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"
#include "cli/socket_address.h"

namespace netchannel::cli {

namespace {

absl::Status Configure(int fd, const EndpointOptions& options) {
  const int one = 1;
  const int zero = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero,
             sizeof(zero));  // fails on IPv4, where it means nothing
  if (options.nodelay && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) {
    return ErrnoError("TCP_NODELAY");
  }
  if (!options.congestion.empty() &&
      setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options.congestion.data(),
                 static_cast<socklen_t>(options.congestion.size())) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--congestion ", options.congestion, ": the kernel does not offer it, see ",
                     "/proc/sys/net/ipv4/tcp_available_congestion_control"));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> NewSocket(const SocketAddress& address, const EndpointOptions& options) {
  UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError("socket");
  if (auto status = Configure(socket.get(), options); !status.ok()) return status;
  return socket;
}

class TcpListener final : public Listener {
 public:
  TcpListener(UniqueFd socket, bool spin, TcpStreamMaker make_stream)
      : socket_(std::move(socket)), spin_(spin), make_stream_(make_stream) {}

  absl::StatusOr<std::unique_ptr<ByteStream>> Accept() override {
    UniqueFd socket(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) return ErrnoError("accept");
    return make_stream_(std::move(socket), spin_);
  }

 private:
  UniqueFd socket_;
  const bool spin_;
  const TcpStreamMaker make_stream_;
};

class TcpTransport final : public Transport {
 public:
  TcpTransport(EndpointOptions options, TcpStreamMaker make_stream)
      : options_(std::move(options)), make_stream_(make_stream) {}

  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    auto address = MakeSocketAddress(options_.address, options_.port);
    if (!address.ok()) return address.status();
    auto socket = NewSocket(*address, options_);
    if (!socket.ok()) return socket.status();
    if (bind(socket->get(), address->get(), address->length) != 0 ||
        listen(socket->get(), SOMAXCONN) != 0) {
      return ErrnoError(absl::StrCat("TCP port ", options_.port).c_str());
    }
    return std::make_unique<TcpListener>(*std::move(socket), options_.spin, make_stream_);
  }

  absl::StatusOr<std::unique_ptr<ByteStream>> Connect() override {
    auto address = MakeSocketAddress(options_.address, options_.port);
    if (!address.ok()) return address.status();
    auto socket = NewSocket(*address, options_);
    if (!socket.ok()) return socket.status();
    if (connect(socket->get(), address->get(), address->length) != 0) {
      return ErrnoError(
          absl::StrCat("connect to ", options_.address, " port ", options_.port).c_str());
    }
    return make_stream_(*std::move(socket), options_.spin);
  }

 private:
  const EndpointOptions options_;
  const TcpStreamMaker make_stream_;
};

}  // namespace

std::unique_ptr<Transport> MakeTcpTransport(const EndpointOptions& options,
                                            TcpStreamMaker make_stream) {
  return std::make_unique<TcpTransport>(options, make_stream);
}

}  // namespace netchannel::cli

// SPDX-License-Identifier: Apache-2.0
//
// The kernel's TCP, as a program uses it. With `spin` the descriptor is non-blocking and the calls
// repeat while they would block, as a latency-minded program does it.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/bench/transport.h"
#include "cli/interrupt.h"
#include "cli/socket_address.h"

namespace netchannel::cli {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class TcpStream final : public ByteStream {
 public:
  TcpStream(Descriptor socket, bool spin) : socket_(std::move(socket)), spin_(spin) {}

  ssize_t Send(absl::Span<const std::byte> data) override {
    if (!spin_) return send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    return Spin(
        [&] { return send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT); });
  }
  ssize_t Receive(absl::Span<std::byte> room) override {
    if (!spin_) return recv(socket_.get(), room.data(), room.size(), 0);
    return Spin([&] { return recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT); });
  }
  absl::Status FinishSending() override {
    if (shutdown(socket_.get(), SHUT_WR) != 0) return ErrnoError("shutdown");
    return absl::OkStatus();
  }

 private:
  template <typename Call>
  ssize_t Spin(Call call) {
    for (;;) {
      const ssize_t result = call();
      if (result >= 0 || errno != EAGAIN) return result;
      if (InterruptRequested()) {
        errno = EINTR;
        return -1;
      }
    }
  }

  Descriptor socket_;
  const bool spin_;
};

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

absl::StatusOr<Descriptor> NewSocket(const SocketAddress& address, const EndpointOptions& options) {
  Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return ErrnoError("socket");
  if (auto status = Configure(socket.get(), options); !status.ok()) return status;
  return socket;
}

class TcpListener final : public Listener {
 public:
  TcpListener(Descriptor socket, bool spin) : socket_(std::move(socket)), spin_(spin) {}

  absl::StatusOr<std::unique_ptr<ByteStream>> Accept() override {
    Descriptor socket(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.get() < 0) return ErrnoError("accept");
    return std::make_unique<TcpStream>(std::move(socket), spin_);
  }

 private:
  Descriptor socket_;
  const bool spin_;
};

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(EndpointOptions options) : options_(std::move(options)) {}

  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    auto address = MakeSocketAddress(options_.address, options_.port);
    if (!address.ok()) return address.status();
    auto socket = NewSocket(*address, options_);
    if (!socket.ok()) return socket.status();
    if (bind(socket->get(), address->get(), address->length) != 0 ||
        listen(socket->get(), SOMAXCONN) != 0) {
      return ErrnoError(absl::StrCat("TCP port ", options_.port).c_str());
    }
    return std::make_unique<TcpListener>(*std::move(socket), options_.spin);
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
    return std::make_unique<TcpStream>(*std::move(socket), options_.spin);
  }

 private:
  const EndpointOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> OpenTcpTransport(const EndpointOptions& options) {
  return std::make_unique<TcpTransport>(options);
}

}  // namespace netchannel::cli

// SPDX-License-Identifier: Apache-2.0
//
// The kernel's TCP, as a program uses it. With `spin` the descriptor is non-blocking and the calls
// repeat while they would block, as a latency-minded program does it.
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "cli/bench/tcp_transport.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

class TcpStream final : public ByteStream {
 public:
  TcpStream(UniqueFd socket, bool spin) : socket_(std::move(socket)), spin_(spin) {}

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

  UniqueFd socket_;
  const bool spin_;
};

absl::StatusOr<std::unique_ptr<ByteStream>> MakeTcpStream(UniqueFd socket, bool spin) {
  return std::make_unique<TcpStream>(std::move(socket), spin);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> OpenTcpTransport(const EndpointOptions& options) {
  return MakeTcpTransport(options, &MakeTcpStream);
}

}  // namespace netchannel::cli

// SPDX-License-Identifier: Apache-2.0
//
// Virtual sockets through the public C API, on a stack embedded in this process: as a program uses
// it.
#include <netchannel/netchannel.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/bench/transport.h"
#include "cli/interrupt.h"
#include "cli/socket_address.h"
#include "cli/stack_settings.h"

namespace netchannel::cli {

namespace {

constexpr int kLingerMillis = 2000;

struct CloseSocket {
  void operator()(nc_socket* socket) const { nc_close(socket); }
};
using SocketPtr = std::unique_ptr<nc_socket, CloseSocket>;

// nc_last_error() where it says more than errno does.
absl::Status StackError(const std::string& operation) {
  const int error = errno;
  const std::string detail = nc_last_error();
  if (error == EINTR && InterruptRequested()) return InterruptedError();
  if (!detail.empty()) return absl::UnavailableError(absl::StrCat(operation, ": ", detail));
  return absl::ErrnoToStatus(error, operation);
}

class NetchannelStream final : public ByteStream {
 public:
  explicit NetchannelStream(SocketPtr socket) : socket_(std::move(socket)) {}

  ssize_t Send(absl::Span<const std::byte> data) override {
    return nc_send(socket_.get(), data.data(), data.size(), 0);
  }
  ssize_t Receive(absl::Span<std::byte> room) override {
    return nc_recv(socket_.get(), room.data(), room.size(), 0);
  }
  absl::Status FinishSending() override {
    if (nc_shutdown(socket_.get(), SHUT_WR) != 0) return StackError("shutdown");
    return absl::OkStatus();
  }

 private:
  SocketPtr socket_;
};

absl::Status Configure(nc_socket* socket, const EndpointOptions& options) {
  const int app_class = options.app_class == "latency" ? 1 : 0;
  if (options.app_class != "automatic" && nc_setopt(socket, NC_CLASS, app_class) != 0) {
    return StackError("NC_CLASS");
  }
  if (nc_setopt(socket, NC_SPIN, options.spin ? 1 : 0) != 0) return StackError("NC_SPIN");
  // The stack ends with this process: close waits until the last words have arrived.
  if (nc_setopt(socket, NC_LINGER_MS, kLingerMillis) != 0) return StackError("NC_LINGER_MS");
  return absl::OkStatus();
}

class NetchannelListener final : public Listener {
 public:
  NetchannelListener(SocketPtr socket, const EndpointOptions& options)
      : options_(options), socket_(std::move(socket)) {}

  absl::StatusOr<std::unique_ptr<ByteStream>> Accept() override {
    SocketPtr socket(nc_accept(socket_.get(), nullptr, nullptr, 0));
    if (socket == nullptr) return StackError("accept");
    // Options are the socket's own, not inherited from the listener.
    if (auto status = Configure(socket.get(), options_); !status.ok()) return status;
    return std::make_unique<NetchannelStream>(std::move(socket));
  }

 private:
  const EndpointOptions options_;
  SocketPtr socket_;
};

class NetchannelTransport final : public Transport {
 public:
  NetchannelTransport(nc_stack* stack, EndpointOptions options)
      : options_(std::move(options)), stack_(stack) {}
  ~NetchannelTransport() override { nc_stack_stop(stack_); }

  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    auto socket = NewSocket();
    if (!socket.ok()) return socket.status();
    auto address = MakeSocketAddress(options_.address, options_.port);
    if (!address.ok()) return address.status();
    if (nc_bind(socket->get(), address->get(), address->length) != 0 ||
        nc_listen(socket->get(), kBacklog) != 0) {
      return StackError(absl::StrCat("virtual port ", options_.port));
    }
    // A listener that spun would burn a core before the measurement begins.
    nc_setopt(socket->get(), NC_SPIN, 0);
    return std::make_unique<NetchannelListener>(*std::move(socket), options_);
  }

  absl::StatusOr<std::unique_ptr<ByteStream>> Connect() override {
    auto socket = NewSocket();
    if (!socket.ok()) return socket.status();
    auto address = MakeSocketAddress(options_.address, options_.port);
    if (!address.ok()) return address.status();
    if (nc_connect(socket->get(), address->get(), address->length) != 0) {
      return StackError(absl::StrCat("connect to ", options_.address, " port ", options_.port));
    }
    return std::make_unique<NetchannelStream>(*std::move(socket));
  }

  std::string Status() override {
    char* const text = nc_stack_status(stack_);
    if (text == nullptr) return {};
    std::string out(text);
    free(text);
    return out;
  }

 private:
  static constexpr int kBacklog = 1024;

  absl::StatusOr<SocketPtr> NewSocket() {
    SocketPtr socket(nc_socket_create(stack_, 0));
    if (socket == nullptr) return StackError("create a virtual socket");
    if (auto status = Configure(socket.get(), options_); !status.ok()) return status;
    return socket;
  }

  const EndpointOptions options_;
  nc_stack* const stack_;
};

// A line of the settings in memory says nothing to who gave them with --set; the key does.
std::string WithoutOrigin(std::string message, const std::string& path) {
  if (message.rfind(path + ":", 0) != 0) return message;
  const size_t begin = message.find(": ");
  return begin == std::string::npos ? message : message.substr(begin + 2);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> OpenNetchannelTransport(const EndpointOptions& options) {
  auto settings = StackSettings::Make(options);
  if (!settings.ok()) return settings.status();
  nc_stack* const stack = nc_stack_start(
      options.interface.empty() ? nullptr : options.interface.c_str(), settings->path());
  if (stack == nullptr) {
    const std::string error = nc_last_error();
    return absl::UnavailableError(settings->in_memory() ? WithoutOrigin(error, settings->path())
                                                        : error);
  }
  return std::make_unique<NetchannelTransport>(stack, options);
}

}  // namespace netchannel::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/transport.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

absl::StatusOr<std::unique_ptr<Transport>> OpenTransport(const EndpointOptions& options) {
  if (options.over == "tcp") return OpenTcpTransport(options);
  if (options.over == "tcp-uring") return OpenTcpUringTransport(options);
  if (options.over == "netchannel") return OpenNetchannelTransport(options);
  return absl::InvalidArgumentError(
      absl::StrCat("--over ", options.over, ": use netchannel, tcp or tcp-uring here"));
}

namespace {

template <typename SendSome>
absl::Status SendAllBy(SendSome send, absl::Span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t sent = send(data);
    if (sent < 0) {
      if (errno == EINTR && !InterruptRequested()) continue;
      return ErrnoError("send");
    }
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendAll(ByteStream& stream, absl::Span<const std::byte> data) {
  return SendAllBy([&](auto rest) { return stream.Send(rest); }, data);
}

absl::Status SendAllInPlace(ByteStream& stream, absl::Span<const std::byte> data) {
  return SendAllBy([&](auto rest) { return stream.SendInPlace(rest); }, data);
}

absl::Status ReceiveAll(ByteStream& stream, absl::Span<std::byte> room) {
  while (!room.empty()) {
    const ssize_t received = stream.Receive(room);
    if (received == 0) {
      return absl::OutOfRangeError(
          "receive: the peer closed the connection too early; see what the other end printed");
    }
    if (received < 0) {
      if (errno == EINTR && !InterruptRequested()) continue;
      return ErrnoError("receive");
    }
    room.remove_prefix(static_cast<size_t>(received));
  }
  return absl::OkStatus();
}

absl::Status SaveStatus(Transport& transport, const EndpointOptions& options) {
  if (options.status_path.empty()) return absl::OkStatus();
  std::ofstream file(options.status_path, std::ios::trunc);
  file << transport.Status();
  file.flush();
  if (file.good()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("write the status to ", options.status_path, ": ", std::strerror(errno)));
}

}  // namespace netchannel::cli

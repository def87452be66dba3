// SPDX-License-Identifier: Apache-2.0
//
// What the workloads need of a stack, and nothing else, so that the same harness code measures both
// stacks. Each call is one call of the stack's own function (send, recv), or one request where the
// stack takes requests: what a program would pay.
//
// Thread: one at a time. Owner: a Transport outlives its listeners and streams.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cli/endpoint_options.h"

namespace netchannel::cli {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // As send(2) and recv(2): may take or give less than asked; 0 from Receive is the end; -1 and
  // errno. With `spin` they return only with bytes, the end, or an error other than EAGAIN.
  // What was sent is on its way at the latest when the next call waits for something.
  virtual ssize_t Send(absl::Span<const std::byte> data) = 0;
  virtual ssize_t Receive(absl::Span<std::byte> room) = 0;
  // Until the stack has taken all that was sent.
  virtual absl::Status Flush() { return absl::OkStatus(); }
  virtual absl::Status FinishSending() = 0;

  // The same for bytes that need not be moved for the stack's sake: of the caller, which stay as
  // they are until FinishSending or an error; and of the stack, which leaves them where they came
  // to, in `room` or in memory of its own. More than `room` may come. Nobody looks at them here.
  virtual ssize_t SendInPlace(absl::Span<const std::byte> data) { return Send(data); }
  virtual ssize_t ReceiveInPlace(absl::Span<std::byte> room) { return Receive(room); }
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual absl::StatusOr<std::unique_ptr<ByteStream>> Accept() = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen() = 0;
  virtual absl::StatusOr<std::unique_ptr<ByteStream>> Connect() = 0;
  // JSON, or empty where the stack has none to give.
  virtual std::string Status() { return {}; }
};

absl::StatusOr<std::unique_ptr<Transport>> OpenTcpTransport(const EndpointOptions& options);
// Unavailable where the kernel refuses io_uring.
absl::StatusOr<std::unique_ptr<Transport>> OpenTcpUringTransport(const EndpointOptions& options);
absl::StatusOr<std::unique_ptr<Transport>> OpenNetchannelTransport(const EndpointOptions& options);

// By `options.over`. InvalidArgument for one that is no byte stream.
absl::StatusOr<std::unique_ptr<Transport>> OpenTransport(const EndpointOptions& options);

// Whole buffers: OutOfRange when the stream ends early, Cancelled on Ctrl-C.
absl::Status SendAll(ByteStream& stream, absl::Span<const std::byte> data);
absl::Status SendAllInPlace(ByteStream& stream, absl::Span<const std::byte> data);
absl::Status ReceiveAll(ByteStream& stream, absl::Span<std::byte> room);

// Writes Status() to options.status_path, if both are there.
absl::Status SaveStatus(Transport& transport, const EndpointOptions& options);

}  // namespace netchannel::cli

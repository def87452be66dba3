// SPDX-License-Identifier: Apache-2.0
//
// One io_uring for one socket, with the memory that the kernel receives into.
//
// The ring belongs to one thread (SINGLE_ISSUER), and its work is done when that thread enters the
// kernel (DEFER_TASKRUN): nothing interrupts the program, and no thread of the kernel's takes part.
// The socket is registered, so that a request takes no reference to it: it is file 0.
//
// Receive buffers are provided to the kernel, which chooses one for what arrives. A buffer is the
// kernel's until a completion names it, then the caller's until Return.
//
// Thread: the one that opened it. Owner: of the ring and the buffers, not of the socket, which
// outlives it. Before it is destroyed nothing may be in flight: the kernel would write to memory
// that is gone. Errors: Unavailable, one line that names the call, the reason and the cure.
// Needs Linux 6.1.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace netchannel::cli {

class UringRing {
 public:
  static constexpr unsigned kRequests = 128;  // that fit before the kernel is entered
  // The kernel goes round all buffers, so more of them only push each other out of the cache.
  static constexpr uint16_t kBuffers = 2;             // a power of 2
  static constexpr size_t kBufferBytes = 256 * 1024;  // of each
  static constexpr uint16_t kBufferGroup = 0;

  static absl::StatusOr<std::unique_ptr<UringRing>> Open(int socket);
  // Whether this process may have a ring. Before it makes the sockets.
  static absl::Status Check();

  ~UringRing();
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;

  io_uring* get() { return &ring_; }

  absl::Span<const std::byte> Buffer(uint16_t id) const {
    return {memory_.data() + id * kBufferBytes, kBufferBytes};
  }
  void Return(uint16_t id);

 private:
  UringRing() = default;
  absl::Status SetUp(int socket);

  io_uring ring_{};
  bool open_ = false;
  io_uring_buf_ring* provided_ = nullptr;  // a mapping of its own, which the kernel reads
  std::vector<std::byte> memory_;
};

}  // namespace netchannel::cli

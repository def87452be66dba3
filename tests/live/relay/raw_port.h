// SPDX-License-Identifier: Apache-2.0
//
// One interface of the relay: an AF_PACKET socket that takes every frame which arrives there and
// sends frames out of it, past the qdisc. Frames that the interface sends are not seen
// (PACKET_IGNORE_OUTGOING).
//
// The kernel's offloads must be off at the far ends, or frames larger than the MTU and with partial
// checksums come through here.
//
// Thread: one. Owner: closes its socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace netchannel::relay {

class RawPort {
 public:
  static absl::StatusOr<std::unique_ptr<RawPort>> Open(const std::string& interface);
  ~RawPort();
  RawPort(const RawPort&) = delete;
  RawPort& operator=(const RawPort&) = delete;

  int fd() const { return fd_; }
  // Takes what waits, one batch at most. The spans are valid until the next call.
  absl::Span<const absl::Span<const std::byte>> Receive();
  // False when the kernel had no room.
  bool Send(absl::Span<const std::byte> frame);
  // Frames that arrived and found the socket's buffer full, since the last call.
  uint32_t TakeOverruns();

 private:
  explicit RawPort(int fd);

  const int fd_;
  std::vector<std::byte> buffers_;
  std::vector<absl::Span<const std::byte>> frames_;
};

}  // namespace netchannel::relay

// SPDX-License-Identifier: Apache-2.0
//
// Frames with known content between two lanes: IPv4 and UDP headers, a sequence number, and a
// pattern that depends on it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "netdriver/device.h"

namespace netchannel::test {

inline constexpr size_t kMinFrame = 64;  // bytes, with the Ethernet header

struct Route {
  std::string source;
  std::string destination;
  uint16_t port = 0;  // UDP destination port
};

class Traffic {
 public:
  explicit Traffic(const Route& route);

  // Writes frame number `sequence` of `length` bytes into the lane. False when the lane has no
  // buffer free.
  bool Send(Lane* lane, uint32_t sequence, size_t length) const;

  // The frame's sequence number, when it is as Send made it for a frame of that number and its
  // length.
  struct Arrival {
    bool intact = false;
    uint32_t sequence = 0;
  };
  Arrival Check(const RxPacket& packet) const;

 private:
  absl::Span<const std::byte> Pattern(uint32_t sequence, size_t length) const;

  std::vector<std::byte> headers_;  // of an empty frame
  std::vector<std::byte> pattern_;
};

// What arrived by `deadline_ms` without a pause of as much, at most `count`; each is released.
std::vector<Traffic::Arrival> ReceiveAll(Lane* lane, const Traffic& traffic, size_t count,
                                         int deadline_ms);

}  // namespace netchannel::test

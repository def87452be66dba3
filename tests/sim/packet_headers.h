// SPDX-License-Identifier: Apache-2.0
//
// What the simulated hardware reads of a frame: where it goes, and its ECN bits. Written apart from
// wire/, so that an error there does not hide itself. Untagged Ethernet only, which is all that
// simulated hosts send.
//
// Thread: values. Errors: a frame that is too short or of another kind has no such field.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/types/span.h"

namespace netchannel::sim {

using MacAddress = std::array<uint8_t, 6>;
using FrameBytes = absl::Span<const std::byte>;

inline constexpr size_t kEthernetSize = 14;
inline constexpr uint16_t kEtherTypeIpv4 = 0x0800, kEtherTypeIpv6 = 0x86DD;
inline constexpr uint8_t kProtocolUdp = 17;

inline uint16_t Read16(FrameBytes bytes, size_t at) {
  return static_cast<uint16_t>(std::to_integer<uint16_t>(bytes[at]) << 8 |
                               std::to_integer<uint16_t>(bytes[at + 1]));
}
inline void Write16(absl::Span<std::byte> bytes, size_t at, uint16_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value & 0xff);
}

inline std::optional<MacAddress> DestinationMac(FrameBytes frame) {
  if (frame.size() < kEthernetSize) return std::nullopt;
  MacAddress mac;
  std::memcpy(mac.data(), frame.data(), mac.size());
  return mac;
}

inline bool IsIpv4(FrameBytes frame) {
  return frame.size() >= kEthernetSize + 20 && Read16(frame, 12) == kEtherTypeIpv4;
}
inline bool IsIpv6(FrameBytes frame) {
  return frame.size() >= kEthernetSize + 40 && Read16(frame, 12) == kEtherTypeIpv6;
}

// The destination port of a UDP datagram; nullopt for all else.
inline std::optional<uint16_t> UdpDestinationPort(FrameBytes frame) {
  size_t udp = 0;
  if (IsIpv4(frame) && std::to_integer<uint8_t>(frame[kEthernetSize + 9]) == kProtocolUdp) {
    udp = kEthernetSize + 4 * (std::to_integer<size_t>(frame[kEthernetSize]) & 0xf);
  } else if (IsIpv6(frame) && std::to_integer<uint8_t>(frame[kEthernetSize + 6]) == kProtocolUdp) {
    udp = kEthernetSize + 40;
  }
  if (udp == 0 || frame.size() < udp + 8) return std::nullopt;
  return Read16(frame, udp + 2);
}

// RFC 3168 code point: 0 not ECT, 1 and 2 ECT, 3 CE.
inline uint8_t EcnOf(FrameBytes frame) {
  if (IsIpv4(frame)) return std::to_integer<uint8_t>(frame[kEthernetSize + 1]) & 3;
  if (IsIpv6(frame)) return std::to_integer<uint8_t>(frame[kEthernetSize + 1]) >> 4 & 3;
  return 0;
}

// Sets CE on a frame that is ECT; false when it is not, and must be dropped instead or passed. The
// IPv4 checksum is updated as RFC 1624 equation 3 says.
inline bool MarkCe(absl::Span<std::byte> frame) {
  const uint8_t ecn = EcnOf(frame);
  if (ecn != 1 && ecn != 2) return ecn == 3;
  if (IsIpv6(frame)) {
    frame[kEthernetSize + 1] |= std::byte{0x30};
    return true;
  }
  const uint16_t before = Read16(frame, kEthernetSize);
  frame[kEthernetSize + 1] |= std::byte{3};
  const uint16_t after = Read16(frame, kEthernetSize);
  uint32_t sum = static_cast<uint16_t>(~Read16(frame, kEthernetSize + 10));
  sum += static_cast<uint16_t>(~before);
  sum += after;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  Write16(frame, kEthernetSize + 10, static_cast<uint16_t>(~sum));
  return true;
}

}  // namespace netchannel::sim

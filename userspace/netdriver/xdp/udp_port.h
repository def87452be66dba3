// SPDX-License-Identifier: Apache-2.0
//
// The UDP destination port of a frame that the XDP program has steered, for counting hand-overs.
// Not a parser: the program has checked the headers, and the upper layer checks them again (wire/).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace netchannel::xdp {

// nullopt for headers that are not plain: VLAN tags, IPv6 extension headers, or a frame too short.
inline std::optional<uint16_t> UdpDestinationPort(absl::Span<const std::byte> frame) {
  constexpr size_t kEthernet = 14;
  constexpr size_t kIpv6 = 40;
  constexpr size_t kUdp = 8;
  const auto at = [frame](size_t i) { return std::to_integer<uint32_t>(frame[i]); };
  if (frame.size() < kEthernet + 20 + kUdp) return std::nullopt;
  size_t udp = 0;
  if (at(12) == 0x08 && at(13) == 0x00) {
    udp = kEthernet + (at(14) & 0x0f) * 4;
  } else if (at(12) == 0x86 && at(13) == 0xdd && at(20) == 17) {
    udp = kEthernet + kIpv6;
  } else {
    return std::nullopt;
  }
  if (frame.size() < udp + kUdp) return std::nullopt;
  return static_cast<uint16_t>(at(udp + 2) << 8 | at(udp + 3));
}

}  // namespace netchannel::xdp

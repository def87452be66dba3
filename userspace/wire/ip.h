// SPDX-License-Identifier: Apache-2.0
//
// What both versions of IP share: protocol numbers, how parsing fails, the pseudo header.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/address.h"
#include "wire/checksum.h"

namespace netchannel::wire {

inline constexpr uint8_t kIpProtocolUdp = 17;
inline constexpr uint8_t kDefaultTtl = 64;  // RFC 1700, "current recommended default"

enum class IpError : uint8_t {
  kNone,
  kTruncated,  // lengths go beyond the bytes
  kBadHeader,  // version, header length, checksum, too many extension headers
  kFragment,   // never reassembled: the path MTU is ours to respect
};

// The sum of addresses, protocol and UDP length (RFC 768, RFC 8200 section 8.1). Without the length
// the same for all packets between two addresses. Precondition: both of one family.
Checksum PseudoHeader(const IpAddress& source, const IpAddress& destination, uint8_t protocol);

}  // namespace netchannel::wire

// SPDX-License-Identifier: Apache-2.0
//
// IPv4 headers (RFC 791). A view's header checksum is right, its lengths agree with the bytes, and
// it is no fragment; options are skipped. Headers are built without options, with DF set and the
// identification zero (RFC 6864 section 4.1: an atomic datagram's has no meaning).
//
// Thread: values; a view is valid as long as its bytes. Errors: IpError.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/address.h"
#include "wire/byte_order.h"
#include "wire/chunks.h"
#include "wire/ip.h"

namespace netchannel::wire {

inline constexpr size_t kIpv4HeaderSize = 20;  // without options

class Ipv4View {
 public:
  Ipv4View() = default;

  // `bytes` begins with the header and holds at least all of it; `available` (>= bytes.size()) is
  // how much of the frame there is from the header on, later chunks and link padding included.
  static IpError Parse(Bytes bytes, size_t available, Ipv4View* view);

  uint8_t ecn() const { return Load8(at_ + 1) & 3; }
  size_t header_size() const { return size_t{Load8(at_) & 0x0fu} * 4; }
  size_t total_length() const { return LoadBe16(at_ + 2); }
  size_t payload_length() const { return total_length() - header_size(); }
  uint8_t ttl() const { return Load8(at_ + 8); }
  uint8_t protocol() const { return Load8(at_ + 9); }
  IpAddress source() const { return IpAddress::V4(LoadBe32(at_ + 12)); }
  IpAddress destination() const { return IpAddress::V4(LoadBe32(at_ + 16)); }
  Bytes addresses() const { return {at_ + 12, 8}; }  // both, as the pseudo header has them

 private:
  explicit Ipv4View(const std::byte* at) : at_(at) {}
  const std::byte* at_ = nullptr;
};

struct Ipv4Header {
  uint32_t source = 0;       // host order
  uint32_t destination = 0;  // host order
  uint16_t total_length = 0;
  uint8_t ecn = 0;  // RFC 3168 code point
  uint8_t ttl = kDefaultTtl;
  uint8_t protocol = kIpProtocolUdp;

  // Writes kIpv4HeaderSize bytes, checksum included. Precondition: they exist.
  void Build(MutableBytes out) const;
};

}  // namespace netchannel::wire

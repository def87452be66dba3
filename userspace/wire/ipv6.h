// SPDX-License-Identifier: Apache-2.0
//
// IPv6 headers (RFC 8200). A view's lengths agree with the bytes; hop-by-hop, routing and
// destination options headers are skipped, a bounded number of them; a fragment header is refused,
// also that of an atomic fragment (RFC 8021: they should not be sent). Headers are built without
// extension headers.
//
// Thread: values; a view is valid as long as its bytes. Errors: IpError.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "wire/address.h"
#include "wire/byte_order.h"
#include "wire/chunks.h"
#include "wire/ip.h"

namespace netchannel::wire {

inline constexpr size_t kIpv6HeaderSize = 40;  // without extension headers
// RFC 8200 section 4.1 allows each kind once and destination options twice.
inline constexpr int kMaxIpv6ExtensionHeaders = 4;

class Ipv6View {
 public:
  Ipv6View() = default;

  // `bytes` begins with the header and holds at least all headers; `available` (>= bytes.size()) is
  // how much of the frame there is from the header on, later chunks and link padding included.
  static IpError Parse(Bytes bytes, size_t available, Ipv6View* view);

  uint8_t ecn() const { return Load8(at_ + 1) >> 4 & 3; }
  uint32_t flow_label() const { return LoadBe32(at_) & 0xfffff; }
  size_t header_size() const { return header_size_; }  // extension headers included
  size_t total_length() const { return kIpv6HeaderSize + LoadBe16(at_ + 4); }
  size_t payload_length() const { return total_length() - header_size_; }  // without extensions
  uint8_t hop_limit() const { return Load8(at_ + 7); }
  uint8_t protocol() const { return protocol_; }  // of what follows the extension headers
  IpAddress source() const { return AddressAt(8); }
  IpAddress destination() const { return AddressAt(24); }
  Bytes addresses() const { return {at_ + 8, 32}; }  // both, as the pseudo header has them

 private:
  explicit Ipv6View(const std::byte* at) : at_(at), protocol_(Load8(at + 6)) {}
  IpError SkipExtensionHeaders(Bytes bytes);
  IpAddress AddressAt(size_t offset) const {
    IpAddress address;
    std::memcpy(address.bytes.data(), at_ + offset, address.bytes.size());
    return address;
  }

  const std::byte* at_ = nullptr;
  size_t header_size_ = kIpv6HeaderSize;
  uint8_t protocol_ = 0;
};

struct Ipv6Header {
  std::array<uint8_t, 16> source{};
  std::array<uint8_t, 16> destination{};
  uint16_t payload_length = 0;
  uint8_t ecn = 0;          // RFC 3168 code point
  uint32_t flow_label = 0;  // 20 bits
  uint8_t hop_limit = kDefaultTtl;
  uint8_t next_header = kIpProtocolUdp;

  // Writes kIpv6HeaderSize bytes. Precondition: they exist.
  void Build(MutableBytes out) const;
};

}  // namespace netchannel::wire

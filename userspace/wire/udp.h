// SPDX-License-Identifier: Apache-2.0
//
// UDP headers (RFC 768). A view's length is that of the IP payload exactly. Whether the checksum is
// right is for the one who has all the bytes to say (datagram.h).
//
// Thread: values; a view is valid as long as its bytes. Errors: Parse gives nullopt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "wire/byte_order.h"
#include "wire/chunks.h"

namespace netchannel::wire {

inline constexpr size_t kUdpHeaderSize = 8;

class UdpView {
 public:
  // `bytes` begins with the header; `ip_payload_length` is what IP says follows its headers.
  static std::optional<UdpView> Parse(Bytes bytes, size_t ip_payload_length) {
    if (bytes.size() < kUdpHeaderSize || ip_payload_length < kUdpHeaderSize) return std::nullopt;
    const UdpView view(bytes.data());
    if (view.length() != ip_payload_length) return std::nullopt;
    return view;
  }

  uint16_t source_port() const { return LoadBe16(at_); }
  uint16_t destination_port() const { return LoadBe16(at_ + 2); }
  size_t length() const { return LoadBe16(at_ + 4); }  // header included
  uint16_t checksum() const { return LoadBe16(at_ + 6); }
  size_t payload_length() const { return length() - kUdpHeaderSize; }

 private:
  explicit UdpView(const std::byte* at) : at_(at) {}
  const std::byte* at_;
};

struct UdpHeader {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint16_t length = 0;    // header included
  uint16_t checksum = 0;  // over pseudo header, header and payload; UdpChecksum() of the sum

  // Writes kUdpHeaderSize bytes. Precondition: they exist.
  void Build(MutableBytes out) const {
    StoreBe16(out.data(), source_port);
    StoreBe16(out.data() + 2, destination_port);
    StoreBe16(out.data() + 4, length);
    StoreBe16(out.data() + 6, checksum);
  }
};

// RFC 768: a computed checksum of zero is sent as all ones, its equal in ones' complement.
constexpr uint16_t UdpChecksum(uint16_t finished) { return finished == 0 ? 0xffff : finished; }

}  // namespace netchannel::wire

// SPDX-License-Identifier: Apache-2.0
//
// The frames of a raw measurement: Ethernet, IPv4, UDP without a checksum (RFC 768 allows it), a
// prefix that says what it is, and the payload.
//
// Thread: one. Errors: Read gives nullopt for anything that is no such frame.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/types/span.h"
#include "base/copy.h"
#include "netdriver/device.h"
#include "wire/address.h"
#include "wire/chunks.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

namespace netchannel::cli {

enum class RawKind : uint32_t { kRequest = 1, kReady, kData, kPing, kFinish, kReport };

struct RawPrefix {
  uint32_t magic;
  RawKind kind;
};

inline constexpr uint32_t kRawMagic = 0x6e637231;  // "ncr1"
inline constexpr size_t kRawHeaders =
    wire::kEthernetHeaderSize + wire::kIpv4HeaderSize + wire::kUdpHeaderSize;
inline constexpr size_t kRawPayloadAt = kRawHeaders + sizeof(RawPrefix);
static_assert(kRawPayloadAt <= kMinFirstChunk);

struct RawAddresses {
  wire::MacAddress own_mac{}, peer_mac{};
  uint32_t own_ip = 0, peer_ip = 0;  // host order
  uint16_t port = 0;                 // UDP, at both ends
};

// Writes frames to one peer. The headers of the last length are kept: one-way traffic has one
// length.
class RawFrameWriter {
 public:
  explicit RawFrameWriter(const RawAddresses& addresses) : addresses_(addresses) {}

  // Returns the frame's length. Precondition: `out` has room for kRawPayloadAt + payload.
  size_t Write(absl::Span<std::byte> out, RawKind kind, absl::Span<const std::byte> payload) {
    const size_t length = kRawPayloadAt + payload.size();
    if (length != built_for_) Build(length);
    std::memcpy(out.data(), headers_.data(), headers_.size());
    const RawPrefix prefix{.magic = kRawMagic, .kind = kind};
    std::memcpy(out.data() + kRawHeaders, &prefix, sizeof(prefix));
    CopyBytes(out.data() + kRawPayloadAt, payload.data(), payload.size());
    return length;
  }

 private:
  void Build(size_t length) {
    built_for_ = length;
    const auto out = absl::MakeSpan(headers_);
    wire::EthernetHeader{.destination = addresses_.peer_mac, .source = addresses_.own_mac}.Build(
        out);
    const size_t ip_length = length - wire::kEthernetHeaderSize;
    wire::Ipv4Header{.source = addresses_.own_ip,
                     .destination = addresses_.peer_ip,
                     .total_length = static_cast<uint16_t>(ip_length)}
        .Build(out.subspan(wire::kEthernetHeaderSize));
    wire::UdpHeader{.source_port = addresses_.port,
                    .destination_port = addresses_.port,
                    .length = static_cast<uint16_t>(ip_length - wire::kIpv4HeaderSize)}
        .Build(out.subspan(wire::kEthernetHeaderSize + wire::kIpv4HeaderSize));
  }

  const RawAddresses addresses_;
  std::array<std::byte, kRawHeaders> headers_{};
  size_t built_for_ = 0;
};

// What kind of frame it is. The steering program has checked its headers.
inline std::optional<RawKind> ReadRawKind(const RxPacket& packet) {
  const auto first = packet.first();
  if (packet.length < kRawPayloadAt || first.size() < kRawPayloadAt) return std::nullopt;
  RawPrefix prefix;
  std::memcpy(&prefix, first.data() + kRawHeaders, sizeof(prefix));
  if (prefix.magic != kRawMagic) return std::nullopt;
  return prefix.kind;
}

// Copies the payload out as far as `out` has room, as an application's read would. Returns its
// length.
inline size_t CopyRawPayload(const RxPacket& packet, absl::Span<std::byte> out) {
  const wire::ChunkList chunks(packet.chunks.data(), packet.chunk_count);
  return wire::CopyOut(chunks, kRawPayloadAt, out);
}

}  // namespace netchannel::cli

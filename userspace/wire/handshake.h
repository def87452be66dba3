// SPDX-License-Identifier: Apache-2.0
//
// The packets of the handshake, INIT, COOKIE, ACCEPT and REJECT, as values (README.md,
// "Handshake"). Each is parsed from and built into one linear buffer that begins with the packet
// header. Parsing accepts exactly what Build can write: reserved fields and padding are zero,
// lengths fit.
//
// The client's nonce names one attempt: INIT carries it in the packet number field, every answer in
// the token field, so an answer that was not provoked by us is not taken for one.
//
// Thread: values. Errors: Parse gives nullopt, Build 0 when the buffer is too small.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/stream.h"
#include "wire/chunks.h"
#include "wire/packet_layout.h"

namespace netchannel::wire {

// An INIT is never smaller than what it can provoke, so no one is served by forging its sender.
inline constexpr size_t kMinInitSize = 1200;
inline constexpr size_t kMaxCookieSize = 40;

// What one end says of one channel.
struct ChannelOffer {
  AppClass app_class = AppClass::kThroughput;
  uint16_t lane_port = 0;  // where packets of the channel are sent to; not 0
  uint64_t token = 0;      // what they carry; not 0
  bool operator==(const ChannelOffer&) const = default;
};

// Who I am and what I can.
struct Hello {
  uint8_t version_min = kVersion;  // at least 1; in ACCEPT both are the version chosen
  uint8_t version_max = kVersion;
  uint8_t congestion = 0;  // transport::CongestionAlgorithm: wished in INIT, chosen in ACCEPT
  uint32_t capabilities =
      0;  // bit set; in ACCEPT the intersection. No bits are defined in version 1
  uint16_t max_packet_size =
      kMinPacketSize;         // the largest packet I can receive, bytes from the header on
  uint16_t base_port = 0;     // the UDP port of my lane 0, which names my stack; not 0
  uint32_t rx_capacity = 0;   // packets that a lane of mine holds; not 0
  uint8_t channel_count = 0;  // 1..kMaxChannels
  std::array<ChannelOffer, kMaxChannels> channels{};

  absl::Span<const ChannelOffer> offers() const { return {channels.data(), channel_count}; }
  bool operator==(const Hello&) const = default;
};

// Opaque to the client. What is behind `length` is zero.
struct Cookie {
  uint8_t length = 0;  // at most kMaxCookieSize
  std::array<std::byte, kMaxCookieSize> bytes{};

  Bytes view() const { return {bytes.data(), length}; }
  bool operator==(const Cookie&) const = default;
};

struct Init {
  uint64_t nonce = 0;  // not 0
  Hello hello;
  Cookie cookie;  // length 0 in a first INIT

  static std::optional<Init> Parse(Bytes packet);
  size_t Build(MutableBytes out) const;  // kMinInitSize
  bool operator==(const Init&) const = default;
};

struct CookieReply {
  uint64_t nonce = 0;
  Cookie cookie;  // length at least 1

  static std::optional<CookieReply> Parse(Bytes packet);
  size_t Build(MutableBytes out) const;
  bool operator==(const CookieReply&) const = default;
};

struct Accept {
  uint64_t nonce = 0;
  Hello hello;

  static std::optional<Accept> Parse(Bytes packet);
  size_t Build(MutableBytes out) const;
  bool operator==(const Accept&) const = default;
};

// The numbers are on the wire.
enum class RejectReason : uint8_t {
  kNoCommonVersion = 1,  // version_min and version_max say what there is
  kBusy = 2,             // a limit is reached: try again later
  kDenied = 3,           // not this peer
};

struct Reject {
  uint64_t nonce = 0;
  RejectReason reason = RejectReason::kDenied;
  uint8_t version_min = kVersion;
  uint8_t version_max = kVersion;

  static std::optional<Reject> Parse(Bytes packet);
  size_t Build(MutableBytes out) const;
  bool operator==(const Reject&) const = default;
};

}  // namespace netchannel::wire

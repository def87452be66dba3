// SPDX-License-Identifier: Apache-2.0
//
// Short names for what transport tests build again and again.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>

#include "base/stream.h"
#include "base/units.h"
#include "wire/packet_layout.h"

namespace netchannel::transport {

constexpr Duration Ms(int64_t ms) { return Duration::Millis(ms); }
constexpr Time At(Duration since_start) { return Time::FromNanos(1'000'000'000) + since_start; }
constexpr Time AtMillis(int64_t ms) { return At(Duration::Millis(ms)); }
constexpr Time AtMicros(int64_t us) { return At(Duration::Micros(us)); }

// Ranges [low, high], the largest first.
inline wire::Ack AckOf(std::initializer_list<std::pair<PacketNumber, PacketNumber>> ranges) {
  wire::Ack ack;
  PacketNumber below = 0;
  for (const auto& [low, high] : ranges) {
    const auto length = static_cast<uint32_t>(high - low + 1);
    if (below == 0) {
      ack.largest = high;
      ack.first_length = length;
    } else {
      ack.ranges[ack.range_count++] = {static_cast<uint32_t>(below - high - 1), length};
    }
    below = low;
  }
  return ack;
}

inline Segment Data(uint32_t stream, StreamOffset offset, uint32_t length, bool fin = false) {
  Segment segment;
  segment.stream = {stream, 1};
  segment.offset = offset;
  segment.length = length;
  segment.fin = fin;
  return segment;
}

inline Segment Control(SegmentKind kind, uint32_t stream) {
  Segment segment;
  segment.stream = {stream, 1};
  segment.kind = kind;
  return segment;
}

}  // namespace netchannel::transport

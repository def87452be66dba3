// SPDX-License-Identifier: Apache-2.0
//
// What an epoll event of the control server is about, in the 64 bits that the kernel keeps.
// Thread: none, values.
#pragma once

#include <cstdint>

namespace netchannel {

enum class EventSource : uint8_t { kListener, kConnection, kAnchor, kDoorbell };

struct EventTag {
  // | source: 8 | number: 24 | slot: 32 |
  static constexpr uint32_t kNumberMask = (1u << 24) - 1;

  EventSource source = EventSource::kListener;
  uint32_t number = 0;  // of the connection or region, at most kNumberMask
  uint32_t slot = 0;    // kAnchor

  uint64_t Pack() const {
    return static_cast<uint64_t>(source) << 56 | static_cast<uint64_t>(number) << 32 | slot;
  }
  static EventTag Unpack(uint64_t packed) {
    return {static_cast<EventSource>(packed >> 56),
            static_cast<uint32_t>(packed >> 32) & kNumberMask, static_cast<uint32_t>(packed)};
  }
};

}  // namespace netchannel

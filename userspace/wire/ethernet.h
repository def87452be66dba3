// SPDX-License-Identifier: Apache-2.0
//
// Ethernet II frames with up to two VLAN tags (IEEE 802.3, 802.1Q). A View is made by Parse only,
// so its accessors need no checks; a Header is the values from which Build writes.
//
// Thread: values; a view is valid as long as its bytes. Errors: Parse gives nullopt when the bytes
// are too few. A third tag is not an error here: its EtherType is that of a tag, which no one above
// asks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "wire/byte_order.h"
#include "wire/chunks.h"

namespace netchannel::wire {

using MacAddress = std::array<uint8_t, 6>;

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;         // customer tag, IEEE 802.1Q
inline constexpr uint16_t kEtherTypeServiceVlan = 0x88a8;  // service tag, IEEE 802.1ad

inline constexpr size_t kEthernetHeaderSize = 14;
inline constexpr size_t kVlanTagSize = 4;
inline constexpr size_t kMaxVlanTags = 2;
inline constexpr size_t kMaxLinkHeaderSize = kEthernetHeaderSize + kMaxVlanTags * kVlanTagSize;

constexpr bool IsVlanEtherType(uint16_t type) {
  return type == kEtherTypeVlan || type == kEtherTypeServiceVlan;
}

struct VlanTag {
  uint16_t protocol = kEtherTypeVlan;
  uint16_t control = 0;  // priority 3 | drop eligible 1 | VLAN id 12
  uint16_t id() const { return control & 0x0fff; }
  bool operator==(const VlanTag&) const = default;
};

class EthernetView {
 public:
  static std::optional<EthernetView> Parse(Bytes frame) {
    EthernetView view(frame);
    if (frame.size() < view.header_size()) return std::nullopt;
    while (view.tag_count_ < kMaxVlanTags && IsVlanEtherType(view.ether_type())) {
      ++view.tag_count_;
      if (frame.size() < view.header_size()) return std::nullopt;
    }
    return view;
  }

  MacAddress destination() const { return MacAt(0); }
  MacAddress source() const { return MacAt(6); }
  size_t tag_count() const { return tag_count_; }
  // Outermost first. Precondition: i < tag_count().
  VlanTag tag(size_t i) const {
    const std::byte* at = frame_.data() + 12 + i * kVlanTagSize;
    return {.protocol = LoadBe16(at), .control = LoadBe16(at + 2)};
  }
  uint16_t ether_type() const { return LoadBe16(frame_.data() + header_size() - 2); }
  size_t header_size() const { return kEthernetHeaderSize + tag_count_ * kVlanTagSize; }

 private:
  explicit EthernetView(Bytes frame) : frame_(frame) {}
  MacAddress MacAt(size_t offset) const {
    MacAddress mac;
    std::memcpy(mac.data(), frame_.data() + offset, mac.size());
    return mac;
  }

  Bytes frame_;
  size_t tag_count_ = 0;
};

struct EthernetHeader {
  MacAddress destination{};
  MacAddress source{};
  size_t tag_count = 0;  // at most kMaxVlanTags
  std::array<VlanTag, kMaxVlanTags> tags{};
  uint16_t ether_type = kEtherTypeIpv4;

  size_t size() const { return kEthernetHeaderSize + tag_count * kVlanTagSize; }
  // Precondition: out.size() >= size().
  void Build(MutableBytes out) const {
    std::memcpy(out.data(), destination.data(), destination.size());
    std::memcpy(out.data() + 6, source.data(), source.size());
    std::byte* at = out.data() + 12;
    for (size_t i = 0; i < tag_count; ++i, at += kVlanTagSize) {
      StoreBe16(at, tags[i].protocol);
      StoreBe16(at + 2, tags[i].control);
    }
    StoreBe16(at, ether_type);
  }
};

}  // namespace netchannel::wire

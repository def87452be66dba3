// SPDX-License-Identifier: Apache-2.0
#include "wire/packet.h"

#include "wire/byte_order.h"

namespace netchannel::wire {

PacketError PacketHeader::Parse(Bytes bytes, PacketHeader* out) {
  if (bytes.size() < kHeaderSize) return PacketError::kTruncated;
  const std::byte* at = bytes.data();
  if (Load8(at) != kVersion) return PacketError::kBadVersion;
  const uint8_t type = Load8(at + 1);
  if (type < static_cast<uint8_t>(PacketType::kInit) ||
      type > static_cast<uint8_t>(PacketType::kStale)) {
    return PacketError::kBadType;
  }
  out->type = static_cast<PacketType>(type);
  out->ack_now = out->type == PacketType::kData && (LoadBe16(at + 2) & kFlagAckNow) != 0;
  out->token = LoadBe64(at + 4);
  out->number = LoadBe64(at + 12);
  return PacketError::kNone;
}

void PacketHeader::Build(MutableBytes out) const {
  StoreHeader(out.data(), kVersion, static_cast<uint8_t>(type), ack_now ? kFlagAckNow : uint16_t{0},
              token, number);
}

size_t BuildStale(uint64_t token, MutableBytes out) {
  PacketHeader{.type = PacketType::kStale, .token = token}.Build(out);
  return kHeaderSize;
}

}  // namespace netchannel::wire

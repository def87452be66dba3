// SPDX-License-Identifier: Apache-2.0
//
// The fixed header of a NetChannel packet (README.md, "Packet header"), and the type that has no
// body, STALE. Thread: values. Errors: PacketError.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "wire/chunks.h"
#include "wire/packet_layout.h"

namespace netchannel::wire {

enum class PacketError : uint8_t { kNone, kTruncated, kBadVersion, kBadType };

struct PacketHeader {
  PacketType type = PacketType::kData;
  uint64_t token = 0;
  PacketNumber number = 0;  // kData; the client's nonce in kInit; else 0
  bool ack_now = false;     // kData: kFlagAckNow

  // Precondition of a good result: `bytes` begins with the header. Other flags are ignored.
  static PacketError Parse(Bytes bytes, PacketHeader* out);
  // Writes kHeaderSize bytes. Precondition: they exist.
  void Build(MutableBytes out) const;

  bool operator==(const PacketHeader&) const = default;
};

// "I do not know `token`": a header and nothing else. Returns its size. Precondition: it fits.
size_t BuildStale(uint64_t token, MutableBytes out);

}  // namespace netchannel::wire

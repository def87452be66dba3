// SPDX-License-Identifier: Apache-2.0
//
// Iterates over the records of a received packet, checking each strictly (README.md, "Records"). A
// packet may have arrived in several chunks; a record's header may straddle their border, its
// payload is given as parts. The result does not depend on where the borders are.
//
//   RecordReader reader(chunks, datagram.payload_offset + kHeaderSize, datagram.payload_end());
//   while (reader.Next(&record) == ReadResult::kRecord) { ... }
//
// A malformed record ends the packet: what follows cannot be told apart. A caller that must not act
// on the first half of such a packet runs AreRecordsValid() first.
//
// Thread: one at a time. Memory: nothing is copied but headers that straddle a border; payload
// parts point into the chunks. Errors: ReadResult::kMalformed, and then always.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/stream.h"
#include "base/units.h"
#include "wire/chunks.h"
#include "wire/packet_layout.h"

namespace netchannel::wire {

// What a packet may arrive in: 18 is what copy-mode AF_XDP passes portably (MAX_SKB_FRAGS + 1).
inline constexpr size_t kMaxPayloadParts = 18;

// Meant to be reused from record to record: Next sets the fields that `type` names, and no others.
struct Record {
  RecordType type = RecordType::kPadding;
  StreamId stream = 0;                          // all but kPing, kAck, kClose
  StreamOffset offset = 0;                      // kData
  bool fin = false;                             // kData
  AppClass app_class = AppClass::kThroughput;   // kOpen
  uint16_t source_port = 0;                     // kOpen
  uint16_t destination_port = 0;                // kOpen
  StreamOffset receive_limit = 0;               // kOpen, kAccept, kWindow
  ResetCode reset_code = ResetCode::kNone;      // kReset
  CloseCode close_code = CloseCode::kShutdown;  // kClose
  uint32_t length = 0;                          // kData: bytes of payload
  uint32_t part_count = 0;                      // kData: used elements of `parts`
  std::array<Bytes, kMaxPayloadParts> parts;    // kData: the payload, in order
  Ack ack;                                      // kAck

  absl::Span<const Bytes> payload() const { return {parts.data(), part_count}; }
};

enum class ReadResult : uint8_t { kRecord, kEnd, kMalformed };

// Packets with any such record are acknowledged (RFC 9000 section 13.2, "ack-eliciting").
constexpr bool IsAckEliciting(RecordType type) {
  return type != RecordType::kAck && type != RecordType::kPadding && type != RecordType::kClose;
}

class RecordReader {
 public:
  // The records are the bytes [begin, end) of `chunks`, counted over all chunks. `chunks` outlives
  // the reader. When the chunks end before `end` the packet is malformed.
  RecordReader(ChunkList chunks, size_t begin, size_t end);

  // Padding is checked and skipped: it ends the packet.
  ReadResult Next(Record* out);

 private:
  ReadResult Fail();
  // The next `n` bytes in one piece, and moves past them; nullptr when there are fewer.
  // Precondition: n <= kScratchSize.
  const std::byte* Take(size_t n);
  bool TakePayload(uint32_t length, Record* out);
  void SkipEmptyChunks();
  ReadResult ReadPadding();

  bool ReadRecord(Record* out);
  bool ReadAck(Record* out);
  bool ReadData(Record* out);
  bool ReadOpen(Record* out);
  bool ReadLimit(Record* out);
  bool ReadReset(Record* out);
  bool ReadClose(Record* out);

  static constexpr size_t kScratchSize = kAckRecordFixedSize;

  ChunkList chunks_;      // chunks_[0] is the one that `at_` lies in
  size_t at_ = 0;         // within chunks_[0]
  size_t remaining_ = 0;  // bytes until the end of the packet
  bool failed_ = false;
  std::array<std::byte, kScratchSize> scratch_;
};

// True when every record of the packet is well formed.
bool AreRecordsValid(ChunkList chunks, size_t begin, size_t end);

}  // namespace netchannel::wire

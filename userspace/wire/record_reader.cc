// SPDX-License-Identifier: Apache-2.0
#include "wire/record_reader.h"

#include <algorithm>
#include <cstring>

#include "wire/byte_order.h"

namespace netchannel::wire {
namespace {

constexpr uint8_t kFinFlag = 1;

bool IsKnownReset(uint16_t code) {
  return code >= static_cast<uint16_t>(ResetCode::kRefused) &&
         code <= static_cast<uint16_t>(ResetCode::kTimedOut);
}

// RFC 9000 section 19.3.1: numbers must not go below the first packet's, 1.
class AckRangeChecker {
 public:
  explicit AckRangeChecker(PacketNumber largest) : below_(largest + 1) {}
  // False when the range is empty or goes below 1.
  bool Add(uint64_t gap, uint32_t length) {
    if (length == 0 || below_ <= gap || below_ - gap <= length) return false;
    below_ = below_ - gap - length;
    return true;
  }

 private:
  PacketNumber below_;  // the smallest number covered so far
};

}  // namespace

RecordReader::RecordReader(ChunkList chunks, size_t begin, size_t end) : chunks_(chunks) {
  remaining_ = end > begin ? end - begin : 0;
  at_ = begin;
  while (!chunks_.empty() && at_ >= chunks_.front().size()) {
    at_ -= chunks_.front().size();
    chunks_.remove_prefix(1);
  }
}

ReadResult RecordReader::Fail() {
  failed_ = true;
  return ReadResult::kMalformed;
}

void RecordReader::SkipEmptyChunks() {
  while (!chunks_.empty() && at_ == chunks_.front().size()) {
    at_ = 0;
    chunks_.remove_prefix(1);
  }
}

const std::byte* RecordReader::Take(size_t n) {
  if (n > remaining_) return nullptr;
  SkipEmptyChunks();
  if (chunks_.empty()) return nullptr;
  remaining_ -= n;
  if (chunks_.front().size() - at_ >= n) {
    const std::byte* bytes = chunks_.front().data() + at_;
    at_ += n;
    return bytes;
  }
  for (size_t copied = 0; copied < n; SkipEmptyChunks()) {
    if (chunks_.empty()) return nullptr;
    const size_t run = std::min(n - copied, chunks_.front().size() - at_);
    std::memcpy(scratch_.data() + copied, chunks_.front().data() + at_, run);
    copied += run;
    at_ += run;
  }
  return scratch_.data();
}

bool RecordReader::TakePayload(uint32_t length, Record* out) {
  if (length > remaining_) return false;
  remaining_ -= length;
  out->length = length;
  out->part_count = 0;
  while (length > 0) {
    SkipEmptyChunks();
    if (chunks_.empty() || out->part_count == kMaxPayloadParts) return false;
    const size_t run = std::min<size_t>(length, chunks_.front().size() - at_);
    out->parts[out->part_count++] = chunks_.front().subspan(at_, run);
    at_ += run;
    length -= static_cast<uint32_t>(run);
  }
  return true;
}

ReadResult RecordReader::Next(Record* out) {
  if (failed_) return ReadResult::kMalformed;
  if (remaining_ == 0) return ReadResult::kEnd;
  SkipEmptyChunks();
  if (chunks_.empty()) return Fail();
  const uint8_t type = Load8(chunks_.front().data() + at_);
  if (type > static_cast<uint8_t>(RecordType::kClose)) return Fail();
  out->type = static_cast<RecordType>(type);
  if (out->type == RecordType::kPadding) return ReadPadding();
  return ReadRecord(out) ? ReadResult::kRecord : Fail();
}

ReadResult RecordReader::ReadPadding() {
  while (remaining_ > 0) {
    SkipEmptyChunks();
    if (chunks_.empty()) return Fail();
    const size_t run = std::min(remaining_, chunks_.front().size() - at_);
    const Bytes zeros = chunks_.front().subspan(at_, run);
    if (std::any_of(zeros.begin(), zeros.end(), [](std::byte b) { return b != std::byte{0}; })) {
      return Fail();
    }
    at_ += run;
    remaining_ -= run;
  }
  return ReadResult::kEnd;
}

bool RecordReader::ReadRecord(Record* out) {
  switch (out->type) {
    case RecordType::kData:
      return ReadData(out);
    case RecordType::kAck:
      return ReadAck(out);
    case RecordType::kAccept:
    case RecordType::kWindow:
      return ReadLimit(out);
    case RecordType::kOpen:
      return ReadOpen(out);
    case RecordType::kReset:
      return ReadReset(out);
    case RecordType::kClose:
      return ReadClose(out);
    case RecordType::kPing:
      return Take(kPingRecordSize) != nullptr;
    case RecordType::kPadding:
      break;
  }
  return false;
}

bool RecordReader::ReadAck(Record* out) {
  const std::byte* at = Take(kAckRecordFixedSize);
  if (at == nullptr) return false;
  Ack& ack = out->ack;
  ack.range_count = Load8(at + 1);
  ack.delay = Duration::Micros(LoadBe32(at + 4));
  ack.largest = LoadBe64(at + 8);
  ack.ce_count = LoadBe64(at + 16);
  ack.first_length = LoadBe32(at + 24);
  if (ack.range_count > kMaxAckRanges || LoadBe16(at + 2) != 0) return false;
  if (ack.largest == 0 || ack.largest >= UINT64_MAX) return false;

  AckRangeChecker checker(ack.largest);
  if (!checker.Add(0, ack.first_length)) return false;
  for (uint8_t i = 0; i < ack.range_count; ++i) {
    const std::byte* range = Take(kAckRangeSize);
    if (range == nullptr) return false;
    ack.ranges[i] = {.gap = LoadBe32(range), .length = LoadBe32(range + 4)};
    if (ack.ranges[i].gap == 0) return false;
    if (!checker.Add(ack.ranges[i].gap, ack.ranges[i].length)) return false;
  }
  return true;
}

bool RecordReader::ReadData(Record* out) {
  const std::byte* at = Take(kDataRecordHeaderSize);
  if (at == nullptr) return false;
  const uint8_t flags = Load8(at + 1);
  const uint32_t length = LoadBe16(at + 2);
  out->stream = LoadBe64(at + 4);
  out->offset = LoadBe64(at + 12);
  out->fin = (flags & kFinFlag) != 0;
  if ((flags & ~kFinFlag) != 0 || (length == 0 && !out->fin)) return false;
  if (out->stream < kMinStreamId) return false;
  if (out->offset > kMaxStreamOffset - length) return false;
  return TakePayload(length, out);
}

bool RecordReader::ReadOpen(Record* out) {
  const std::byte* at = Take(kOpenRecordSize);
  if (at == nullptr) return false;
  const uint8_t app_class = Load8(at + 1);
  out->app_class = static_cast<AppClass>(app_class);
  out->source_port = LoadBe16(at + 2);
  out->destination_port = LoadBe16(at + 4);
  out->stream = LoadBe64(at + 8);
  out->receive_limit = LoadBe64(at + 16);
  return app_class < kAppClasses && out->source_port != 0 && out->destination_port != 0 &&
         LoadBe16(at + 6) == 0 && out->stream >= kMinStreamId &&
         out->receive_limit <= kMaxStreamOffset;
}

bool RecordReader::ReadLimit(Record* out) {
  static_assert(kAcceptRecordSize == kWindowRecordSize);
  const std::byte* at = Take(kWindowRecordSize);
  if (at == nullptr) return false;
  const uint64_t reserved = LoadBe64(at) & 0x00ff'ffff'ffff'ffff;
  out->stream = LoadBe64(at + 8);
  out->receive_limit = LoadBe64(at + 16);
  return reserved == 0 && out->stream >= kMinStreamId && out->receive_limit <= kMaxStreamOffset;
}

bool RecordReader::ReadReset(Record* out) {
  const std::byte* at = Take(kResetRecordSize);
  if (at == nullptr) return false;
  const uint16_t code = LoadBe16(at + 2);
  out->reset_code = IsKnownReset(code) ? static_cast<ResetCode>(code) : ResetCode::kAborted;
  out->stream = LoadBe64(at + 8);
  return code != 0 && Load8(at + 1) == 0 && LoadBe32(at + 4) == 0 && out->stream >= kMinStreamId;
}

bool RecordReader::ReadClose(Record* out) {
  const std::byte* at = Take(kCloseRecordSize);
  if (at == nullptr) return false;
  const uint16_t code = LoadBe16(at + 2);
  const bool known = code <= static_cast<uint16_t>(CloseCode::kProtocol);
  out->close_code = known ? static_cast<CloseCode>(code) : CloseCode::kShutdown;
  return Load8(at + 1) == 0 && LoadBe32(at + 4) == 0;
}

bool AreRecordsValid(ChunkList chunks, size_t begin, size_t end) {
  RecordReader reader(chunks, begin, end);
  Record record;
  ReadResult result;
  do {
    result = reader.Next(&record);
  } while (result == ReadResult::kRecord);
  return result == ReadResult::kEnd;
}

}  // namespace netchannel::wire

// SPDX-License-Identifier: Apache-2.0
#include "wire/record_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "wire/byte_order.h"

namespace netchannel::wire {
namespace {

uint32_t MicrosOnWire(Duration d) {
  return static_cast<uint32_t>(std::clamp<int64_t>(d.micros(), 0, UINT32_MAX));
}

void StoreType(std::byte* at, RecordType type) { Store8(at, static_cast<uint8_t>(type)); }

}  // namespace

std::byte* RecordWriter::Take(size_t n) {
  if (n > remaining()) return nullptr;
  std::byte* at = out_.data() + size_;
  size_ += n;
  return at;
}

bool RecordWriter::WriteAck(const Ack& ack) {
  if (remaining() < kAckRecordFixedSize) return false;
  const size_t room = (remaining() - kAckRecordFixedSize) / kAckRangeSize;
  const auto ranges = static_cast<uint8_t>(std::min<size_t>(ack.range_count, room));
  std::byte* at = Take(kAckRecordFixedSize + ranges * kAckRangeSize);
  StoreType(at, RecordType::kAck);
  Store8(at + 1, ranges);
  StoreBe16(at + 2, 0);
  StoreBe32(at + 4, MicrosOnWire(ack.delay));
  StoreBe64(at + 8, ack.largest);
  StoreBe64(at + 16, ack.ce_count);
  StoreBe32(at + 24, ack.first_length);
  at += kAckRecordFixedSize;
  for (uint8_t i = 0; i < ranges; ++i, at += kAckRangeSize) {
    StoreBe32(at, ack.ranges[i].gap);
    StoreBe32(at + 4, ack.ranges[i].length);
  }
  return true;
}

bool RecordWriter::WritePing() {
  std::byte* at = Take(kPingRecordSize);
  if (at == nullptr) return false;
  StoreType(at, RecordType::kPing);
  return true;
}

bool RecordWriter::WriteDataHeader(StreamId stream, StreamOffset offset, uint16_t length,
                                   bool fin) {
  if (remaining() < kDataRecordHeaderSize + length) return false;
  std::byte* at = Take(kDataRecordHeaderSize);
  StoreHeader(at, static_cast<uint8_t>(RecordType::kData), fin ? 1 : 0, length, stream, offset);
  return true;
}

MutableBytes RecordWriter::TakePayload(size_t n) {
  std::byte* at = Take(n);
  assert(at != nullptr);
  return {at, n};
}

bool RecordWriter::WriteOpen(StreamId stream, AppClass app_class, uint16_t source_port,
                             uint16_t destination_port, StreamOffset receive_limit) {
  std::byte* at = Take(kOpenRecordSize);
  if (at == nullptr) return false;
  StoreType(at, RecordType::kOpen);
  Store8(at + 1, static_cast<uint8_t>(app_class));
  StoreBe16(at + 2, source_port);
  StoreBe16(at + 4, destination_port);
  StoreBe16(at + 6, 0);
  StoreBe64(at + 8, stream);
  StoreBe64(at + 16, receive_limit);
  return true;
}

bool RecordWriter::WriteLimit(RecordType type, StreamId stream, StreamOffset receive_limit) {
  std::byte* at = Take(kWindowRecordSize);
  if (at == nullptr) return false;
  StoreBe64(at, 0);
  StoreType(at, type);
  StoreBe64(at + 8, stream);
  StoreBe64(at + 16, receive_limit);
  return true;
}

bool RecordWriter::WriteAccept(StreamId stream, StreamOffset receive_limit) {
  return WriteLimit(RecordType::kAccept, stream, receive_limit);
}

bool RecordWriter::WriteWindow(StreamId stream, StreamOffset receive_limit) {
  return WriteLimit(RecordType::kWindow, stream, receive_limit);
}

bool RecordWriter::WriteReset(StreamId stream, ResetCode code) {
  std::byte* at = Take(kResetRecordSize);
  if (at == nullptr) return false;
  StoreBe64(at, 0);
  StoreType(at, RecordType::kReset);
  StoreBe16(at + 2, static_cast<uint16_t>(code));
  StoreBe64(at + 8, stream);
  return true;
}

bool RecordWriter::WriteClose(CloseCode code) {
  std::byte* at = Take(kCloseRecordSize);
  if (at == nullptr) return false;
  StoreBe64(at, 0);
  StoreType(at, RecordType::kClose);
  StoreBe16(at + 2, static_cast<uint16_t>(code));
  return true;
}

bool RecordWriter::WritePaddingTo(size_t size) {
  if (size <= size_) return true;
  const size_t n = size - size_;
  std::byte* at = Take(n);
  if (at == nullptr) return false;
  std::memset(at, 0, n);
  return true;
}

}  // namespace netchannel::wire

// SPDX-License-Identifier: Apache-2.0
//
// Writes records, one after another, into the buffer of a packet under construction (README.md,
// "Records"). It writes what it is told: that values are legal (stream ids, offsets, ports) is the
// caller's part.
//
//   RecordWriter writer(buffer.subspan(headers));   // behind the packet header
//   if (!writer.WriteDataHeader(...)) full;
//   sum.AddCopy(writer.TakePayload(n).data(), bytes);
//
// Thread: one at a time. Errors: false, or an empty result, when the record does not fit; then
// nothing was written.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/stream.h"
#include "base/units.h"
#include "wire/chunks.h"
#include "wire/packet_layout.h"

namespace netchannel::wire {

class RecordWriter {
 public:
  explicit RecordWriter(MutableBytes out) : out_(out) {}

  // As many ranges as fit, newest first: a shorter ACK is a true one.
  bool WriteAck(const Ack& ack);
  bool WritePing();
  // The header of a DATA record; false when it and its `length` bytes do not fit. The bytes are
  // then placed by TakePayload.
  bool WriteDataHeader(StreamId stream, StreamOffset offset, uint16_t length, bool fin);
  // The next `n` bytes of the buffer, for the caller to fill: a DATA record's payload, in one or
  // more steps. Precondition: a WriteDataHeader made room for them.
  MutableBytes TakePayload(size_t n);
  bool WriteOpen(StreamId stream, AppClass app_class, uint16_t source_port,
                 uint16_t destination_port, StreamOffset receive_limit);
  bool WriteAccept(StreamId stream, StreamOffset receive_limit);
  bool WriteWindow(StreamId stream, StreamOffset receive_limit);
  bool WriteReset(StreamId stream, ResetCode code);
  bool WriteClose(CloseCode code);
  // Zeros until size() is `size`; no effect when it is already more. The last record of a packet.
  bool WritePaddingTo(size_t size);

  size_t size() const { return size_; }  // bytes written
  size_t remaining() const { return out_.size() - size_; }
  // What was written, for the checksum.
  Bytes written() const { return out_.first(size_); }

 private:
  // The place of the next `n` bytes, or nullptr.
  std::byte* Take(size_t n);
  bool WriteLimit(RecordType type, StreamId stream, StreamOffset receive_limit);

  MutableBytes out_;
  size_t size_ = 0;
};

}  // namespace netchannel::wire

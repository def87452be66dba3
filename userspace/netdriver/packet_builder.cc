// SPDX-License-Identifier: Apache-2.0
#include "netdriver/packet_builder.h"

#include "wire/packet.h"
#include "wire/record_writer.h"

namespace netchannel {
namespace {

constexpr uint8_t kEcnEct0 = static_cast<uint8_t>(transport::Ecn::kEct0);

// Writes records and keeps the checksum of what was written, payload included, in one pass.
class PacketWriter {
 public:
  // `out` begins with the packet header, which is written here.
  PacketWriter(const wire::PacketHeader& header, wire::MutableBytes out)
      : records_(out.subspan(wire::kHeaderSize)) {
    header.Build(out);
    sum_.Add(out.first(wire::kHeaderSize));
  }

  wire::RecordWriter& records() { return records_; }
  // The packet's bytes so far.
  size_t size() const { return wire::kHeaderSize + records_.size(); }

  bool AddSegment(const Segment& segment, const StreamEntry& entry) {
    switch (segment.kind) {
      case SegmentKind::kData:
        return AddData(segment, entry);
      case SegmentKind::kOpen:
        return AddOpen(entry);
      case SegmentKind::kAccept:
        return records_.WriteAccept(entry.id, entry.receive_limit);
      case SegmentKind::kWindow:
        return records_.WriteWindow(entry.id, entry.receive_limit);
      case SegmentKind::kReset:
        return records_.WriteReset(entry.id, static_cast<wire::ResetCode>(entry.reset_code));
    }
    return false;
  }

  // Precondition: nothing is written after it.
  const wire::Checksum& Finish() {
    SumRecords();
    return sum_;
  }

 private:
  bool AddOpen(const StreamEntry& entry) {
    return records_.WriteOpen(entry.id, entry.app_class, entry.source_port, entry.destination_port,
                              entry.receive_limit);
  }

  bool AddData(const Segment& segment, const StreamEntry& entry) {
    const bool opened = segment.with_open && AddOpen(entry);
    if (segment.length == 0 && !segment.fin) return opened;
    if (segment.length > wire::kMaxDataLength || segment.length > entry.send.size) return opened;
    if (!records_.WriteDataHeader(entry.id, segment.offset, static_cast<uint16_t>(segment.length),
                                  segment.fin)) {
      return opened;
    }
    if (segment.length > 0) AddPayload(segment, entry.send);
    return true;
  }

  void AddPayload(const Segment& segment, const RingView& ring) {
    SumRecords();
    const auto first = ring.Contiguous(segment.offset, segment.length);
    sum_.AddCopy(records_.TakePayload(first.size()).data(), first);
    if (first.size() < segment.length) {
      const size_t rest = segment.length - first.size();
      sum_.AddCopy(records_.TakePayload(rest).data(), wire::Bytes(ring.base, rest));
    }
    summed_ = records_.size();
  }

  // Adds the record headers that were written since the last payload.
  void SumRecords() {
    sum_.Add(records_.written().subspan(summed_));
    summed_ = records_.size();
  }

  wire::RecordWriter records_;
  wire::Checksum sum_;
  size_t summed_ = 0;  // bytes of records that sum_ has
};

}  // namespace

size_t BuildPacket(const transport::PacketPlan& plan, const wire::Ack* ack, uint64_t token,
                   StreamTable& streams, const wire::DatagramHeader& headers,
                   wire::MutableBytes frame) {
  PacketWriter writer({.type = wire::PacketType::kData,
                       .token = token,
                       .number = plan.number,
                       .ack_now = plan.ack_now},
                      frame.subspan(headers.size()));
  if (ack != nullptr) writer.records().WriteAck(*ack);
  bool eliciting = plan.ping && writer.records().WritePing();
  for (const Segment& segment : plan.segments) {
    const StreamEntry* entry = streams.Find(segment.stream);
    if (entry != nullptr) eliciting |= writer.AddSegment(segment, *entry);
  }
  if (!eliciting && !plan.segments.empty()) writer.records().WritePing();
  if (plan.pad_to > writer.size()) {
    writer.records().WritePaddingTo(plan.pad_to - wire::kHeaderSize);
  }
  headers.Write(frame, writer.size(), writer.Finish(), plan.ecn_capable ? kEcnEct0 : 0);
  return writer.size();
}

size_t BuildClosePacket(PacketNumber number, uint64_t token, wire::CloseCode code,
                        const wire::DatagramHeader& headers, wire::MutableBytes frame) {
  PacketWriter writer({.type = wire::PacketType::kData, .token = token, .number = number},
                      frame.subspan(headers.size()));
  writer.records().WriteClose(code);
  headers.Write(frame, writer.size(), writer.Finish(), 0);
  return writer.size();
}

}  // namespace netchannel

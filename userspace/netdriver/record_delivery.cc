// SPDX-License-Identifier: Apache-2.0
#include "netdriver/record_delivery.h"

#include <algorithm>

namespace netchannel {
namespace {

static_assert(wire::kMaxPayloadParts <= kMaxRxChunks);

void Append(const wire::Record& record, SessionHandle session, std::vector<Delivery>& out) {
  Delivery& delivery = out.emplace_back();
  delivery.session = session;
  delivery.type = record.type;
  delivery.stream = record.stream;
  switch (record.type) {
    case wire::RecordType::kData:
      delivery.offset = record.offset;
      delivery.fin = record.fin;
      delivery.length = record.length;
      delivery.payload_count = record.part_count;
      std::copy_n(record.parts.begin(), record.part_count, delivery.payload.begin());
      break;
    case wire::RecordType::kOpen:
      delivery.source_port = record.source_port;
      delivery.destination_port = record.destination_port;
      delivery.app_class = record.app_class;
      delivery.receive_limit = record.receive_limit;
      break;
    case wire::RecordType::kReset:
      delivery.reset_code = record.reset_code;
      break;
    default:
      delivery.receive_limit = record.receive_limit;
      break;
  }
}

}  // namespace

PacketContents ReadRecords(const ReceivedPacket& packet, SessionHandle session,
                           wire::Record& scratch, std::vector<Delivery>& out) {
  PacketContents contents;
  wire::RecordReader reader(packet.chunks, packet.records_begin, packet.records_end);
  for (;;) {
    const wire::ReadResult result = reader.Next(&scratch);
    if (result != wire::ReadResult::kRecord) {
      contents.well_formed = result == wire::ReadResult::kEnd && packet.number != 0;
      return contents;
    }
    contents.ack_eliciting |= wire::IsAckEliciting(scratch.type);
    switch (scratch.type) {
      case wire::RecordType::kAck:
        contents.has_ack = true;
        break;
      case wire::RecordType::kClose:
        contents.closed = true;
        break;
      case wire::RecordType::kPing:
      case wire::RecordType::kPadding:
        break;
      default:
        Append(scratch, session, out);
        break;
    }
  }
}

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/record_receiver.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace netchannel::tcp {

using wire::RecordType;

std::optional<ReceiveRoom> RecordReceiver::DirectRoom(SessionHandle session,
                                                      ReceiveRings& rings) const {
  if (payload_.left < kMinDirect) return std::nullopt;
  const auto room = rings.RoomOf(session, payload_.stream);
  const bool fits = room.has_value() && payload_.offset >= room->begin &&
                    payload_.offset + payload_.left <= room->end;
  return fits ? room : std::nullopt;
}

RecordReceiver::Result RecordReceiver::Receive(int fd, SessionHandle session, ReceiveRings& rings,
                                               std::vector<Delivery>& out) {
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<std::byte[]>(kBufferSize);
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);  // less than a record
  end_ -= begin_;
  begin_ = 0;

  iovec parts[3];
  size_t count = 0;
  uint32_t direct = 0;
  const auto room = DirectRoom(session, rings);
  if (room.has_value()) {
    direct = payload_.left;
    const auto first = room->ring.Contiguous(payload_.offset, direct);
    parts[count++] = {.iov_base = first.data(), .iov_len = first.size()};
    const size_t wrapped = direct - first.size();
    if (wrapped > 0) parts[count++] = {.iov_base = room->ring.base, .iov_len = wrapped};
  }
  // Behind a payload only the next header: more of what follows would have to be copied.
  const size_t behind = direct > 0 ? kRecordSize : kBufferSize - end_;
  parts[count++] = {.iov_base = buffer_.get() + end_, .iov_len = behind};

  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
  if (got == 0) return Result::kEnd;
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return Result::kDrained;
    error_ = errno;
    return Result::kFailed;
  }
  const auto received = static_cast<size_t>(got);
  const auto placed = static_cast<uint32_t>(std::min<size_t>(received, direct));
  if (placed > 0) DeliverDirect(session, room->ring, placed, out);
  end_ += received - placed;
  const Result parsed = Parse(session, out);
  if (parsed != Result::kMore) return parsed;
  return received < direct + behind ? Result::kDrained : Result::kMore;
}

Delivery& RecordReceiver::Deliver(SessionHandle session, uint32_t count,
                                  std::vector<Delivery>& out) {
  eliciting_ = true;
  Delivery& delivery = out.emplace_back();
  delivery.session = session;
  delivery.type = RecordType::kData;
  delivery.stream = payload_.stream;
  delivery.offset = payload_.offset;
  delivery.length = count;
  delivery.fin = payload_.fin && count == payload_.left;
  payload_.offset += count;
  payload_.left -= count;
  position_ += count;
  return delivery;
}

void RecordReceiver::DeliverDirect(SessionHandle session, const RingView& ring, uint32_t count,
                                   std::vector<Delivery>& out) {
  Delivery& delivery = Deliver(session, count, out);
  const auto first = ring.Contiguous(delivery.offset, count);
  delivery.payload[delivery.payload_count++] = first;
  if (first.size() < count) {
    delivery.payload[delivery.payload_count++] = {ring.base, count - first.size()};
  }
}

RecordReceiver::Result RecordReceiver::Parse(SessionHandle session, std::vector<Delivery>& out) {
  for (;;) {
    const size_t available = end_ - begin_;
    if (payload_.left > 0) {
      const auto count = static_cast<uint32_t>(std::min<size_t>(available, payload_.left));
      if (count == 0) return Result::kMore;
      Delivery& delivery = Deliver(session, count, out);
      delivery.payload[delivery.payload_count++] = {buffer_.get() + begin_, count};
      begin_ += count;
      continue;
    }
    if (available < kRecordSize) return Result::kMore;
    const auto record = Record::Parse({buffer_.get() + begin_, kRecordSize});
    if (!record.has_value()) return Result::kMalformed;
    begin_ += kRecordSize;
    position_ += kRecordSize;
    if (record->type == RecordType::kClose) return Result::kClosed;
    if (!Take(*record, session, out)) return Result::kMalformed;
  }
}

bool RecordReceiver::Take(const Record& record, SessionHandle session, std::vector<Delivery>& out) {
  switch (record.type) {
    case RecordType::kPing:
      eliciting_ = true;
      return true;
    case RecordType::kAck:
      acknowledged_ = std::max(acknowledged_.value_or(0), record.position);
      return true;
    case RecordType::kData:
      payload_ = {record.stream, record.offset, record.length, record.fin};
      if (record.length == 0) Deliver(session, 0, out);
      return true;
    case RecordType::kOpen:
    case RecordType::kAccept:
    case RecordType::kWindow:
    case RecordType::kReset: {
      eliciting_ = true;
      Delivery& delivery = out.emplace_back();
      delivery.session = session;
      delivery.type = record.type;
      delivery.stream = record.stream;
      delivery.receive_limit = record.receive_limit;
      delivery.source_port = record.source_port;
      delivery.destination_port = record.destination_port;
      delivery.app_class = record.app_class;
      delivery.reset_code = record.reset_code;
      return true;
    }
    case RecordType::kPadding:
    case RecordType::kClose:
      break;
  }
  return false;
}

}  // namespace netchannel::tcp

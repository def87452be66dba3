// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/record_sender.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace netchannel::tcp {

using wire::RecordType;

// What one call hands to the kernel: the rest of an earlier record, then whole ones. An item is
// what is sent or kept together: an OPEN and its DATA are one.
struct RecordSender::Batch {
  // A call costs as much as copying 10 KiB: with so many records it is lost in them.
  static constexpr size_t kMaxItems = 32;
  // The rest; for each item OPEN, header, and two pieces of a ring.
  static constexpr size_t kMaxParts = 1 + 4 * kMaxItems;
  static constexpr ByteCount kMaxBytes = 512 * 1024;

  struct Item {
    size_t end = 0;  // bytes from the batch's beginning to its end
    std::optional<Segment> segment;
    RecordType type = RecordType::kPing;  // when it is no segment
  };

  std::byte* AddHeader() {
    std::byte* const header = headers.data() + kRecordSize * header_count++;
    AddPart(header, kRecordSize);
    return header;
  }
  void AddPart(std::byte* data, size_t size) {
    parts[part_count++] = {.iov_base = data, .iov_len = size};
    bytes += size;
  }
  void EndItem(const Segment& segment) {
    items[item_count++] = {bytes, segment, RecordType::kPing};
  }
  void EndItem(RecordType type) { items[item_count++] = {bytes, std::nullopt, type}; }
  bool full() const { return item_count == kMaxItems || bytes >= kMaxBytes; }

  std::array<std::byte, 2 * kMaxItems * kRecordSize> headers;
  std::array<iovec, kMaxParts> parts;
  std::array<Item, kMaxItems> items;
  size_t header_count = 0, part_count = 0, item_count = 0, bytes = 0;
  uint32_t segments = 0;  // of queue_, looked at
};

bool RecordSender::Enqueue(const Segment& segment) {
  if (segment.kind == SegmentKind::kData && capacity() == 0) return false;
  return EnqueueMoved(segment);
}

bool RecordSender::EnqueueMoved(const Segment& segment) {
  if (queue_.size() >= kMaxQueued) return false;
  queue_.push_back(segment);
  backlog_ += segment.length;
  return true;
}

void RecordSender::AddControl(Batch& batch) {
  if (received_ != told_) {
    Record{.type = RecordType::kAck, .position = received_}.Build(batch.AddHeader());
    batch.EndItem(RecordType::kAck);
  }
  if (ping_) {
    Record{.type = RecordType::kPing}.Build(batch.AddHeader());
    batch.EndItem(RecordType::kPing);
  }
}

bool RecordSender::AddSegment(Batch& batch, const Segment& segment, const StreamEntry& entry) {
  if (batch.full()) return false;
  Record record;
  record.stream = entry.id;
  record.receive_limit = entry.receive_limit;
  if (segment.kind == SegmentKind::kOpen || segment.with_open) {
    record.type = RecordType::kOpen;
    record.app_class = entry.app_class;
    record.source_port = entry.source_port;
    record.destination_port = entry.destination_port;
    record.Build(batch.AddHeader());
  }
  switch (segment.kind) {
    case SegmentKind::kOpen:
      break;
    case SegmentKind::kAccept:
      record.type = RecordType::kAccept;
      record.Build(batch.AddHeader());
      break;
    case SegmentKind::kWindow:
      record.type = RecordType::kWindow;
      record.Build(batch.AddHeader());
      break;
    case SegmentKind::kReset:
      record.type = RecordType::kReset;
      record.reset_code = static_cast<wire::ResetCode>(entry.reset_code);
      record.Build(batch.AddHeader());
      break;
    case SegmentKind::kData: {
      if (segment.length == 0 && !segment.fin) break;
      record.type = RecordType::kData;
      record.fin = segment.fin;
      record.length = segment.length;
      record.offset = segment.offset;
      record.Build(batch.AddHeader());
      if (segment.length == 0) break;
      const auto first = entry.send.Contiguous(segment.offset, segment.length);
      batch.AddPart(first.data(), first.size());
      const size_t wrapped = segment.length - first.size();
      if (wrapped > 0) batch.AddPart(entry.send.base, wrapped);
      break;
    }
  }
  batch.EndItem(segment);
  return true;
}

void RecordSender::BuildBatch(Batch& batch, StreamTable& streams) {
  if (!rest_.empty()) batch.AddPart(rest_.data(), rest_.size());
  AddControl(batch);
  while (batch.segments < queue_.size() && in_flight_.size() + batch.item_count < kMaxInFlight) {
    const Segment& segment = queue_[batch.segments];
    const StreamEntry* entry = streams.Find(segment.stream);
    const bool dead =
        entry == nullptr || segment.length > entry->send.size || segment.length > kMaxPayload;
    if (dead) {
      if (batch.segments > 0) break;  // forgotten when it is the first
      backlog_ -= segment.length;
      queue_.pop_front();
      continue;
    }
    if (!AddSegment(batch, segment, *entry)) break;
    ++batch.segments;
  }
  if (close_.has_value() && batch.segments == queue_.size() && !batch.full()) {
    Record{.type = RecordType::kClose, .close_code = *close_}.Build(batch.AddHeader());
    batch.EndItem(RecordType::kClose);
  }
}

RecordSender::Result RecordSender::Send(int fd, StreamTable& streams) {
  Batch batch;
  BuildBatch(batch, streams);
  if (batch.bytes == 0) return queue_.empty() ? Result::kDone : Result::kFull;
  msghdr message{};
  message.msg_iov = batch.parts.data();
  message.msg_iovlen = batch.part_count;
  const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR) return Result::kBlocked;
    error_ = errno;
    return Result::kFailed;
  }
  const auto count = static_cast<size_t>(sent);
  Account(batch, count);
  if (count < batch.bytes) return Result::kBlocked;
  return wants_to_send() ? Result::kMore : Result::kDone;
}

void RecordSender::Account(Batch& batch, size_t count) {
  const size_t old_rest = rest_.size();
  if (count < old_rest) {
    rest_.erase(rest_.begin(), rest_.begin() + static_cast<ptrdiff_t>(count));
    return;
  }
  size_t begin = old_rest;
  size_t end = old_rest;  // of what is sent, or must be
  for (size_t i = 0; i < batch.item_count && count > begin; ++i) {
    const Batch::Item& item = batch.items[i];
    end = item.end;
    position_ += end - begin;
    begin = end;
    if (item.segment.has_value()) {
      in_flight_.push_back({*item.segment, position_});
      backlog_ -= item.segment->length;
      queue_.pop_front();
    } else if (item.type == RecordType::kAck) {
      told_ = received_;
      acknowledge_ = false;
    } else if (item.type == RecordType::kPing) {
      ping_ = false;
    } else {
      close_.reset();
    }
  }
  std::vector<std::byte> rest;
  size_t at = 0;
  for (size_t i = 0; i < batch.part_count && at < end; ++i) {
    const auto* data = static_cast<const std::byte*>(batch.parts[i].iov_base);
    const size_t size = batch.parts[i].iov_len;
    const size_t skip = count > at ? std::min(count - at, size) : 0;
    rest.insert(rest.end(), data + skip, data + size);
    at += size;
  }
  rest_ = std::move(rest);
}

bool RecordSender::OnAcknowledged(uint64_t position, SessionHandle session, EventQueue& events) {
  if (position > position_) return false;
  if (position <= acknowledged_) return true;
  acknowledged_ = position;
  while (!in_flight_.empty() && in_flight_.front().end <= position) {
    const Segment& segment = in_flight_.front().segment;
    const bool told = segment.kind == SegmentKind::kData || segment.kind == SegmentKind::kAccept ||
                      segment.kind == SegmentKind::kReset;
    if (told) events.PushAcknowledged(session, segment);
    in_flight_.pop_front();
  }
  return true;
}

std::optional<Segment> RecordSender::TakeUnacknowledged() {
  if (!in_flight_.empty()) {
    const Segment segment = in_flight_.front().segment;
    in_flight_.pop_front();
    return segment;
  }
  if (queue_.empty()) return std::nullopt;
  const Segment segment = queue_.front();
  queue_.pop_front();
  backlog_ -= segment.length;
  return segment;
}

}  // namespace netchannel::tcp

// SPDX-License-Identifier: Apache-2.0
#include "transport/send_queue.h"

#include <algorithm>
#include <limits>

namespace netchannel::transport {
namespace {

// A shorter slice of a longer segment is not worth its record header, except alone in a packet.
constexpr ByteCount kMinSlice = 64;

// How far back a duplicate of a control segment is looked for.
constexpr uint32_t kControlScan = 16;

ByteCount DataOverhead(const Segment& segment) {
  return wire::kDataRecordHeaderSize + (segment.with_open ? wire::kOpenRecordSize : 0);
}

}  // namespace

bool JoinData(Segment& tail, const Segment& next) {
  if (tail.kind != SegmentKind::kData || next.kind != SegmentKind::kData) return false;
  if (tail.stream != next.stream || tail.fin || tail.with_open != next.with_open) return false;
  if (tail.offset + tail.length != next.offset) return false;
  if (next.length > std::numeric_limits<uint32_t>::max() - tail.length) return false;
  tail.length += next.length;
  tail.fin = next.fin;
  return true;
}

ByteCount SendQueue::RecordSize(const Segment& segment) {
  switch (segment.kind) {
    case SegmentKind::kData:
      return DataOverhead(segment) + segment.length;
    case SegmentKind::kOpen:
      return wire::kOpenRecordSize;
    case SegmentKind::kAccept:
      return wire::kAcceptRecordSize;
    case SegmentKind::kWindow:
      return wire::kWindowRecordSize;
    case SegmentKind::kReset:
      return wire::kResetRecordSize;
  }
  return 0;
}

ByteCount SendQueue::RecordBytes() const {
  const ByteCount records = ByteCount{lost_.size()} + data_.size();
  return data_bytes_ + records * (wire::kDataRecordHeaderSize + wire::kOpenRecordSize) +
         control_.size() * wire::kOpenRecordSize;
}

bool SendQueue::ControlWaits(const Segment& segment) const {
  const uint32_t size = control_.size();
  for (uint32_t i = size; i > 0 && size - i < kControlScan; --i) {
    const Segment& waiting = control_[i - 1];
    if (waiting.kind == segment.kind && waiting.stream == segment.stream) return true;
  }
  return false;
}

void SendQueue::Append(RingDeque<Segment>& queue, const Segment& segment) {
  data_bytes_ += segment.length;
  if (queue.empty() || !JoinData(queue.back(), segment)) queue.push_back(segment);
}

bool SendQueue::Enqueue(const Segment& segment) {
  const bool has_room = control_.size() + data_.size() < max_segments_;
  if (segment.kind == SegmentKind::kData) {
    if (!data_.empty() && JoinData(data_.back(), segment)) {
      data_bytes_ += segment.length;
      return true;
    }
    if (!has_room) return false;
    data_bytes_ += segment.length;
    data_.push_back(segment);
    return true;
  }
  if (ControlWaits(segment)) return true;
  if (!has_room) return false;
  control_.push_back(segment);
  return true;
}

uint32_t SendQueue::Take(ByteCount space, Segment* out, uint32_t max) {
  uint32_t taken = 0;
  while (taken < max && !control_.empty()) {
    const ByteCount size = RecordSize(control_.front());
    if (size > space) return taken;
    out[taken++] = control_.front();
    control_.pop_front();
    space -= size;
  }
  // A retransmission that did not fit must not be overtaken for ever by small new data.
  taken += TakeData(lost_, space, out + taken, max - taken);
  if (lost_.empty()) taken += TakeData(data_, space, out + taken, max - taken);
  return taken;
}

uint32_t SendQueue::TakeData(RingDeque<Segment>& queue, ByteCount& space, Segment* out,
                             uint32_t max) {
  uint32_t taken = 0;
  const ByteCount offered = space;
  while (taken < max && !queue.empty()) {
    Segment& head = queue.front();
    const ByteCount overhead = DataOverhead(head);
    const ByteCount least = space == offered ? 1 : kMinSlice;
    if (space < overhead + std::min<ByteCount>(head.length, least)) break;
    const auto room = static_cast<uint32_t>(std::min(space - overhead, wire::kMaxDataLength));
    Segment& slice = out[taken++];
    slice = head;
    if (head.length <= room) {
      queue.pop_front();
    } else {
      slice.length = room;
      slice.fin = false;
      head.offset += room;
      head.length -= room;
    }
    data_bytes_ -= slice.length;
    space -= overhead + slice.length;
  }
  return taken;
}

void SendQueue::Requeue(absl::Span<const Segment> segments) {
  for (const Segment& segment : segments) {
    if (segment.kind == SegmentKind::kData) {
      Append(lost_, segment);
    } else if (!ControlWaits(segment)) {
      control_.push_back(segment);
    }
  }
}

void SendQueue::PutBack(absl::Span<const Segment> segments) {
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (segment->kind != SegmentKind::kData) {
      control_.push_front(*segment);
      continue;
    }
    data_bytes_ += segment->length;
    Segment joined = *segment;
    if (!data_.empty() && JoinData(joined, data_.front())) {
      data_.front() = joined;
    } else {
      lost_.push_front(*segment);
    }
  }
}

void SendQueue::ForgetLost(const Segment& segment) {
  if (segment.kind != SegmentKind::kData) return;
  const StreamOffset end = segment.offset + segment.length;
  for (uint32_t i = 0; i < lost_.size(); ++i) {
    Segment& waiting = lost_[i];
    const StreamOffset waiting_end = waiting.offset + waiting.length;
    if (waiting.stream != segment.stream || waiting.offset > segment.offset || waiting_end < end)
      continue;
    if (waiting.fin && !segment.fin && waiting_end == end) continue;
    if (waiting.offset == segment.offset && waiting_end == end) {
      lost_.Erase(i);
    } else if (waiting.offset == segment.offset) {
      waiting.offset = end;
      waiting.length -= segment.length;
    } else if (waiting_end == end) {
      waiting.length -= segment.length;
      waiting.fin = false;
    } else {
      continue;
    }
    data_bytes_ -= segment.length;
    return;
  }
}

Segment SendQueue::Pop() {
  RingDeque<Segment>& queue = !control_.empty() ? control_ : !lost_.empty() ? lost_ : data_;
  const Segment segment = queue.front();
  if (segment.kind == SegmentKind::kData) data_bytes_ -= segment.length;
  queue.pop_front();
  return segment;
}

}  // namespace netchannel::transport

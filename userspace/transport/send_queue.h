// SPDX-License-Identifier: Apache-2.0
//
// What waits to be sent: control segments first, then retransmissions, then new data. Data is
// sliced to what a packet has left, and joined again where it is contiguous.
//
// A slice keeps with_open; fin goes with the last slice. The number of waiting segments is bounded
// by `max_segments` for what is enqueued; what comes back (lost, or not sent) was admitted before.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "base/stream.h"
#include "base/units.h"
#include "transport/ring_deque.h"
#include "wire/packet_layout.h"

namespace netchannel::transport {

class SendQueue {
 public:
  explicit SendQueue(uint32_t max_segments) : max_segments_(max_segments) {}

  bool empty() const { return control_.empty() && lost_.empty() && data_.empty(); }
  ByteCount data_bytes() const { return data_bytes_; }
  // Packet bytes that everything needs, at most.
  ByteCount RecordBytes() const;

  // False when full: nothing was taken.
  bool Enqueue(const Segment& segment);
  // Moves segments that fit into `space` packet bytes to `out`; returns how many, at most `max`.
  uint32_t Take(ByteCount space, Segment* out, uint32_t max);
  // Segments of a lost packet, to be sent again.
  void Requeue(absl::Span<const Segment> segments);
  // Segments of a packet that was not sent, to the front.
  void PutBack(absl::Span<const Segment> segments);
  // The peer has `segment` after all: drops it where it waits as a retransmission, if it is easily
  // found.
  void ForgetLost(const Segment& segment);
  // One after the other, whatever its size. Precondition: !empty().
  Segment Pop();

  static ByteCount RecordSize(const Segment& segment);

 private:
  uint32_t TakeData(RingDeque<Segment>& queue, ByteCount& space, Segment* out, uint32_t max);
  bool ControlWaits(const Segment& segment) const;
  void Append(RingDeque<Segment>& queue, const Segment& segment);

  const uint32_t max_segments_;
  RingDeque<Segment> control_;
  RingDeque<Segment> lost_;  // data to be retransmitted
  RingDeque<Segment> data_;
  ByteCount data_bytes_ = 0;  // in lost_ and data_
};

// Makes `tail` cover `next` too, when it continues it. The flags of both must then hold for the
// whole.
bool JoinData(Segment& tail, const Segment& next);

}  // namespace netchannel::transport

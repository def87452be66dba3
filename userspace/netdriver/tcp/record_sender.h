// SPDX-License-Identifier: Apache-2.0
//
// The sending half of a channel: segments in, records out to a connection, and out of the sockets'
// send rings straight to the kernel, many records a call.
//
//   queued --Send--> in flight (in the kernel, or under way) --acknowledged--> events
//
// What the kernel takes of a record is all or the rest is copied to `rest_`: the record's bytes
// must follow on this connection whatever becomes of its stream meanwhile. That happens once each
// time the kernel's buffer is full, so it costs a small share of one copy.
//
// A segment is in flight until the peer's stack has acknowledged the record's last byte. Should the
// connection fail, TakeUnacknowledged gives back what the session's other channels must carry.
//
// Owner: the channel's connection. Thread: the one that runs the driver. Errors: a result.
// Bounds: kMaxQueued segments and `backlog_limit` bytes queued, kMaxInFlight segments in flight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/stream.h"
#include "base/units.h"
#include "netdriver/event_queue.h"
#include "netdriver/stream_table.h"
#include "netdriver/tcp/record.h"
#include "transport/ring_deque.h"

namespace netchannel::tcp {

class RecordSender {
 public:
  // Streams of one byte a segment would reach them; above, the channel takes no more, which is the
  // back-pressure to the writers.
  static constexpr uint32_t kMaxQueued = 4096;
  static constexpr uint32_t kMaxInFlight = 16384;

  explicit RecordSender(ByteCount backlog_limit) : backlog_limit_(backlog_limit) {}

  // False when the channel is full: nothing was taken.
  bool Enqueue(const Segment& segment);
  // As Enqueue, for what a failed channel held: beyond the limit of bytes.
  bool EnqueueMoved(const Segment& segment);
  void RequestPing() { ping_ = true; }
  void RequestClose(wire::CloseCode code) { close_ = code; }

  // What acknowledgements say; one goes with whatever is sent next.
  void SetReceived(uint64_t position) { received_ = position; }
  // One is to be sent although nothing else is.
  void RequestAcknowledgement() { acknowledge_ = received_ != told_; }
  uint64_t unacknowledged_received() const { return received_ - told_; }

  enum class Result : uint8_t {
    kDone,     // nothing is left to send
    kMore,     // the budget of one visit is spent
    kBlocked,  // the kernel takes no more now
    kFull,     // too much in flight: acknowledgements must come first
    kFailed,   // error()
  };
  Result Send(int fd, StreamTable& streams);
  bool wants_to_send() const {
    return !rest_.empty() || !queue_.empty() || acknowledge_ || ping_ || close_.has_value();
  }

  // The peer has all up to `position`. False when that was never sent.
  bool OnAcknowledged(uint64_t position, SessionHandle session, EventQueue& events);
  std::optional<Segment> TakeUnacknowledged();

  ByteCount backlog() const { return backlog_; }
  ByteCount capacity() const {
    const bool full = backlog_ >= backlog_limit_ || queue_.size() >= kMaxQueued;
    return full ? 0 : backlog_limit_ - backlog_;
  }
  ByteCount bytes_in_flight() const { return position_ - acknowledged_; }
  int error() const { return error_; }

 private:
  struct Batch;
  struct InFlight {
    Segment segment;
    uint64_t end = 0;  // position behind its record
  };

  void BuildBatch(Batch& batch, StreamTable& streams);
  void AddControl(Batch& batch);
  // False when there is no room in the batch.
  bool AddSegment(Batch& batch, const Segment& segment, const StreamEntry& entry);
  // The kernel has taken `count` bytes of the batch.
  void Account(Batch& batch, size_t count);

  const ByteCount backlog_limit_;
  transport::RingDeque<Segment> queue_;
  transport::RingDeque<InFlight> in_flight_;
  std::vector<std::byte> rest_;  // of a record that the kernel has taken a part of
  ByteCount backlog_ = 0;        // payload bytes of queue_
  uint64_t position_ = 0;        // behind the last record that was sent
  uint64_t acknowledged_ = 0;
  uint64_t received_ = 0, told_ = 0;  // of the other direction
  bool acknowledge_ = false, ping_ = false;
  std::optional<wire::CloseCode> close_;
  int error_ = 0;
};

}  // namespace netchannel::tcp

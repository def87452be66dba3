// SPDX-License-Identifier: Apache-2.0
//
// What the driver has to tell upwards, in order. A ring that doubles when it is full: in steady
// state it does not allocate. It is bounded by what the channels hold: each acknowledged segment
// was in flight, each session ends once. Thread: the one that runs the driver. Errors: none.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "netdriver/session_port.h"

namespace netchannel {

class EventQueue {
 public:
  EventQueue() : ring_(kInitialSize) {}

  bool empty() const { return head_ == tail_; }
  size_t size() const { return tail_ - head_; }

  void Push(const DriverEvent& event) {
    if (size() == ring_.size()) Grow();
    ring_[tail_++ & (ring_.size() - 1)] = event;
  }
  void PushAcknowledged(SessionHandle session, const Segment& segment) {
    Push(DriverEvent{DriverEvent::Kind::kAcknowledged, session, segment, 0});
  }
  void PushUp(SessionHandle session) {
    Push(DriverEvent{DriverEvent::Kind::kSessionUp, session, Segment{}, 0});
  }
  void PushAbsent(SessionHandle session) {
    Push(DriverEvent{DriverEvent::Kind::kPeerAbsent, session, Segment{}, 0});
  }
  void PushDown(SessionHandle session, int error) {
    Push(DriverEvent{DriverEvent::Kind::kSessionDown, session, Segment{}, error});
  }

  std::optional<DriverEvent> Pop() {
    if (empty()) return std::nullopt;
    return ring_[head_++ & (ring_.size() - 1)];
  }

 private:
  // More than the acknowledgements of one batch of packets.
  static constexpr size_t kInitialSize = 1024;

  void Grow() {
    std::vector<DriverEvent> larger(ring_.size() * 2);
    const size_t count = size();
    for (size_t i = 0; i < count; ++i) larger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_ = std::move(larger);
    head_ = 0;
    tail_ = count;
  }

  std::vector<DriverEvent> ring_;  // a power of two
  size_t head_ = 0, tail_ = 0;     // count on forever
};

}  // namespace netchannel

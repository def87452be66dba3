// SPDX-License-Identifier: Apache-2.0
//
// One direction of the relay: what arrives at one port leaves by the other, after the dice of the
// simulator (sim/faults.h) have decided about it. UDP and TCP are touched, ARP, ICMP and the like
// pass.
//
// Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <queue>
#include <string>
#include <vector>

#include "base/units.h"
#include "live/relay/raw_port.h"
#include "sim/faults.h"
#include "sim/frame_pool.h"

namespace netchannel::relay {

class Forwarder {
 public:
  // Every packet that is touched is `delay` late, besides what the faults add. The ports outlive
  // the forwarder.
  Forwarder(std::string name, RawPort* from, RawPort* to, const sim::Faults& faults, Duration delay,
            uint64_t seed);

  void OnReadable(Time now);
  void SendDue(Time now);
  // When SendDue has the next frame to send.
  Time NextTimeout() const { return late_.empty() ? Time::Infinite() : late_.top().at; }
  // One line: what came, what went, and what was done to it.
  std::string Counts();

 private:
  struct Late {
    Time at;
    uint64_t sequence;
    mutable sim::Frame frame;
    bool operator<(const Late& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;  // the earliest on top
    }
  };

  void OnFrame(Time now, absl::Span<const std::byte> frame);
  void SendLater(Time now, Duration late, absl::Span<const std::byte> frame);
  void Send(absl::Span<const std::byte> frame);

  const std::string name_;
  RawPort* const from_;
  RawPort* const to_;
  sim::FaultDecider faults_;
  sim::ReplayStore old_;
  const Duration delay_;
  sim::FramePool pool_;
  std::priority_queue<Late> late_;
  std::vector<std::byte> misused_;
  uint64_t next_sequence_ = 0;
  uint64_t in_ = 0, out_ = 0, untouched_ = 0, refused_ = 0, overruns_ = 0;
};

}  // namespace netchannel::relay

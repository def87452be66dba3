// SPDX-License-Identifier: Apache-2.0
//
// One direction of a wire with the queue in front of it: rate, propagation delay, a drop-tail
// queue, ECN marking by queue length (RFC 8257 section 3.1), an MTU, and faults.
//
// The queue is kept as the instant at which the wire falls idle: what is queued is what the wire
// still has to send. Faults strike after the queue, so a packet that is lost took its time on the
// wire.
//
// Owner: the network. Frames that are under way belong to the link. Thread: one.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "base/units.h"
#include "sim/faults.h"
#include "sim/frame_pool.h"
#include "sim/trace.h"
#include "sim/virtual_time.h"

namespace netchannel::sim {

struct LinkConfig {
  Bandwidth rate = Bandwidth::BitsPerSecond(1'000'000'000);
  Duration delay = Duration::Micros(50);  // propagation
  ByteCount queue_limit = 256 * 1024;     // a frame that finds more queued is dropped
  ByteCount ecn_threshold = 0;            // an ECT frame that finds more queued is marked; 0: never
  uint32_t mtu = 1500;                    // a larger IP packet is dropped in silence
  Faults faults{};
};

struct LinkStats {
  uint64_t frames_in = 0, frames_out = 0, bytes_out = 0;
  uint64_t queue_drops = 0, mtu_drops = 0, down_drops = 0, ce_marks = 0;
  ByteCount queue_max = 0;  // most bytes ever queued
};

class Link final : public Actor, public FrameSink {
 public:
  // `out` gets each frame as it arrives. `id` is the link's name in the trace.
  Link(EventQueue* events, Trace* trace, FramePool* pool, uint64_t id, const LinkConfig& config,
       uint64_t seed, FrameSink* out);

  void OnFrame(Frame frame) override;  // at the sending end
  void OnWake(Time now) override;

  // Everything that enters until `until` is lost. What is under way still arrives.
  void SetDown(Time until) { down_until_ = until; }
  void set_mtu(uint32_t mtu) { config_.mtu = mtu; }

  ByteCount queued() const;
  Time idle_at() const { return idle_at_; }  // when what was sent until now has left
  const LinkStats& stats() const { return stats_; }
  const FaultDecider& faults() const { return faults_; }
  const LinkConfig& config() const { return config_; }

 private:
  struct Arrival {
    Time at;
    uint64_t sequence;
    mutable Frame frame;
    bool operator<(const Arrival& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };

  void Misuse(const Fate& fate, Frame& frame);
  bool Enqueue(Frame& frame);  // false: dropped
  void Deliver(Time at, Frame frame);

  Trace* const trace_;
  FramePool* const pool_;
  const uint64_t id_;
  LinkConfig config_;
  FaultDecider faults_;
  ReplayStore old_;
  FrameSink* const out_;
  Time idle_at_;
  Time down_until_;
  uint64_t next_sequence_ = 0;
  std::priority_queue<Arrival> under_way_;
  LinkStats stats_;
};

}  // namespace netchannel::sim

// SPDX-License-Identifier: Apache-2.0
//
// One direction of a path between two transports, as a wire with a drop-tail queue in front of it:
// rate, propagation delay, ECN marking by queue length (RFC 8257 section 3.1), an MTU, and the
// faults of sim/faults.h. Packets are values, not bytes: what is tested is the transport alone. A
// corrupted packet is a lost one, since its checksum fails before the transport sees it.
//
// Owner: the test. Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "base/stream.h"
#include "base/units.h"
#include "sim/faults.h"
#include "sim/virtual_time.h"
#include "transport/connection.h"
#include "wire/packet_layout.h"

namespace netchannel::sim {

struct TransportPacket {
  PacketNumber number = 0;
  ByteCount bytes = 0;  // from the packet header on
  bool has_ack = false;
  bool ack_eliciting = false;
  bool ack_now = false;
  wire::Ack ack{};
  std::vector<Segment> segments;
  transport::Ecn ecn = transport::Ecn::kNotEct;
};

struct TransportLinkConfig {
  Bandwidth rate = Bandwidth::BitsPerSecond(1'000'000'000);
  Duration delay = Duration::Micros(50);
  ByteCount queue_limit = 256 * 1024;
  ByteCount ecn_threshold = 0;  // 0: never marks
  ByteCount mtu = 65535;        // in packet bytes
  Faults faults{};
};

class TransportLink final : public Actor {
 public:
  using Sink = std::function<void(TransportPacket)>;

  TransportLink(EventQueue* events, const TransportLinkConfig& config, uint64_t seed)
      : Actor(events), config_(config), faults_(config.faults, seed) {}

  void set_sink(Sink sink) { sink_ = std::move(sink); }
  void set_mtu(ByteCount mtu) { config_.mtu = mtu; }
  uint64_t queue_drops() const { return queue_drops_; }
  uint64_t marks() const { return marks_; }

  void Send(TransportPacket packet) {
    if (packet.bytes > config_.mtu) return;
    const Duration wait = idle_at_ > now() ? idle_at_ - now() : Duration::Zero();
    const auto queued = static_cast<ByteCount>(
        wait.seconds() * static_cast<double>(config_.rate.bytes_per_second()));
    if (queued + packet.bytes > config_.queue_limit) {
      ++queue_drops_;
      return;
    }
    if (config_.ecn_threshold != 0 && queued > config_.ecn_threshold &&
        packet.ecn != transport::Ecn::kNotEct) {
      packet.ecn = transport::Ecn::kCe;
      ++marks_;
    }
    idle_at_ = now() + wait + config_.rate.TimeFor(packet.bytes);
    const Fate fate = faults_.Decide(now());
    if (!fate.deliver) return;
    const Time arrival = idle_at_ + config_.delay;
    if (fate.copies > 1) Deliver(arrival + fate.extra_delay[1], packet);
    if (!fate.corrupt) Deliver(arrival + fate.extra_delay[0], std::move(packet));
  }

  void OnWake(Time now) override {
    while (!under_way_.empty() && under_way_.top().at <= now) {
      TransportPacket packet = std::move(under_way_.top().packet);
      under_way_.pop();
      sink_(std::move(packet));
    }
    if (!under_way_.empty()) WakeAt(under_way_.top().at);
  }

 private:
  struct Arrival {
    Time at;
    uint64_t sequence;
    mutable TransportPacket packet;
    bool operator<(const Arrival& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };

  void Deliver(Time at, TransportPacket packet) {
    under_way_.push({at, next_sequence_++, std::move(packet)});
    WakeAt(at);
  }

  TransportLinkConfig config_;
  FaultDecider faults_;
  Sink sink_;
  Time idle_at_;
  uint64_t next_sequence_ = 0;
  uint64_t queue_drops_ = 0;
  uint64_t marks_ = 0;
  std::priority_queue<Arrival> under_way_;
};

}  // namespace netchannel::sim

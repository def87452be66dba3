// SPDX-License-Identifier: Apache-2.0
//
// One end of the transport simulation: a Connection, the streams that it sends, and the record of
// what it received. It does what a driver does (polls, builds, hands over) and checks what a driver
// relies on:
//   - a packet number is processed once;
//   - a segment is reported as acknowledged only after the other end has it;
//   - every ACK that arrives is accepted;
//   - timers do not fire without end at one instant.
// The thread that would run it may be stalled now and then, as operating systems do.
//
// Owner: the test. Thread: one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/interval_set.h"
#include "base/rng.h"
#include "base/stream.h"
#include "base/units.h"
#include "sim/virtual_time.h"
#include "transport/connection.h"
#include "transport_sim_link.h"

namespace netchannel::sim {

struct TransportWorkload {
  uint32_t streams = 1;
  uint64_t bytes_per_stream = 0;
  uint32_t write_bytes = 64 * 1024;  // of one Enqueue
  ByteCount backlog = 512 * 1024;    // queued bytes above which the writer waits
  uint32_t controls = 0;             // control segments, spread over the transfer
  bool with_open = false;            // data before the peer has accepted
};

struct StallConfig {
  Duration every{};   // mean time between stalls; zero: none
  Duration length{};  // the longest; uniform
};

class TransportEndpoint final : public Actor {
 public:
  TransportEndpoint(EventQueue* events, const transport::ConnectionConfig& config,
                    const TransportWorkload& workload, const StallConfig& stall, uint64_t seed);

  void Connect(TransportLink* out, const TransportEndpoint* peer) {
    out_ = out;
    peer_ = peer;
  }
  void Start() { WakeAt(now()); }
  void OnArrival(TransportPacket packet);
  void OnWake(Time now) override;

  // Everything was written, sent, acknowledged, and is with the peer.
  bool SentAll() const;
  // Nothing is queued or in flight: the cheap part of SentAll.
  bool quiet() const {
    return connection_.bytes_in_flight() == 0 && connection_.queued_bytes() == 0;
  }
  bool HasAll(const TransportWorkload& workload) const;
  const transport::Connection& connection() const { return connection_; }
  transport::Connection& connection() { return connection_; }
  uint64_t bytes_received() const { return bytes_received_; }
  // Bytes that arrived in packets of their own more than once: retransmitted without need.
  uint64_t bytes_again() const { return bytes_again_; }
  uint32_t max_packets_at_once() const { return max_burst_; }

 private:
  struct Incoming {
    IntervalSet bytes{1 << 20};
    bool fin = false;
  };

  static std::pair<uint32_t, uint64_t> ControlKey(const Segment& segment) {
    return {static_cast<uint32_t>(segment.kind), segment.stream.slot};
  }
  bool Stalled(Time now);
  void Write();
  void WriteControl();
  void Process(Time now, TransportPacket packet);
  void Receive(const Segment& segment);
  void DrainAcked();
  void Transmit(Time now);
  TransportPacket Build(Time now, const transport::PacketPlan& plan);

  transport::Connection connection_;
  const TransportWorkload workload_;
  const StallConfig stall_;
  SeededRng rng_;
  TransportLink* out_ = nullptr;
  const TransportEndpoint* peer_ = nullptr;

  std::vector<uint64_t> written_;  // of each stream
  uint32_t next_stream_ = 0;
  uint32_t controls_written_ = 0;
  std::deque<Segment> refused_;  // Enqueue had no room

  std::deque<TransportPacket> arrived_;  // during a stall
  std::unordered_set<PacketNumber> processed_;
  std::map<uint32_t, Incoming> incoming_;
  std::set<std::pair<uint32_t, uint64_t>> controls_received_;
  std::map<uint32_t, IntervalSet> acknowledged_;
  uint64_t bytes_received_ = 0;
  uint64_t bytes_again_ = 0;
  uint32_t max_burst_ = 0;

  Time stalled_until_;
  Time next_stall_;
  Time last_wake_;
  uint32_t wakes_at_once_ = 0;
};

}  // namespace netchannel::sim

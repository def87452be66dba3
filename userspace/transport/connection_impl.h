// SPDX-License-Identifier: Apache-2.0
//
// How the parts of a connection work together; see connection.h for what it promises. What sends is
// in connection_transmit.cc, what reacts to acknowledgement and silence in connection_recovery.cc.
#pragma once

#include <memory>
#include <optional>

#include "transport/ack_tracker.h"
#include "transport/congestion_controller.h"
#include "transport/connection.h"
#include "transport/loss_budget.h"
#include "transport/loss_detector.h"
#include "transport/mtu_prober.h"
#include "transport/pacer.h"
#include "transport/probe_timer.h"
#include "transport/recovery_episode.h"
#include "transport/ring_deque.h"
#include "transport/rtt_estimator.h"
#include "transport/send_queue.h"
#include "transport/sent_packets.h"

namespace netchannel::transport {

struct Connection::Impl {
  Impl(const ConnectionConfig& config, Time now);

  // connection_transmit.cc
  bool WindowOpen() const;
  bool NeedsAck() const;
  std::optional<PacketPlan> PollTransmit(Time now, ByteCount max_payload);
  PacketPlan PlanMtuProbe(ByteCount size);
  std::optional<PacketPlan> PlanProbe(ByteCount max_payload);
  std::optional<PacketPlan> PlanData(Time now, ByteCount max_payload);
  std::optional<PacketPlan> PlanAck(ByteCount max_payload);
  void OnSent(Time now, ByteCount bytes);
  void TakePlanBack();
  PacketPlan& Plan(uint32_t segment_count);
  void MakeRoom();
  ByteCount PacketSpace(ByteCount max_payload) const;

  // connection_recovery.cc
  bool OnAck(Time now, const wire::Ack& ack);
  void OnTimer(Time now);
  Time NextTimeout() const;
  void OnAcked(absl::Span<const PacketNumber> numbers, AckSample& sample);
  void OnLate(absl::Span<const PacketNumber> numbers);
  void OnLost(Time now, absl::Span<const PacketNumber> numbers);
  void ReactToLoss(Time now, absl::Span<const PacketNumber> numbers);
  bool PersistentlyCongested(absl::Span<const PacketNumber> lost) const;
  void ReportAcked(const SentPacket& packet);
  void LeaveFlight(const SentPacket& packet);
  void QueueCopyOfOldest();
  void OnPacketSizeChanged();
  void SetPacingRate();
  std::optional<Segment> TakeUnacknowledged();

  const ConnectionConfig config;
  ConnectionState state = ConnectionState::kOpen;
  AckTracker ack_tracker;
  SendQueue queue;
  SentPackets sent;
  RttEstimator rtt;
  LossDetector losses{&sent};
  ProbeTimer probe_timer;
  RecoveryEpisode episode;
  LossBudget budget;
  Pacer pacer;
  MtuProber mtu;
  std::unique_ptr<CongestionController> congestion;
  RingDeque<Segment> acked;  // for PollAcked; bounded by what one OnAck can acknowledge

  PacketPlan plan;  // the last packet of `sent`, while its number is not 0 and it is neither sent
                    // nor taken back
  ByteCount bytes_in_flight = 0;
  ByteCount bytes_since_ack_now = 0;  // sent since the last packet that asked for an ACK
  uint32_t packets_in_flight = 0;
  uint32_t probes_to_send = 0;  // after a PTO: these packets may exceed the window
  PacketNumber window_full_below =
      0;  // packets below it were sent, or followed by others, up to the window
  uint32_t acks_without_answer = 0;  // ACK-only packets since the last ack-eliciting one
  uint64_t peer_ce_count = 0;
  Stats stats;
};

}  // namespace netchannel::transport

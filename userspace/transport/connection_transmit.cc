// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "transport/connection_impl.h"

namespace netchannel::transport {
namespace {

// Our ACKs grow with the gaps that they repeat; an answer to one of them lets it forget the old
// ones (RFC 9000 section 13.2.4). Asked for once in so many ACK-only packets, and only when there
// are gaps.
constexpr uint32_t kAcksPerPing = 32;

// After this many PTOs the path may have become narrower: probes are then as small as may be.
constexpr uint32_t kSmallProbeCount = 2;

}  // namespace

bool Connection::Impl::WindowOpen() const {
  return bytes_in_flight < congestion->window() && packets_in_flight < config.max_packets_in_flight;
}

ByteCount Connection::Impl::PacketSpace(ByteCount max_payload) const {
  const bool narrow = probe_timer.count() >= kSmallProbeCount;
  const ByteCount size = std::min(max_payload, narrow ? config.min_packet_size : mtu.packet_size());
  return size > wire::kHeaderSize ? size - wire::kHeaderSize : 0;
}

std::optional<PacketPlan> Connection::Impl::PollTransmit(Time now, ByteCount max_payload) {
  if (state != ConnectionState::kOpen) return std::nullopt;
  TakePlanBack();
  if (sent.full()) MakeRoom();
  if (probes_to_send > 0) return PlanProbe(max_payload);

  if (queue.empty() || !WindowOpen()) {
    pacer.OnIdle();
    if (!queue.empty() && bytes_in_flight >= congestion->window()) window_full_below = sent.next();
  } else if (!pacer.CanSend(now)) {
    pacer.OnHeldBack();
    if (bytes_in_flight * 2 >= congestion->window()) window_full_below = sent.next();
  } else {
    if (mtu.searching() || now >= mtu.raise_time()) {
      if (const auto size = mtu.NextProbe(now, max_payload)) return PlanMtuProbe(*size);
    }
    if (auto data = PlanData(now, max_payload)) return data;
  }
  if (ack_tracker.IsDue(now)) return PlanAck(max_payload);
  return std::nullopt;
}

// A receiver that waits for more packets than the window holds would hold the sender up for its
// delay. So small windows ask for an acknowledgement each quarter of them, when so much is out: a
// lone message's is left to travel with the answer.
bool Connection::Impl::NeedsAck() const {
  const ByteCount quarter = congestion->window() / 4, next = mtu.packet_size();
  if (quarter >= config.ack_threshold * next) return false;
  return std::min(bytes_in_flight, bytes_since_ack_now) + next > quarter;
}

PacketPlan& Connection::Impl::Plan(uint32_t segment_count) {
  plan.number = sent.next();
  SentPacket& packet = sent.Plan(segment_count);
  packet.ack_eliciting = segment_count > 0 || plan.ping;
  plan.segments = sent.Segments(packet);
  plan.ecn_capable = packet.ack_eliciting && congestion->ecn_capable();
  plan.ack_now = segment_count > 0 && NeedsAck();
  return plan;
}

PacketPlan Connection::Impl::PlanMtuProbe(ByteCount size) {
  sent.Reserve();
  plan = PacketPlan{};
  plan.ping = true;
  plan.pad_to = size;
  Plan(0);
  sent[plan.number].mtu_probe = true;
  return plan;
}

std::optional<PacketPlan> Connection::Impl::PlanProbe(ByteCount max_payload) {
  plan = PacketPlan{};
  Segment* const segments = sent.Reserve();
  const uint32_t count = queue.Take(PacketSpace(max_payload), segments, kMaxSegmentsPerPacket);
  plan.ping = count == 0;
  return Plan(count);
}

std::optional<PacketPlan> Connection::Impl::PlanData(Time now, ByteCount max_payload) {
  plan = PacketPlan{};
  ByteCount space = PacketSpace(max_payload);
  // An ACK that is not due yet goes along only when it displaces nothing.
  if (ack_tracker.pending()) {
    const bool roomy = queue.RecordBytes() + wire::kAckRecordFixedSize <= space;
    if (roomy || ack_tracker.IsDue(now)) {
      const ByteCount size = ack_tracker.Prepare(space / 2);
      plan.ack = size > 0;
      space -= size;
    }
  }
  Segment* const segments = sent.Reserve();
  const uint32_t count = queue.Take(space, segments, kMaxSegmentsPerPacket);
  if (count == 0) {
    plan = PacketPlan{};
    return std::nullopt;
  }
  return Plan(count);
}

std::optional<PacketPlan> Connection::Impl::PlanAck(ByteCount max_payload) {
  plan = PacketPlan{};
  ByteCount space = PacketSpace(max_payload);
  if (space <= wire::kPingRecordSize) return std::nullopt;
  if (ack_tracker.Prepare(space - wire::kPingRecordSize) == 0) return std::nullopt;
  plan.ack = true;
  plan.ping = acks_without_answer >= kAcksPerPing && ack_tracker.has_gaps() &&
              packets_in_flight < config.max_packets_in_flight;
  sent.Reserve();
  return Plan(0);
}

void Connection::Impl::OnSent(Time now, ByteCount bytes) {
  SentPacket& packet = sent[plan.number];
  packet.sent_time = now;
  packet.bytes = static_cast<uint32_t>(bytes);
  if (plan.ack) {
    const AckTracker::Told told = ack_tracker.OnAckSent(now);
    packet.told_largest = told.largest;
    packet.told_epoch = told.epoch;
    ++stats.acks_sent;
  }
  if (packet.ack_eliciting) {
    packet.state = PacketState::kInFlight;
    probe_timer.OnSent(now, packets_in_flight == 0);
    bytes_in_flight += bytes;
    ++packets_in_flight;
    bytes_since_ack_now = plan.ack_now ? 0 : bytes_since_ack_now + bytes;
    pacer.OnSent(now, bytes);
    if (packet.mtu_probe) mtu.OnProbeSent();
    if (probes_to_send > 0) --probes_to_send;
    acks_without_answer = 0;
  } else {
    packet.state = PacketState::kAckOnly;
    ++acks_without_answer;
    sent.PopDone(losses.largest_acked());
  }
  ++stats.packets_sent;
  plan.number = 0;
}

void Connection::Impl::TakePlanBack() {
  if (plan.number == 0) return;
  queue.PutBack(plan.segments);
  sent.Unplan();
  plan.number = 0;
}

void Connection::Impl::MakeRoom() {
  // Windows have been sent since the oldest packet: what is known about it by now is all that will
  // be. Without a verdict it counts as lost, but not as congestion.
  while (sent.full()) {
    SentPacket& oldest = sent[sent.begin()];
    if (oldest.state == PacketState::kInFlight) {
      LeaveFlight(oldest);
      if (oldest.mtu_probe) mtu.OnProbeForgotten();
      if (!oldest.copied) queue.Requeue(sent.Segments(oldest));
      ++stats.packets_lost;
    }
    sent.PopOldest();
    sent.PopDone(losses.largest_acked());
  }
}

}  // namespace netchannel::transport

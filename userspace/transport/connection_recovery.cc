// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "transport/connection_impl.h"

namespace netchannel::transport {
namespace {

constexpr uint32_t kProbesPerPto = 2;              // RFC 9002 section 6.2.4
constexpr int kPersistentCongestionThreshold = 3;  // RFC 9002 section 7.6.1

}  // namespace

bool Connection::Impl::OnAck(Time now, const wire::Ack& ack) {
  TakePlanBack();
  const auto result = losses.OnAck(now, ack, rtt);
  if (!result) return false;
  ++stats.acks_received;

  AckSample sample;
  sample.now = now;
  sample.largest_acked = ack.largest;
  sample.next_number = sent.next();
  if (result->largest_is_new && sent[ack.largest].ack_eliciting) {
    sample.rtt = now - sent[ack.largest].sent_time;
    rtt.Update(sample.rtt, ack.delay);
  }
  sample.smoothed_rtt = rtt.smoothed();
  OnAcked(result->acked, sample);
  OnLate(result->late);
  if (sample.acked_packets > 0 || !result->late.empty()) {
    probe_timer.OnProgress(now, rtt);
    probes_to_send = 0;
  }
  if (ack.ce_count > peer_ce_count) {
    const uint64_t marks = ack.ce_count - peer_ce_count;
    sample.ce_packets = static_cast<uint32_t>(std::min<uint64_t>(marks, sample.acked_packets));
    peer_ce_count = ack.ce_count;
  }
  OnLost(now, losses.DetectLost(now, rtt));

  sample.window_limited = !result->acked.empty() && result->acked.front() < window_full_below;
  sample.in_recovery = episode.Covers(ack.largest);
  congestion->OnAck(sample);
  SetPacingRate();
  sent.PopDone(losses.largest_acked());
  return true;
}

void Connection::Impl::OnAcked(absl::Span<const PacketNumber> numbers, AckSample& sample) {
  AckTracker::Told told;
  for (const PacketNumber number : numbers) {
    const SentPacket& packet = sent[number];
    if (packet.told_largest > told.largest) told = {packet.told_largest, packet.told_epoch};
    if (!packet.ack_eliciting) continue;
    LeaveFlight(packet);
    sample.acked_bytes += packet.bytes;
    ++sample.acked_packets;
    ReportAcked(packet);
    if (packet.mtu_probe) {
      if (mtu.OnProbeAcked(packet.bytes)) OnPacketSizeChanged();
    } else {
      mtu.OnAcked(number, packet.bytes);
    }
  }
  budget.OnAcked(sample.acked_packets);
  ack_tracker.OnToldAcknowledged(told);
}

void Connection::Impl::OnLate(absl::Span<const PacketNumber> numbers) {
  for (const PacketNumber number : numbers) {
    const SentPacket& packet = sent[number];
    ++stats.packets_spuriously_lost;
    ReportAcked(packet);
    for (const Segment& segment : sent.Segments(packet)) queue.ForgetLost(segment);
    if (packet.mtu_probe && mtu.OnProbeAcked(packet.bytes)) OnPacketSizeChanged();
    if (episode.OnSpurious(packet.episode)) congestion->OnSpurious();
  }
}

void Connection::Impl::ReportAcked(const SentPacket& packet) {
  for (const Segment& segment : sent.Segments(packet)) {
    if (packet.copied) queue.ForgetLost(segment);
    if (acked.empty() || !JoinData(acked.back(), segment)) acked.push_back(segment);
  }
}

void Connection::Impl::LeaveFlight(const SentPacket& packet) {
  bytes_in_flight -= packet.bytes;
  --packets_in_flight;
}

void Connection::Impl::OnLost(Time now, absl::Span<const PacketNumber> numbers) {
  if (numbers.empty()) return;
  for (const PacketNumber number : numbers) {
    const SentPacket& packet = sent[number];
    LeaveFlight(packet);
    ++stats.packets_lost;
    if (!packet.copied) queue.Requeue(sent.Segments(packet));
    if (packet.mtu_probe) {
      mtu.OnProbeLost(now, packet.bytes);
    } else if (mtu.OnLost(number, packet.bytes)) {
      OnPacketSizeChanged();
    }
  }
  ReactToLoss(now, numbers);
}

void Connection::Impl::ReactToLoss(Time now, absl::Span<const PacketNumber> numbers) {
  uint32_t fresh = 0;
  for (const PacketNumber number : numbers) {
    if (!sent[number].mtu_probe && !episode.Covers(number)) ++fresh;
  }
  const bool reduce = fresh > 0 && !budget.Forgive(fresh, rtt);
  if (reduce) {
    congestion->OnCongestion(now);
    episode.Begin(sent.next());
  }
  for (const PacketNumber number : numbers) {
    SentPacket& packet = sent[number];
    if (!packet.mtu_probe && episode.Covers(number)) packet.episode = episode.OnLost();
  }
  if (reduce && PersistentlyCongested(numbers)) congestion->OnPersistentCongestion();
}

bool Connection::Impl::PersistentlyCongested(absl::Span<const PacketNumber> lost) const {
  if (!rtt.has_sample() || lost.size() < 2) return false;
  const Duration limit = ProbeTimer::Interval(rtt) * kPersistentCongestionThreshold;
  if (sent[lost.back()].sent_time - sent[lost.front()].sent_time <= limit) return false;
  // Of the packets between two losses none may have been acknowledged.
  size_t first = 0;
  for (size_t i = 1; i < lost.size(); ++i) {
    for (PacketNumber n = lost[i - 1] + 1; n < lost[i]; ++n) {
      if (sent[n].state == PacketState::kDone && sent[n].ack_eliciting) first = i;
    }
    if (sent[lost[i]].sent_time - sent[lost[first]].sent_time > limit) return true;
  }
  return false;
}

void Connection::Impl::OnPacketSizeChanged() { congestion->SetPacketSize(mtu.packet_size()); }

void Connection::Impl::SetPacingRate() {
  pacer.SetRate(congestion->window(), rtt.smoothed(), congestion->in_slow_start(),
                mtu.packet_size());
}

void Connection::Impl::OnTimer(Time now) {
  if (state != ConnectionState::kOpen || packets_in_flight == 0) return;
  TakePlanBack();
  if (now >= probe_timer.dead_deadline()) {
    state = ConnectionState::kDead;
    return;
  }
  if (losses.loss_time() <= now) {
    OnLost(now, losses.DetectLost(now, rtt));
    SetPacingRate();
    return;
  }
  if (!(losses.loss_time() == Time::Infinite()) || now < probe_timer.probe_deadline()) return;
  probe_timer.OnFired(now, rtt);
  ++stats.ptos;
  probes_to_send = kProbesPerPto;
  for (uint32_t i = 0; i < kProbesPerPto; ++i) QueueCopyOfOldest();
}

void Connection::Impl::QueueCopyOfOldest() {
  for (PacketNumber n = sent.begin(); n < sent.next(); ++n) {
    SentPacket& packet = sent[n];
    if (packet.state != PacketState::kInFlight || packet.copied || packet.segment_count == 0)
      continue;
    queue.Requeue(sent.Segments(packet));
    packet.copied = true;
    return;
  }
}

Time Connection::Impl::NextTimeout() const {
  if (state != ConnectionState::kOpen) return Time::Infinite();
  Time next = std::min(ack_tracker.deadline(), pacer.release_time());
  if (packets_in_flight == 0) return next;
  const Time loss_time = losses.loss_time();
  next = std::min(next, loss_time.is_infinite() ? probe_timer.probe_deadline() : loss_time);
  return std::min(next, probe_timer.dead_deadline());
}

std::optional<Segment> Connection::Impl::TakeUnacknowledged() {
  TakePlanBack();
  for (PacketNumber n = sent.begin(); n < sent.next(); ++n) {
    SentPacket& packet = sent[n];
    if (packet.state == PacketState::kInFlight) {
      LeaveFlight(packet);
      if (!packet.copied) queue.Requeue(sent.Segments(packet));
    }
    packet.state = PacketState::kDone;
  }
  sent.PopDone(sent.next());
  losses.Clear();
  probes_to_send = 0;
  if (queue.empty()) return std::nullopt;
  return queue.Pop();
}

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
#include "transport_sim_endpoint.h"

#include <algorithm>
#include <optional>

#include "sim/require.h"

namespace netchannel::sim {
namespace {

constexpr ByteCount kDevicePayload = 65000;
constexpr uint32_t kMaxWakesAtOnce = 10'000;

Duration Uniform(SeededRng& rng, Duration most) {
  return Duration::Nanos(static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most.nanos()) + 1)));
}

ByteCount RecordBytes(const Segment& segment) {
  switch (segment.kind) {
    case SegmentKind::kData:
      return wire::kDataRecordHeaderSize + segment.length +
             (segment.with_open ? wire::kOpenRecordSize : 0);
    case SegmentKind::kReset:
      return wire::kResetRecordSize;
    default:
      return wire::kOpenRecordSize;
  }
}

}  // namespace

TransportEndpoint::TransportEndpoint(EventQueue* events, const transport::ConnectionConfig& config,
                                     const TransportWorkload& workload, const StallConfig& stall,
                                     uint64_t seed)
    : Actor(events),
      connection_(config, events->now()),
      workload_(workload),
      stall_(stall),
      rng_(seed),
      written_(workload.streams, 0),
      next_stall_(events->now() + Uniform(rng_, stall.every * 2)) {}

bool TransportEndpoint::Stalled(Time now) {
  if (stall_.every == Duration::Zero()) return false;
  if (now < stalled_until_) return true;
  if (now < next_stall_) return false;
  stalled_until_ = now + Uniform(rng_, stall_.length);
  next_stall_ = stalled_until_ + Uniform(rng_, stall_.every * 2);
  return now < stalled_until_;
}

void TransportEndpoint::OnArrival(TransportPacket packet) {
  arrived_.push_back(std::move(packet));
  OnWake(now());
}

void TransportEndpoint::OnWake(Time now) {
  wakes_at_once_ = now == last_wake_ ? wakes_at_once_ + 1 : 0;
  last_wake_ = now;
  Require(wakes_at_once_ < kMaxWakesAtOnce, "the transport's timers fire without end");
  if (Stalled(now)) {
    WakeAt(stalled_until_);
    return;
  }
  while (!arrived_.empty()) {
    Process(now, std::move(arrived_.front()));
    arrived_.pop_front();
  }
  if (connection_.NextTimeout() <= now) connection_.OnTimer(now);
  Transmit(now);
  WakeAt(connection_.NextTimeout());
}

void TransportEndpoint::Process(Time now, TransportPacket packet) {
  const auto receipt =
      connection_.OnPacket(now, packet.number, {packet.ack_eliciting, packet.ack_now, packet.ecn});
  if (receipt != transport::Receipt::kNew) return;
  Require(processed_.insert(packet.number).second, "a packet number was processed twice");
  if (packet.has_ack) {
    Require(connection_.OnAck(now, packet.ack), "an honest ACK was refused");
    DrainAcked();
  }
  for (const Segment& segment : packet.segments) Receive(segment);
}

void TransportEndpoint::Receive(const Segment& segment) {
  if (segment.kind != SegmentKind::kData) {
    controls_received_.insert(ControlKey(segment));
    return;
  }
  Incoming& stream = incoming_[segment.stream.slot];
  const uint64_t before = stream.bytes.CountValues();
  Require(stream.bytes.Add(segment.offset, segment.offset + segment.length), "too many gaps");
  const uint64_t gained = stream.bytes.CountValues() - before;
  bytes_received_ += gained;
  bytes_again_ += segment.length - gained;
  if (segment.fin) {
    Require(segment.offset + segment.length == workload_.bytes_per_stream ||
                segment.offset + segment.length == peer_->workload_.bytes_per_stream,
            "a FIN moved");
    stream.fin = true;
  }
}

void TransportEndpoint::DrainAcked() {
  while (const auto segment = connection_.PollAcked()) {
    if (segment->kind != SegmentKind::kData) {
      Require(peer_->controls_received_.count(ControlKey(*segment)) == 1,
              "a control segment was acknowledged that the peer does not have");
      continue;
    }
    const auto stream = peer_->incoming_.find(segment->stream.slot);
    const uint64_t end = segment->offset + segment->length;
    Require(stream != peer_->incoming_.end() &&
                stream->second.bytes.ContainsAll(segment->offset, end) &&
                (!segment->fin || stream->second.fin),
            "data was acknowledged that the peer does not have");
    auto [known, inserted] = acknowledged_.try_emplace(segment->stream.slot, 1 << 20);
    Require(known->second.Add(segment->offset, end), "too many gaps");
  }
}

void TransportEndpoint::WriteControl() {
  if (controls_written_ >= workload_.controls || !rng_.Chance(0.2)) return;
  Segment segment;
  segment.kind = static_cast<SegmentKind>(1 + rng_.Below(4));
  segment.stream = {controls_written_, 1};
  if (connection_.Enqueue(segment)) ++controls_written_;
}

void TransportEndpoint::Write() {
  WriteControl();
  uint32_t complete = 0;
  while (complete < workload_.streams && connection_.queued_bytes() < workload_.backlog) {
    const uint32_t stream = next_stream_;
    next_stream_ = (next_stream_ + 1) % workload_.streams;
    uint64_t& written = written_[stream];
    if (written >= workload_.bytes_per_stream) {
      ++complete;
      continue;
    }
    complete = 0;
    Segment segment;
    segment.stream = {stream, 1};
    segment.offset = written;
    segment.length = static_cast<uint32_t>(
        std::min<uint64_t>(workload_.write_bytes, workload_.bytes_per_stream - written));
    segment.fin = written + segment.length == workload_.bytes_per_stream;
    segment.with_open = workload_.with_open && written < 10'000;
    if (!connection_.Enqueue(segment)) return;
    written += segment.length;
  }
}

TransportPacket TransportEndpoint::Build(Time now, const transport::PacketPlan& plan) {
  TransportPacket packet;
  packet.number = plan.number;
  packet.bytes = wire::kHeaderSize;
  packet.segments.assign(plan.segments.begin(), plan.segments.end());
  packet.ack_eliciting = plan.ping || !packet.segments.empty();
  packet.ack_now = plan.ack_now;
  packet.ecn = plan.ecn_capable ? transport::Ecn::kEct0 : transport::Ecn::kNotEct;
  if (plan.ack) {
    packet.has_ack = true;
    packet.ack = connection_.BuildAck(now);
    packet.bytes += wire::kAckRecordFixedSize + packet.ack.range_count * wire::kAckRangeSize;
  }
  if (plan.ping) packet.bytes += wire::kPingRecordSize;
  for (const Segment& segment : packet.segments) packet.bytes += RecordBytes(segment);
  Require(packet.bytes <= std::max(connection_.packet_size(), plan.pad_to), "a plan is too large");
  packet.bytes = std::max(packet.bytes, plan.pad_to);
  return packet;
}

void TransportEndpoint::Transmit(Time now) {
  uint32_t burst = 0;
  while (true) {
    Write();
    const auto plan = connection_.PollTransmit(now, kDevicePayload);
    if (!plan) break;
    if (stall_.every != Duration::Zero() && rng_.Chance(0.01)) {
      // No buffer in the device.
      connection_.OnNotSent(plan->number);
      WakeAt(now + Duration::Micros(10));
      break;
    }
    TransportPacket packet = Build(now, *plan);
    connection_.OnSent(now, plan->number, packet.bytes);
    out_->Send(std::move(packet));
    Require(++burst <= 100'000, "the transport sends without end");
  }
  max_burst_ = std::max(max_burst_, burst);
  if (controls_written_ < workload_.controls) WakeAt(now + Duration::Millis(1));
}

bool TransportEndpoint::SentAll() const {
  if (controls_written_ < workload_.controls || connection_.queued_bytes() > 0) return false;
  if (workload_.bytes_per_stream == 0) return true;
  for (uint32_t stream = 0; stream < workload_.streams; ++stream) {
    const auto known = acknowledged_.find(stream);
    if (known == acknowledged_.end()) return false;
    if (!known->second.ContainsAll(0, workload_.bytes_per_stream)) return false;
  }
  return true;
}

bool TransportEndpoint::HasAll(const TransportWorkload& workload) const {
  if (controls_received_.size() < workload.controls) return false;
  if (workload.bytes_per_stream == 0) return true;
  if (incoming_.size() < workload.streams) return false;
  return std::all_of(incoming_.begin(), incoming_.end(), [&](const auto& entry) {
    return entry.second.fin && entry.second.bytes.ContainsAll(0, workload.bytes_per_stream);
  });
}

}  // namespace netchannel::sim

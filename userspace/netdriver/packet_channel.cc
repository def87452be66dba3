// SPDX-License-Identifier: Apache-2.0
#include "netdriver/packet_channel.h"

#include <algorithm>
#include <utility>

#include "netdriver/packet_builder.h"
#include "netdriver/record_delivery.h"
#include "netdriver/session.h"

namespace netchannel {
namespace {

// A segment of no stream: where it is sent, a PING goes out (packet_builder.h).
constexpr Segment PingSegment() {
  Segment segment;
  segment.kind = SegmentKind::kWindow;
  return segment;
}

wire::DatagramHeader HeadersFor(const PeerPath& path, const ChannelPlan& plan) {
  return wire::DatagramHeader(wire::Bytes(path.link().bytes.data(), path.link().length), plan.local,
                              plan.remote);
}

}  // namespace

const char* ChannelStateName(ChannelState state) {
  switch (state) {
    case ChannelState::kOpen:
      return "open";
    case ChannelState::kDraining:
      return "draining";
    case ChannelState::kResting:
      return "resting";
    case ChannelState::kFailed:
      return "failed";
  }
  return "unknown";
}

PacketChannel::PacketChannel(Session* session, const ChannelPlan& plan,
                             const transport::ConnectionConfig* config, PeerPath* path,
                             ChannelInfo* info, ByteCount backlog_limit, bool open)
    : session_(session),
      plan_(plan),
      config_(config),
      path_(path),
      info_(info),
      backlog_limit_(backlog_limit),
      headers_(HeadersFor(*path, plan)),
      path_generation_(path->generation()) {
  *info_ = ChannelInfo{
      .index = plan.index, .app_class = plan.app_class, .open = open, .lane = plan.lane};
  RefreshInfo();
}

ChannelState PacketChannel::state() const {
  if (failed_) return ChannelState::kFailed;
  if (info_->open) return ChannelState::kOpen;
  return connection_ ? ChannelState::kDraining : ChannelState::kResting;
}

void PacketChannel::Open() {
  info_->open = !failed_;
  RefreshInfo();
}

void PacketChannel::Close() {
  info_->open = false;
  RefreshInfo();
}

transport::Connection& PacketChannel::Wake(Time now) {
  last_used_ = now;
  return connection_ ? *connection_ : connection_.emplace(*config_, now);
}

Time PacketChannel::rest_at() const {
  return info_->open || failed_ || !connection_ ? Time::Infinite() : last_used_ + kLinger;
}

void PacketChannel::Rest(std::vector<Segment>& left) {
  while (const auto segment = connection_->TakeUnacknowledged()) left.push_back(*segment);
  connection_.reset();
  epoch_.Rest();
  RefreshInfo();
}

void PacketChannel::SetFailed() {
  failed_ = info_->failed = true;
  info_->open = false;
  RefreshInfo();
}

void PacketChannel::RefreshInfo() {
  const ByteCount backlog = connection_ && !failed_ ? connection_->queued_bytes() : 0;
  info_->backlog = backlog;
  info_->capacity = info_->open && backlog < backlog_limit_ ? backlog_limit_ - backlog : 0;
}

bool PacketChannel::Enqueue(Time now, const Segment& segment) {
  if (segment.kind == SegmentKind::kData && info_->capacity == 0) return false;
  return EnqueueMoved(now, segment);
}

bool PacketChannel::EnqueueMoved(Time now, const Segment& segment) {
  if (!info_->open || !Wake(now).Enqueue(segment)) return false;
  info_->taken += segment.length;
  RefreshInfo();
  return true;
}

void PacketChannel::EnqueuePing(Time now) {
  // Refused only by a full queue, and then there is no need to provoke an answer.
  (void)Wake(now).Enqueue(PingSegment());
}

ReceiveResult PacketChannel::OnPacket(Time now, const ReceivedPacket& packet, wire::Record& scratch,
                                      std::vector<Delivery>& out, EventQueue& events) {
  const size_t before = out.size();
  const PacketContents contents = ReadRecords(packet, session_->handle, scratch, out);
  if (!contents.well_formed) {
    TruncateDeliveries(out, before);
    return ReceiveResult::kBadRecord;
  }
  const auto number = epoch_.Received(packet.number);
  const transport::Arrival arrival = {contents.ack_eliciting, packet.ack_now, packet.ecn};
  if (!number || Wake(now).OnPacket(now, *number, arrival) != transport::Receipt::kNew) {
    TruncateDeliveries(out, before);
    return ReceiveResult::kDuplicate;
  }
  if (contents.has_ack && epoch_.FromWire(scratch.ack)) {
    if (!connection_->OnAck(now, scratch.ack)) return ReceiveResult::kBadAck;
    DrainAcked(events);
    RefreshInfo();
  }
  return contents.closed ? ReceiveResult::kClosed : ReceiveResult::kOk;
}

void PacketChannel::DrainAcked(EventQueue& events) {
  while (const auto segment = connection_->PollAcked()) {
    switch (segment->kind) {
      case SegmentKind::kData:
      case SegmentKind::kAccept:
      case SegmentKind::kReset:
        events.PushAcknowledged(session_->handle, *segment);
        break;
      case SegmentKind::kOpen:    // the ACCEPT or RESET that answers it says more
      case SegmentKind::kWindow:  // the next one replaces it
        break;
    }
  }
}

void PacketChannel::RefreshHeaders() {
  if (path_generation_ == path_->generation()) return;
  headers_ = HeadersFor(*path_, plan_);
  path_generation_ = path_->generation();
}

std::optional<PacketChannel::Room> PacketChannel::Reserve(LaneSet& lanes) {
  const absl::Span<std::byte> frame = lanes.Reserve(plan_.lane);
  RefreshHeaders();
  if (frame.size() <= headers_.size()) return std::nullopt;
  const ByteCount mtu = headers_.MaxPayload(lanes.info(plan_.lane).mtu);
  return Room{frame, std::min<ByteCount>(frame.size() - headers_.size(), mtu)};
}

TransmitResult PacketChannel::TransmitOne(Time now, LaneSet& lanes, StreamTable& streams) {
  if (!connection_) return TransmitResult::kNothing;
  const auto room = Reserve(lanes);
  if (!room) return TransmitResult::kBlocked;
  auto plan = connection_->PollTransmit(now, room->max_payload);
  if (!plan) return TransmitResult::kNothing;
  wire::Ack ack;
  if (plan->ack) {
    ack = connection_->BuildAck(now);
    epoch_.ToWire(ack);
  }
  const PacketNumber number = std::exchange(plan->number, epoch_.Sent(plan->number));
  const size_t size = BuildPacket(*plan, plan->ack ? &ack : nullptr, plan_.peer_token, streams,
                                  headers_, room->frame);
  lanes.Submit(plan_.lane, headers_.size() + size);
  connection_->OnSent(now, number, size);
  RefreshInfo();
  return TransmitResult::kSent;
}

void PacketChannel::TransmitClose(Time now, LaneSet& lanes, wire::CloseCode code) {
  const auto room = Reserve(lanes);
  if (failed_ || !room) return;
  EnqueuePing(now);
  const auto plan = connection_->PollTransmit(now, room->max_payload);
  if (!plan) return;
  const size_t size =
      BuildClosePacket(epoch_.Sent(plan->number), plan_.peer_token, code, headers_, room->frame);
  lanes.Submit(plan_.lane, headers_.size() + size);
  connection_->OnSent(now, plan->number, size);
}

}  // namespace netchannel

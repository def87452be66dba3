// SPDX-License-Identifier: Apache-2.0
#include "transport/connection.h"

#include <algorithm>
#include <bit>

#include "transport/connection_impl.h"
#include "transport/cubic.h"

namespace netchannel::transport {
namespace {

// How many packet numbers below the largest a receiver remembers: eight windows of a peer that is
// configured alike, and enough for bursts of ACK-only packets.
uint32_t ReceiveWindow(const ConnectionConfig& config) {
  constexpr uint32_t kLeast = 1024;
  constexpr uint32_t kMost = 65536;
  return std::clamp(std::bit_ceil(config.max_packets_in_flight * 8), kLeast, kMost);
}

}  // namespace

Connection::Impl::Impl(const ConnectionConfig& c, Time now)
    : config(c),
      ack_tracker(c.ack_threshold, c.max_ack_delay, ReceiveWindow(c)),
      queue(c.max_queued_segments),
      sent(c.max_packets_in_flight),
      rtt(c.initial_rtt, c.max_ack_delay),
      probe_timer(c.user_timeout),
      pacer(c.pacing),
      mtu(c.min_packet_size, c.max_packet_size),
      congestion(MakeCongestionController(c.congestion, c.min_packet_size,
                                          2 * c.max_packets_in_flight * c.max_packet_size)) {
  // All that an idle connection holds: 16,000 of them (1,000 sessions of 16 channels) are 32 MB.
  static_assert(sizeof(Impl) + sizeof(Cubic) <= 2048);
  probe_timer.OnProgress(now, rtt);
}

Connection::Connection(const ConnectionConfig& config, Time now)
    : impl_(std::make_unique<Impl>(config, now)) {}
Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

bool Connection::Enqueue(const Segment& segment) { return impl_->queue.Enqueue(segment); }
ByteCount Connection::queued_bytes() const { return impl_->queue.data_bytes(); }
ByteCount Connection::bytes_in_flight() const { return impl_->bytes_in_flight; }
ByteCount Connection::congestion_window() const { return impl_->congestion->window(); }

bool Connection::CanSendData(Time now) const {
  if (impl_->state != ConnectionState::kOpen) return false;
  return impl_->probes_to_send > 0 || (impl_->WindowOpen() && impl_->pacer.CanSend(now));
}

std::optional<PacketPlan> Connection::PollTransmit(Time now, ByteCount max_payload) {
  return impl_->PollTransmit(now, max_payload);
}

wire::Ack Connection::BuildAck(Time now) { return impl_->ack_tracker.Build(now); }

void Connection::OnSent(Time now, PacketNumber number, ByteCount bytes) {
  if (number != 0 && number == impl_->plan.number) impl_->OnSent(now, bytes);
}

void Connection::OnNotSent(PacketNumber number) {
  if (number == impl_->plan.number) impl_->TakePlanBack();
}

Receipt Connection::OnPacket(Time now, PacketNumber number, const Arrival& arrival) {
  const Receipt receipt = impl_->ack_tracker.OnPacket(now, number, arrival);
  Stats& stats = impl_->stats;
  if (receipt == Receipt::kNew) {
    ++stats.packets_received;
    if (arrival.ecn == Ecn::kCe) ++stats.ce_received;
  } else {
    ++stats.duplicates;
  }
  return receipt;
}

bool Connection::OnAck(Time now, const wire::Ack& ack) { return impl_->OnAck(now, ack); }
void Connection::OnTimer(Time now) { impl_->OnTimer(now); }
Time Connection::NextTimeout() const { return impl_->NextTimeout(); }

std::optional<Segment> Connection::PollAcked() {
  if (impl_->acked.empty()) return std::nullopt;
  const Segment segment = impl_->acked.front();
  impl_->acked.pop_front();
  return segment;
}

std::optional<Segment> Connection::TakeUnacknowledged() { return impl_->TakeUnacknowledged(); }

ConnectionState Connection::state() const { return impl_->state; }
Duration Connection::smoothed_rtt() const { return impl_->rtt.smoothed(); }
Duration Connection::min_rtt() const { return impl_->rtt.min(); }
ByteCount Connection::packet_size() const { return impl_->mtu.packet_size(); }
const Connection::Stats& Connection::stats() const { return impl_->stats; }

}  // namespace netchannel::transport

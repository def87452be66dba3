// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/xdp_lane.h"

#include <algorithm>

#include "netdriver/xdp/udp_port.h"

namespace netchannel {
namespace {

using xdp::kChunkSize;

void StartPacket(RxPacket* packet) {
  packet->chunk_count = 0;
  packet->length = 0;
}

// Only the chunks in use: the arrays are large.
void CopyPacket(const RxPacket& from, RxPacket* to) {
  std::copy_n(from.chunks.begin(), from.chunk_count, to->chunks.begin());
  std::copy_n(from.frames.begin(), from.chunk_count, to->frames.begin());
  to->chunk_count = from.chunk_count;
  to->length = from.length;
}

}  // namespace

XdpLane::XdpLane(const LaneInfo& info, uint16_t udp_port, absl::Span<std::byte> umem,
                 xdp::QueuePort* port, uint64_t tx_base, const xdp::UmemBudget& budget)
    : info_(info),
      udp_port_(udp_port),
      umem_(umem),
      port_(port),
      tx_pool_(tx_base, budget.tx_slots, budget.tx_chunks_per_slot) {
  port_->AddTxPool(&tx_pool_);
}

void XdpLane::Attach(xdp::Xsk* xsk, bool zero_copy) {
  xsk_ = xsk;
  zero_copy_ = zero_copy;
  if (thread_ != nullptr) thread_->Set(place_, xsk, zero_copy);
}

void XdpLane::UseThread(xdp::ChannelThread* thread) {
  thread_ = thread;
  place_ = thread->Add(&tx_counters_);
}

void XdpLane::Detach() {
  if (thread_ != nullptr) thread_->Set(place_, nullptr, false);
  GiveBackChunks(&partial_);
  skipping_ = false;
  reserved_ = false;
  unsubmitted_ = 0;
  tx_pool_.Reset();
  xsk_ = nullptr;
}

void XdpLane::GiveBackChunks(RxPacket* packet) {
  for (uint32_t i = 0; i < packet->chunk_count; ++i) port_->GiveBack(packet->frames[i]);
  StartPacket(packet);
}

// Adds what `descriptor` has to `packet`. True when that completes it.
bool XdpLane::Accept(const xdp_desc& descriptor, RxPacket* packet) {
  if (!port_->Take(descriptor.addr)) return false;
  const bool last = (descriptor.options & XDP_PKT_CONTD) == 0;
  const uint64_t room = kChunkSize - descriptor.addr % kChunkSize;
  if (skipping_ || packet->chunk_count == kMaxRxChunks || descriptor.len > room) {
    port_->GiveBack(descriptor.addr);
    GiveBackChunks(packet);
    if (!skipping_) ++stats_.rx_too_long;
    skipping_ = !last;
    return false;
  }
  const uint32_t i = packet->chunk_count++;
  packet->chunks[i] = umem_.subspan(descriptor.addr, descriptor.len);
  packet->frames[i] = descriptor.addr;
  packet->length += descriptor.len;
  return last;
}

void XdpLane::CountReceived(const RxPacket& packet) {
  ++stats_.rx_packets;
  stats_.rx_bytes += packet.length;
  const auto port = xdp::UdpDestinationPort(packet.first());
  if (port && *port != udp_port_) ++stats_.handed_over;
}

size_t XdpLane::Receive(absl::Span<RxPacket> out) {
  size_t filled = 0;
  if (out.empty() || xsk_ == nullptr) return 0;
  CopyPacket(partial_, &out[0]);
  while (filled < out.size()) {
    uint32_t index = 0;
    // One descriptor completes one packet at most: these fit into `out`.
    const uint32_t count =
        xsk_ring_cons__peek(&xsk_->rx, static_cast<uint32_t>(out.size() - filled), &index);
    if (count == 0) break;
    for (uint32_t i = 0; i < count; ++i) {
      if (!Accept(*xsk_ring_cons__rx_desc(&xsk_->rx, index + i), &out[filled])) continue;
      CountReceived(out[filled]);
      if (++filled < out.size()) StartPacket(&out[filled]);
    }
    xsk_ring_cons__release(&xsk_->rx, count);
  }
  if (filled < out.size()) {
    CopyPacket(out[filled], &partial_);
  } else {
    StartPacket(&partial_);
  }
  port_->Refill();
  if (zero_copy_ && port_->fill_needs_wakeup()) xsk_->KickRx();
  return filled;
}

void XdpLane::Release(absl::Span<const RxPacket> packets) {
  for (const RxPacket& packet : packets) {
    for (uint32_t i = 0; i < packet.chunk_count; ++i) port_->GiveBack(packet.frames[i]);
  }
  if (xsk_ != nullptr) port_->Refill();
}

absl::Span<std::byte> XdpLane::Reserve() {
  if (xsk_ == nullptr) return {};  // nor are there rings to reap
  if (!reserved_) {
    auto slot = tx_pool_.Acquire();
    if (!slot) {
      port_->Reap();
      slot = tx_pool_.Acquire();
      if (!slot) return {};
    }
    reserved_slot_ = *slot;
    reserved_ = true;
  }
  return umem_.subspan(tx_pool_.AddressOf(reserved_slot_), tx_pool_.slot_size());
}

void XdpLane::Submit(size_t length) {
  const uint32_t count = static_cast<uint32_t>((length + kChunkSize - 1) / kChunkSize);
  uint32_t index = 0;
  // The ring has room for all slots (UmemBudget), so this fails for an empty or oversized packet
  // only.
  if (!reserved_ || count == 0 || length > tx_pool_.slot_size() ||
      xsk_ring_prod__reserve(&xsk_->tx, count, &index) != count) {
    ++stats_.tx_errors;
    return;
  }
  uint64_t address = tx_pool_.AddressOf(reserved_slot_);
  size_t left = length;
  for (uint32_t i = 0; i < count; ++i) {
    xdp_desc* descriptor = xsk_ring_prod__tx_desc(&xsk_->tx, index + i);
    descriptor->addr = address;
    descriptor->len = static_cast<uint32_t>(std::min<size_t>(left, kChunkSize));
    descriptor->options = i + 1 < count ? XDP_PKT_CONTD : 0;
    address += kChunkSize;
    left -= descriptor->len;
  }
  tx_pool_.MarkSubmitted(reserved_slot_, count);
  reserved_ = false;
  unsubmitted_ += count;
  ++stats_.tx_packets;
  stats_.tx_bytes += length;
}

bool XdpLane::Flush() {
  if (unsubmitted_ > 0) {
    xsk_ring_prod__submit(&xsk_->tx, unsubmitted_);
    unsubmitted_ = 0;
  }
  if (tx_pool_.in_flight() == 0) return true;
  const bool sent = Kick();
  port_->Reap();
  return sent;
}

bool XdpLane::Kick() {
  if (thread_ == nullptr) return xdp::KickUntilEmpty(*xsk_, zero_copy_, tx_counters_);
  if (xsk_->tx_queued() == 0) return true;
  const bool failed = thread_->last_try_failed(place_);
  thread_->Ring(place_);
  return !failed;
}

LaneStats XdpLane::ReadStats() const {
  LaneStats stats = stats_;
  stats.tx_kicks = tx_counters_.kicks;
  stats.tx_again = tx_counters_.again;
  stats.tx_dropped = tx_counters_.dropped;
  stats.tx_errors += tx_counters_.errors;
  if (xsk_ == nullptr) return stats;
  const xdp_statistics kernel = xsk_->statistics();
  stats.rx_dropped = kernel.rx_dropped;
  stats.rx_invalid_descs = kernel.rx_invalid_descs;
  stats.tx_invalid_descs = kernel.tx_invalid_descs;
  stats.rx_ring_full = kernel.rx_ring_full;
  stats.rx_fill_ring_empty_descs = kernel.rx_fill_ring_empty_descs;
  stats.tx_ring_empty_descs = kernel.tx_ring_empty_descs;
  return stats;
}

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_lane.h"

#include <algorithm>

#include "sim/require.h"

namespace netchannel::sim {

SimLane::SimLane(EventQueue* events, const LaneInfo& info, const LaneOptions& options,
                 FramePool* pool, FrameSink* wire)
    : events_(events),
      info_(info),
      options_(options),
      pool_(pool),
      wire_(wire),
      tx_buffer_(info.mtu + kEthernetSize) {}

SimLane::~SimLane() { Require(borrowed_count_ == 0, "a received packet was never released"); }

bool SimLane::Arrive(Frame frame) {
  if (waiting_.size() >= options_.rx_capacity) return false;
  waiting_.push_back(std::move(frame));
  return true;
}

void SimLane::DropAll() {
  waiting_.clear();
  submitted_.clear();
}

size_t SimLane::BorrowedSlot(Frame frame) {
  if (free_slots_.empty()) {
    free_slots_.push_back(borrowed_.size());
    borrowed_.emplace_back();
  }
  const size_t slot = free_slots_.back();
  free_slots_.pop_back();
  borrowed_[slot] = std::move(frame);
  ++borrowed_count_;
  return slot;
}

void SimLane::Describe(size_t slot, RxPacket& packet) {
  const absl::Span<const std::byte> bytes = std::as_const(borrowed_[slot]).bytes();
  size_t chunk = options_.rx_chunk == 0 ? bytes.size() : options_.rx_chunk;
  chunk = std::max({chunk, kMinFirstChunk, (bytes.size() + kMaxRxChunks - 1) / kMaxRxChunks});
  packet.length = static_cast<uint32_t>(bytes.size());
  packet.chunk_count = 0;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    packet.chunks[packet.chunk_count] = bytes.subspan(at, chunk);
    packet.frames[packet.chunk_count] = NameOf(slot, packet.chunk_count);
    ++packet.chunk_count;
  }
}

size_t SimLane::Receive(absl::Span<RxPacket> out) {
  size_t count = 0;
  while (count < out.size() && !waiting_.empty()) {
    const size_t slot = BorrowedSlot(std::move(waiting_.front()));
    waiting_.pop_front();
    Describe(slot, out[count++]);
  }
  return count;
}

void SimLane::Release(absl::Span<const RxPacket> packets) {
  for (const RxPacket& packet : packets) {
    Require(packet.chunk_count > 0, "a packet without chunks was released");
    const size_t slot = (packet.frames[0] - 1) >> 8;
    for (size_t i = 0; i < packet.chunk_count; ++i) {
      Require(packet.frames[i] == NameOf(slot, i), "a released packet names other frames");
    }
    Require(slot < borrowed_.size() && borrowed_[slot].size() != 0, "a packet was released twice");
    borrowed_[slot] = Frame();
    free_slots_.push_back(slot);
    --borrowed_count_;
  }
}

absl::Span<std::byte> SimLane::Reserve() {
  if (options_.tx_budget != 0 && submitted_.size() >= options_.tx_capacity) return {};
  reserved_ = true;
  return absl::MakeSpan(tx_buffer_);
}

void SimLane::Submit(size_t length) {
  Require(reserved_, "a buffer was submitted that was not reserved");
  Require(length >= kEthernetSize && length <= tx_buffer_.size(),
          "a submitted frame has a wrong length");
  submitted_.push_back(pool_->Copy(absl::MakeSpan(tx_buffer_).first(length)));
  std::fill(tx_buffer_.begin(), tx_buffer_.end(),
            std::byte{0xEE});  // what the writer leaves out shows
  reserved_ = false;
}

bool SimLane::Flush() {
  if (events_->now() >= next_drain_) {
    tx_left_ = options_.tx_budget;
    next_drain_ = events_->now() + kDrainTime;
  }
  for (; !submitted_.empty() && (tx_left_ > 0 || options_.tx_budget == 0); --tx_left_) {
    Frame frame = std::move(submitted_.front());
    submitted_.pop_front();
    wire_->OnFrame(std::move(frame));
  }
  return submitted_.empty();
}

bool SimNic::Steer(Frame frame) {
  const auto mac = DestinationMac(frame.bytes());
  const auto port = UdpDestinationPort(frame.bytes());
  if (!mac.has_value() || *mac != mac_ || !port.has_value() || *port < base_port_ ||
      *port >= base_port_ + lanes_.size()) {
    ++stats_.not_ours;
    return false;
  }
  if (!lanes_[*port - base_port_]->Arrive(std::move(frame))) {
    ++stats_.rx_full;
    return false;
  }
  ++stats_.received;
  return true;
}

}  // namespace netchannel::sim

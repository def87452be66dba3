// SPDX-License-Identifier: Apache-2.0
#include "transport/sent_packets.h"

#include <algorithm>
#include <bit>

namespace netchannel::transport {
namespace {

// A late packet is waited for while this many windows of others go past it.
constexpr uint32_t kWindowsTracked = 8;
constexpr uint32_t kFirstPackets = 16;
constexpr uint32_t kFirstSegments = 2 * kMaxSegmentsPerPacket;

}  // namespace

SentPackets::SentPackets(uint32_t max_in_flight)
    : max_packets_(std::max(kFirstPackets, std::bit_ceil(max_in_flight * kWindowsTracked))),
      max_segments_(
          std::max(kFirstSegments, std::bit_ceil(max_in_flight) * 2 * kMaxSegmentsPerPacket)) {}

uint32_t SentPackets::SegmentStart() const {
  if (segment_capacity_ == 0) return segment_end_;
  const uint32_t to_wrap = segment_capacity_ - (segment_end_ & (segment_capacity_ - 1));
  return to_wrap < kMaxSegmentsPerPacket ? segment_end_ + to_wrap : segment_end_;
}

bool SentPackets::full() const {
  if (size() == max_packets_) return true;
  const uint32_t used = SegmentStart() - segment_begin_ + kMaxSegmentsPerPacket;
  return segment_capacity_ == max_segments_ && used > segment_capacity_;
}

Segment* SentPackets::Reserve() {
  if (size() == packet_capacity_) GrowPackets();
  while (segment_capacity_ == 0 ||
         SegmentStart() - segment_begin_ + kMaxSegmentsPerPacket > segment_capacity_) {
    GrowSegments();
  }
  return &segments_[SegmentStart() & (segment_capacity_ - 1)];
}

SentPacket& SentPackets::Plan(uint32_t segment_count) {
  const uint32_t start = SegmentStart();
  SentPacket& packet = packets_[next_ & (packet_capacity_ - 1)];
  packet = SentPacket{};
  packet.first_segment = start;
  packet.segment_count = static_cast<uint8_t>(segment_count);
  segment_end_ = start + segment_count;
  ++next_;
  return packet;
}

void SentPackets::Unplan() {
  --next_;
  segment_end_ = (*this)[next_].first_segment;
  if (empty()) segment_begin_ = segment_end_;
}

void SentPackets::PopDone(PacketNumber largest_acked) {
  while (!empty()) {
    const SentPacket& oldest = (*this)[begin_];
    const bool unneeded =
        oldest.state == PacketState::kAckOnly && (begin_ <= largest_acked || size() > kMaxAckOnly);
    if (oldest.state != PacketState::kDone && !unneeded) return;
    PopOldest();
  }
}

void SentPackets::PopOldest() {
  ++begin_;
  segment_begin_ = empty() ? segment_end_ : (*this)[begin_].first_segment;
}

void SentPackets::GrowPackets() {
  const uint32_t capacity = packet_capacity_ == 0 ? kFirstPackets : packet_capacity_ * 2;
  auto packets = std::make_unique<SentPacket[]>(capacity);
  for (PacketNumber n = begin_; n < next_; ++n) packets[n & (capacity - 1)] = (*this)[n];
  packets_ = std::move(packets);
  packet_capacity_ = capacity;
}

void SentPackets::GrowSegments() {
  const uint32_t capacity = segment_capacity_ == 0 ? kFirstSegments : segment_capacity_ * 2;
  auto segments = std::make_unique<Segment[]>(capacity);
  for (uint32_t i = segment_begin_; i != segment_end_; ++i) {
    segments[i & (capacity - 1)] = segments_[i & (segment_capacity_ - 1)];
  }
  segments_ = std::move(segments);
  segment_capacity_ = capacity;
}

}  // namespace netchannel::transport

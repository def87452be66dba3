// SPDX-License-Identifier: Apache-2.0
#include "transport/loss_detector.h"

#include <algorithm>
#include <array>

namespace netchannel::transport {
namespace {

// After a lost packet was sent, its late ACK is recognised for this many loss delays, and at least
// for kMinRememberLost, which is what an operating system may delay a thread.
constexpr int kRememberLost = 4;
constexpr Duration kMinRememberLost = Duration::Millis(20);

}  // namespace

int LossDetector::Unpack(const wire::Ack& ack, Range* out) {
  if (ack.range_count > wire::kMaxAckRanges) return 0;
  if (ack.first_length == 0 || ack.first_length > ack.largest) return 0;
  const int count = ack.range_count + 1;
  int at = count - 1;
  out[at] = {ack.largest - ack.first_length + 1, ack.largest};
  for (int i = 0; i < ack.range_count; ++i) {
    const auto [gap, length] = ack.ranges[i];
    const PacketNumber above = out[at].low;
    if (gap == 0 || length == 0 || above <= uint64_t{gap} + length) return 0;
    const PacketNumber high = above - gap - 1;
    out[--at] = {high - length + 1, high};
  }
  return count;
}

std::optional<LossDetector::Acknowledged> LossDetector::OnAck(Time now, const wire::Ack& ack,
                                                              const RttEstimator& rtt) {
  std::array<Range, wire::kMaxAckRanges + 1> storage;
  const int count = Unpack(ack, storage.data());
  if (count == 0 || ack.largest >= sent_->next()) return std::nullopt;
  const absl::Span<const Range> ranges(storage.data(), count);

  acked_.clear();
  late_.clear();
  window_.Roll(now, rtt);
  if (!holes_.empty()) ResolveHoles(now, ranges, rtt);
  bool largest_is_new = false;
  if (ack.largest > largest_acked_) {
    ExtendTo(ack.largest, ranges);
    largest_acked_ = ack.largest;
    largest_is_new = !acked_.empty() && acked_.back() == ack.largest;
  }
  return Acknowledged{acked_, late_, largest_is_new};
}

void LossDetector::ResolveHoles(Time now, absl::Span<const Range> ranges, const RttEstimator& rtt) {
  const Time forget_before =
      now - std::max(window_.LossDelay(rtt) * kRememberLost, kMinRememberLost);
  size_t kept = 0;
  size_t range = 0;
  for (const PacketNumber hole : holes_) {
    if (hole < sent_->begin()) continue;
    SentPacket& packet = (*sent_)[hole];
    while (range < ranges.size() && ranges[range].high < hole) ++range;
    if (range < ranges.size() && ranges[range].low <= hole) {
      window_.OnLateArrival(now, now - packet.sent_time, rtt);
      (packet.state == PacketState::kLost ? late_ : acked_).push_back(hole);
      packet.state = PacketState::kDone;
    } else if (packet.state == PacketState::kLost && packet.sent_time < forget_before) {
      packet.state = PacketState::kDone;
    } else {
      holes_[kept++] = hole;
    }
  }
  holes_.resize(kept);
}

void LossDetector::ExtendTo(PacketNumber largest, absl::Span<const Range> ranges) {
  PacketNumber n = std::max(largest_acked_ + 1, sent_->begin());
  for (const Range& range : ranges) {
    for (; n < range.low; ++n) {
      if ((*sent_)[n].state == PacketState::kInFlight) holes_.push_back(n);
    }
    for (; n <= range.high; ++n) NoteAcked(n);
  }
}

void LossDetector::NoteAcked(PacketNumber number) {
  SentPacket& packet = (*sent_)[number];
  if (packet.state != PacketState::kInFlight && packet.state != PacketState::kAckOnly) return;
  packet.state = PacketState::kDone;
  acked_.push_back(number);
}

absl::Span<const PacketNumber> LossDetector::DetectLost(Time now, const RttEstimator& rtt) {
  lost_.clear();
  loss_time_ = Time::Infinite();
  if (holes_.empty()) return lost_;
  const Duration delay = window_.LossDelay(rtt);
  const uint64_t threshold = window_.packet_threshold();
  for (const PacketNumber hole : holes_) {
    if (hole < sent_->begin()) continue;
    SentPacket& packet = (*sent_)[hole];
    if (packet.state != PacketState::kInFlight) continue;
    if (largest_acked_ - hole >= threshold || packet.sent_time + delay <= now) {
      packet.state = PacketState::kLost;
      lost_.push_back(hole);
    } else {
      loss_time_ = std::min(loss_time_, packet.sent_time + delay);
    }
  }
  return lost_;
}

void LossDetector::Clear() {
  holes_.clear();
  loss_time_ = Time::Infinite();
}

}  // namespace netchannel::transport

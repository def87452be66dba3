// SPDX-License-Identifier: Apache-2.0
#include "transport/ack_tracker.h"

#include <algorithm>
#include <bit>

namespace netchannel::transport {

AckTracker::AckTracker(uint32_t threshold, Duration max_ack_delay, uint32_t window)
    : threshold_(threshold), max_ack_delay_(max_ack_delay), mask_(window - 1) {}

Receipt AckTracker::OnPacket(Time now, PacketNumber number, const Arrival& arrival) {
  if (number == 0 || number < window_low()) return Receipt::kTooOld;
  if (bits_.empty()) bits_.resize((mask_ + 1) / 64);
  const bool in_order = number == largest_ + 1;
  if (number > largest_) {
    AdvanceTo(number);
    largest_time_ = now;
  } else if (Test(number)) {
    return Receipt::kDuplicate;
  }
  bits_[Word(number)] |= uint64_t{1} << (number & 63);
  if (number < largest_) OnLate(number);

  const bool is_ce = arrival.ecn == Ecn::kCe;
  ce_count_ += is_ce ? 1 : 0;
  if (arrival.ack_eliciting) {
    MakePending(now, number, arrival.ack_now || !in_order || is_ce != last_was_ce_);
    last_was_ce_ = is_ce;
  }
  return Receipt::kNew;
}

void AckTracker::AdvanceTo(PacketNumber number) {
  if (number != largest_ + 1) {
    if (number - largest_ > mask_) {
      std::fill(bits_.begin(), bits_.end(), 0);
    } else {
      for (PacketNumber n = largest_ + 1; n < number;) {
        if ((n & 63) == 0 && number - n >= 64) {
          bits_[Word(n)] = 0;
          n += 64;
        } else {
          bits_[Word(n)] &= ~(uint64_t{1} << (n & 63));
          ++n;
        }
      }
    }
    run_start_ = number;
  }
  largest_ = number;
  report_floor_ = std::max(report_floor_, window_low());
  run_start_ = std::max(run_start_, window_low());
}

void AckTracker::OnLate(PacketNumber number) {
  late_low_ = std::min(late_low_, number);
  report_floor_ = std::min(report_floor_, number);
  if (number + 1 == run_start_) run_start_ = FindDown(number, window_low(), false) + 1;
}

void AckTracker::MakePending(Time now, PacketNumber number, bool at_once) {
  unreported_low_ = std::min(unreported_low_, number);
  unreported_high_ = std::max(unreported_high_, number);
  ++pending_;
  const Time due = at_once || pending_ >= threshold_ ? now : now + max_ack_delay_;
  deadline_ = std::min(deadline_, due);
}

PacketNumber AckTracker::FindDown(PacketNumber from, PacketNumber low, bool set) const {
  PacketNumber n = from;
  while (n >= low) {
    const uint64_t word = set ? bits_[Word(n)] : ~bits_[Word(n)];
    const unsigned bit = n & 63;
    const uint64_t at_or_below = word << (63 - bit);
    if (at_or_below != 0) {
      const PacketNumber skip = static_cast<PacketNumber>(std::countl_zero(at_or_below));
      return n - low >= skip ? n - skip : low - 1;
    }
    if (n - low <= bit) return low - 1;
    n -= bit + 1;
  }
  return low - 1;
}

ByteCount AckTracker::Prepare(ByteCount space) {
  if (largest_ == 0 || space < wire::kAckRecordFixedSize) return 0;
  const ByteCount fitting = (space - wire::kAckRecordFixedSize) / wire::kAckRangeSize;
  const int max_ranges = static_cast<int>(std::min<ByteCount>(fitting, wire::kMaxAckRanges));
  if (cursor_ < report_floor_) cursor_ = 0;

  PacketNumber high = cursor_ != 0 ? cursor_ : largest_;
  PacketNumber low = high >= run_start_ ? std::max(run_start_, report_floor_)
                                        : FindDown(high, report_floor_, false) + 1;
  prepared_.largest = high;
  prepared_.first_length = static_cast<uint32_t>(high - low + 1);
  prepared_.range_count = 0;
  prepared_cursor_ = 0;
  while (low > report_floor_) {
    high = FindDown(low - 1, report_floor_, true);
    if (high < report_floor_) break;
    if (prepared_.range_count == max_ranges) {
      prepared_cursor_ = high;
      break;
    }
    const PacketNumber next_low = FindDown(high, report_floor_, false) + 1;
    prepared_.ranges[prepared_.range_count++] = {static_cast<uint32_t>(low - high - 1),
                                                 static_cast<uint32_t>(high - next_low + 1)};
    low = next_low;
  }
  prepared_low_ = low;
  return wire::kAckRecordFixedSize + prepared_.range_count * wire::kAckRangeSize;
}

wire::Ack AckTracker::Build(Time now) const {
  wire::Ack ack = prepared_;
  // For a number below the largest the peer takes no RTT sample.
  ack.delay = std::max(now - largest_time_, Duration::Zero());
  ack.ce_count = ce_count_;
  return ack;
}

AckTracker::Told AckTracker::OnAckSent(Time now) {
  Told told{0, epoch_};
  if (prepared_cursor_ == 0) told.largest = prepared_.largest;
  cursor_ = prepared_cursor_;
  ForgetReported();
  if (unreported_low_ > unreported_high_) {
    unreported_low_ = kNone;
    unreported_high_ = 0;
    pending_ = 0;
    deadline_ = Time::Infinite();
  } else {
    // More ranges than one ACK holds: the rest is told soon, but not by a volley of ACKs.
    pending_ = 1;
    deadline_ = now + max_ack_delay_;
  }
  return told;
}

void AckTracker::ForgetReported() {
  if (unreported_high_ <= prepared_.largest) {
    unreported_high_ = std::min(unreported_high_, prepared_cursor_);
  } else if (unreported_low_ >= prepared_low_ || prepared_cursor_ == 0) {
    unreported_low_ = std::max(unreported_low_, prepared_.largest + 1);
  }
}

void AckTracker::OnToldAcknowledged(Told told) {
  if (told.largest == 0) return;
  PacketNumber late = late_low_;
  if (told.epoch == epoch_) {
    previous_late_low_ = late_low_;
    late_low_ = kNone;
    ++epoch_;
  } else if (static_cast<uint8_t>(told.epoch + 1) == epoch_) {
    late = std::min(late, previous_late_low_);
  } else {
    return;
  }
  const PacketNumber settled = std::min(told.largest, late);
  report_floor_ = std::max(report_floor_, settled);
}

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
//
// The receiving side of acknowledgement (RFC 9000 section 13.2): which packet numbers arrived, when
// the peer must be told, and what to tell it.
//
// Numbers are kept as a bitmap that slides with the largest one: in-order arrival is O(1) and moves
// nothing, and neither does any degree of reordering. Below the bitmap a number is kTooOld.
//
// An ACK holds at most wire::kMaxAckRanges + 1 ranges. When reordering leaves more, successive ACKs
// continue where the one before ended and then start from the top again, so that each received
// number is told. What the peer is known to have been told (its acknowledgement of a packet that
// carried our ACK) is not told again, unless a number arrives late below it.
//
// An ACK is due at once after `threshold` ack-eliciting packets, when the sender asks for it, after
// a gap or a late arrival, and when CE marking starts or stops (RFC 8257 section 3.2); otherwise
// max_ack_delay after the first one.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/units.h"
#include "transport/types.h"
#include "wire/packet_layout.h"

namespace netchannel::transport {

class AckTracker {
 public:
  // `window`: how many numbers below the largest are remembered; a power of two, >= 64.
  AckTracker(uint32_t threshold, Duration max_ack_delay, uint32_t window);

  Receipt OnPacket(Time now, PacketNumber number, const Arrival& arrival);

  // Something ack-eliciting arrived that has not been told.
  bool pending() const { return pending_ > 0; }
  bool IsDue(Time now) const { return deadline_ <= now; }
  Time deadline() const { return deadline_; }  // infinite when nothing is pending
  bool has_gaps() const { return run_start_ > report_floor_; }
  uint64_t ce_count() const { return ce_count_; }

  // Chooses the ranges of the next ACK; returns its record size, or 0 when `space` is too small or
  // nothing was ever received. Build may be called until the next OnPacket.
  ByteCount Prepare(ByteCount space);
  wire::Ack Build(Time now) const;

  // What a sent ACK told, to be given back when its packet is acknowledged.
  struct Told {
    PacketNumber largest =
        0;  // everything below it; 0: more ranges followed, nothing can be concluded
    uint8_t epoch = 0;
  };
  // The prepared ACK went out.
  Told OnAckSent(Time now);
  void OnToldAcknowledged(Told told);

 private:
  static constexpr PacketNumber kNone = std::numeric_limits<PacketNumber>::max();

  bool Test(PacketNumber n) const { return (bits_[Word(n)] >> (n & 63)) & 1; }
  size_t Word(PacketNumber n) const { return (n & mask_) >> 6; }
  PacketNumber window_low() const { return largest_ > mask_ ? largest_ - mask_ : 1; }
  void AdvanceTo(PacketNumber number);
  void OnLate(PacketNumber number);
  void MakePending(Time now, PacketNumber number, bool at_once);
  // The highest number in [low, from] whose bit is `set`, or low - 1.
  PacketNumber FindDown(PacketNumber from, PacketNumber low, bool set) const;
  void ForgetReported();

  const uint32_t threshold_;
  const Duration max_ack_delay_;
  const uint64_t mask_;
  std::vector<uint64_t> bits_;  // allocated with the first packet

  PacketNumber largest_ = 0;
  Time largest_time_;
  PacketNumber run_start_ = 1;     // [run_start_, largest_] all arrived
  PacketNumber report_floor_ = 1;  // below it the peer knows
  uint64_t ce_count_ = 0;
  bool last_was_ce_ = false;

  uint32_t pending_ = 0;
  Time deadline_ = Time::Infinite();
  PacketNumber unreported_low_ = kNone;  // ack-eliciting numbers not in any ACK lie in [low, high]
  PacketNumber unreported_high_ = 0;
  PacketNumber cursor_ = 0;  // where the next ACK starts, 0: at the largest

  wire::Ack prepared_;
  PacketNumber prepared_low_ = 0;
  PacketNumber prepared_cursor_ = 0;

  // Late arrivals bound what an acknowledged ACK settles: it cannot have told what came after it.
  // Their minimum is kept for this epoch and the one before; an epoch lasts about a round trip.
  uint8_t epoch_ = 0;
  PacketNumber late_low_ = kNone;
  PacketNumber previous_late_low_ = kNone;
};

}  // namespace netchannel::transport

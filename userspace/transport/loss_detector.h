// SPDX-License-Identifier: Apache-2.0
//
// From ACKs to verdicts: which sent packets were acknowledged, which are lost (RFC 9002
// section 6.1), and which had been declared lost wrongly.
//
// Packets below the largest acknowledged number that are not acknowledged are "holes"; they are
// few, and only they are looked at again when the next ACK comes. So an ACK costs what it newly
// tells plus the number of holes, not the width of its ranges.
//
// A lost packet stays a hole for kRememberLost round trips, so that its late ACK is recognised.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "base/units.h"
#include "transport/reordering_window.h"
#include "transport/rtt_estimator.h"
#include "transport/sent_packets.h"
#include "wire/packet_layout.h"

namespace netchannel::transport {

class LossDetector {
 public:
  explicit LossDetector(SentPackets* sent) : sent_(sent) {}

  struct Acknowledged {
    absl::Span<const PacketNumber>
        acked;                            // ascending; packets without anything to deliver included
    absl::Span<const PacketNumber> late;  // had been declared lost
    bool largest_is_new = false;          // the ACK's largest number is the last of `acked`
  };
  // Marks packets kDone. nullopt when the ACK names numbers that were never sent, or is malformed.
  // The spans are valid until the next call.
  std::optional<Acknowledged> OnAck(Time now, const wire::Ack& ack, const RttEstimator& rtt);
  // Marks packets kLost and returns them, ascending; sets loss_time.
  absl::Span<const PacketNumber> DetectLost(Time now, const RttEstimator& rtt);
  // Packets are gone from SentPackets for another reason.
  void Clear();

  // When DetectLost will declare the next packet lost without a further ACK; infinite if none.
  Time loss_time() const { return loss_time_; }
  PacketNumber largest_acked() const { return largest_acked_; }
  Duration LossDelay(const RttEstimator& rtt) const { return window_.LossDelay(rtt); }

 private:
  struct Range {
    PacketNumber low, high;
  };
  // Ascending; returns how many, 0 when the ACK is malformed.
  static int Unpack(const wire::Ack& ack, Range* out);
  void ResolveHoles(Time now, absl::Span<const Range> ranges, const RttEstimator& rtt);
  void ExtendTo(PacketNumber largest, absl::Span<const Range> ranges);
  void NoteAcked(PacketNumber number);

  SentPackets* const sent_;
  ReorderingWindow window_;
  PacketNumber largest_acked_ = 0;
  Time loss_time_ = Time::Infinite();
  std::vector<PacketNumber> holes_;  // ascending; bounded by what SentPackets tracks
  std::vector<PacketNumber> acked_;
  std::vector<PacketNumber> late_;
  std::vector<PacketNumber> lost_;
};

}  // namespace netchannel::transport

// SPDX-License-Identifier: Apache-2.0
//
// Finds the largest packet the path carries (DPLPMTUD, RFC 8899).
//
// The largest size is tried first, since usually both ends' interfaces tell the truth; if it fails,
// the search is binary down to kResolution. A lost probe says nothing about congestion. When
// packets above the minimum stop arriving while smaller ones do (a black hole, section 4.3), the
// size falls back to the minimum and the search starts again.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"

namespace netchannel::transport {

class MtuProber {
 public:
  MtuProber(ByteCount min_size, ByteCount max_size);

  // The confirmed size of a packet, from the packet header on.
  ByteCount packet_size() const { return confirmed_; }
  bool searching() const { return search_high_ > confirmed_; }
  // When the search starts again after it ended below the largest size; infinite otherwise.
  Time raise_time() const { return raise_at_; }

  // The size of a probe to be sent now, or nullopt. `fitting`: the most that the caller can send.
  std::optional<ByteCount> NextProbe(Time now, ByteCount fitting);
  void OnProbeSent() { probe_out_ = true; }
  // True when packet_size changed.
  bool OnProbeAcked(ByteCount size);
  void OnProbeLost(Time now, ByteCount size);
  // The probe's fate will not be known; it counts for nothing.
  void OnProbeForgotten() { probe_out_ = false; }

  // For packets that are no probes. OnLost is true when packet_size fell back.
  void OnAcked(PacketNumber number, ByteCount bytes) {
    PacketNumber& newest = bytes > min_size_ ? newest_large_ : newest_small_;
    if (number > newest) newest = number;
    if (bytes > min_size_) large_losses_ = 0;
  }
  bool OnLost(PacketNumber number, ByteCount bytes);

  static constexpr ByteCount kResolution = 16;
  static constexpr int kMaxProbes = 3;        // MAX_PROBES, section 5.1.2
  static constexpr int kBlackHoleLosses = 6;  // after the last that arrived
  static constexpr Duration kRaiseInterval =
      Duration::Seconds(600);  // PMTU_RAISE_TIMER, section 5.1.1

 private:
  void StartSearch();

  const ByteCount min_size_;
  const ByteCount max_size_;
  ByteCount confirmed_;
  ByteCount search_high_;  // nothing above is worth a probe; == confirmed_: the search is over
  ByteCount candidate_;
  Time raise_at_ = Time::Infinite();
  int failures_ = 0;  // of candidate_
  bool probe_out_ = false;
  PacketNumber newest_large_ = 0;  // the last acknowledged packet above the minimum size
  PacketNumber newest_small_ = 0;  // and at or below it
  int large_losses_ = 0;           // of packets sent after newest_large_
};

}  // namespace netchannel::transport

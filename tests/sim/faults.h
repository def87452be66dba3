// SPDX-License-Identifier: Apache-2.0
//
// What a link does to packets that it should not: one struct of named probabilities, and the dice.
// The simulator's links and the live relay (tests/live/relay) decide with the same code.
//
// A decision is about one packet and reads nothing but the time and the seed, so a run is
// reproduced by its seed. Every decision takes the same number of draws whatever it decides, so
// that one changed probability does not change the dice of all others.
//
// A loss burst is a matter of packets, but ends for certain when the link was quiet for
// kBurstQuiet: a handshake's few packets, a second apart, do not belong to one burst.
//
// Corruption flips bits inside a window of 15 bits: the Internet checksum finds every such error
// (RFC 1071 section 2; Stone and Partridge, SIGCOMM 2000, on what it does not find). More than that
// and a packet with changed bytes and a right checksum would be nobody's fault.
//
// Thread: one. Errors: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/rng.h"
#include "base/units.h"

namespace netchannel::sim {

struct Faults {
  double loss = 0;           // of each packet, independently
  double burst_enter = 0;    // Gilbert-Elliott: from the good state to the bad one, a packet
  double burst_leave = 1;    // and back
  double burst_loss = 0;     // of a packet while in the bad state
  double duplicate = 0;      // a second copy arrives too
  double corrupt = 0;        // bits of the packet are flipped
  double truncate = 0;       // the end of the packet is cut off
  double replay = 0;         // an old packet arrives once more
  double reorder = 0;        // the packet is late by up to reorder_delay, and others overtake it
  Duration reorder_delay{};  // the most; uniform
  Duration flap_every{};     // mean time between outages; zero: none
  Duration flap_length{};    // longest outage; uniform

  // A mixture for `seed`: each kind of fault is absent, mild or harsh.
  static Faults FromSeed(uint64_t seed);
  std::string ToString() const;
};

enum class FaultKind : uint8_t {
  kLoss,
  kBurst,
  kFlap,
  kDuplicate,
  kCorrupt,
  kTruncate,
  kReplay,
  kReorder,
  kCount
};
const char* FaultName(FaultKind kind);

// What happens to one packet. Not delivered: nothing else is set.
struct Fate {
  bool deliver = true;
  uint8_t copies = 1;
  std::array<Duration, 2> extra_delay;  // of each copy
  bool corrupt = false;                 // the first copy
  bool truncate = false;                // the first copy
  bool replay = false;                  // besides, one that was sent before
  uint64_t dice = 0;                    // for what else is to be chosen
};

class FaultDecider {
 public:
  FaultDecider(const Faults& faults, uint64_t seed)
      : faults_(faults), rng_(seed), outage_rng_(~seed) {}

  Fate Decide(Time now);
  uint64_t count(FaultKind kind) const { return counts_[static_cast<size_t>(kind)]; }

 private:
  bool Down(Time now);
  void Count(FaultKind kind) { ++counts_[static_cast<size_t>(kind)]; }

  Faults faults_;
  SeededRng rng_;
  SeededRng outage_rng_;
  bool bad_ = false;  // Gilbert-Elliott state
  Time last_packet_;
  Time outage_begin_;  // of the next or present outage
  Time outage_end_;
  bool outage_drawn_ = false;
  std::array<uint64_t, static_cast<size_t>(FaultKind::kCount)> counts_{};
};

// The last packets, for replays. Copies, so the memory is bounded by kept packets of MTU size.
class ReplayStore {
 public:
  void Keep(absl::Span<const std::byte> packet) {
    kept_[next_++ % kept_.size()].assign(packet.begin(), packet.end());
  }
  // One of those that were kept; empty before the first.
  absl::Span<const std::byte> Choose(uint64_t dice) const { return kept_[dice % kept_.size()]; }

 private:
  std::array<std::vector<std::byte>, 64> kept_;
  size_t next_ = 0;
};

// Flips one to fifteen neighbouring bits (at least the first of the window), chosen by `dice`.
void CorruptBytes(absl::Span<std::byte> bytes, uint64_t dice);

}  // namespace netchannel::sim

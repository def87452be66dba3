// SPDX-License-Identifier: Apache-2.0
#include "sim/faults.h"

#include <iterator>

#include "absl/strings/str_cat.h"

namespace netchannel::sim {
namespace {

constexpr Duration kBurstQuiet = Duration::Millis(10);

// Uniform in [0, 1) from one draw.
double Unit(Rng& rng) { return static_cast<double>(rng.Next() >> 11) * 0x1.0p-53; }

Duration Scale(Duration d, double by) {
  return Duration::Nanos(static_cast<int64_t>(static_cast<double>(d.nanos()) * by));
}

// Absent, mild or harsh with equal chance.
double Severity(Rng& rng, double mild, double harsh) {
  const double levels[] = {0, mild, harsh};
  return levels[rng.Below(3)];
}

}  // namespace

const char* FaultName(FaultKind kind) {
  static constexpr const char* kNames[] = {"loss",    "burst",    "flap",   "duplicate",
                                           "corrupt", "truncate", "replay", "reorder"};
  static_assert(std::size(kNames) == static_cast<size_t>(FaultKind::kCount));
  return kNames[static_cast<size_t>(kind)];
}

Faults Faults::FromSeed(uint64_t seed) {
  SeededRng rng(seed);
  Faults f;
  f.loss = Severity(rng, 0.001, 0.03);
  f.burst_enter = Severity(rng, 0.0005, 0.005);
  f.burst_leave = 0.2;
  f.burst_loss = 0.7;
  f.duplicate = Severity(rng, 0.001, 0.05);
  f.corrupt = Severity(rng, 0.001, 0.02);
  f.truncate = Severity(rng, 0.001, 0.01);
  f.replay = Severity(rng, 0.001, 0.02);
  f.reorder = Severity(rng, 0.005, 0.2);
  f.reorder_delay = Duration::Micros(static_cast<int64_t>(50 + rng.Below(5000)));
  f.flap_every = Duration::Millis(rng.Chance(0.25) ? 50 : 0);
  f.flap_length = Duration::Millis(20);
  return f;
}

std::string Faults::ToString() const {
  return absl::StrCat("loss=", loss, " burst=", burst_enter, "/", burst_leave, "/", burst_loss,
                      " duplicate=", duplicate, " corrupt=", corrupt, " truncate=", truncate,
                      " replay=", replay, " reorder=", reorder, "<", reorder_delay.micros(),
                      "us flap=", flap_every.micros(), "/", flap_length.micros(), "us");
}

bool FaultDecider::Down(Time now) {
  if (faults_.flap_every == Duration::Zero()) return false;
  while (!outage_drawn_ || now >= outage_end_) {
    // Uniform in [0, 2 * mean): the mean is right, and no outage is far away.
    outage_begin_ =
        (outage_drawn_ ? outage_end_ : now) + Scale(faults_.flap_every, 2 * Unit(outage_rng_));
    outage_end_ =
        outage_begin_ + Scale(faults_.flap_length, Unit(outage_rng_)) + Duration::Nanos(1);
    outage_drawn_ = true;
  }
  return now >= outage_begin_;
}

Fate FaultDecider::Decide(Time now) {
  const double loss = Unit(rng_), burst_step = Unit(rng_), burst_loss = Unit(rng_);
  const double duplicate = Unit(rng_), corrupt = Unit(rng_);
  const double truncate = Unit(rng_), replay = Unit(rng_);
  const double reorder[2] = {Unit(rng_), Unit(rng_)};
  const double lateness[2] = {Unit(rng_), Unit(rng_)};
  const uint64_t dice = rng_.Next();

  Fate fate;
  fate.dice = dice;
  if (now - last_packet_ > kBurstQuiet) bad_ = false;
  last_packet_ = now;
  bad_ = bad_ ? burst_step >= faults_.burst_leave : burst_step < faults_.burst_enter;
  const bool down = Down(now);
  if (down || loss < faults_.loss || (bad_ && burst_loss < faults_.burst_loss)) {
    Count(down ? FaultKind::kFlap : loss < faults_.loss ? FaultKind::kLoss : FaultKind::kBurst);
    fate.deliver = false;
    return fate;
  }
  if (duplicate < faults_.duplicate) {
    fate.copies = 2;
    Count(FaultKind::kDuplicate);
  }
  for (size_t i = 0; i < fate.copies; ++i) {
    if (reorder[i] >= faults_.reorder) continue;
    fate.extra_delay[i] = Scale(faults_.reorder_delay, lateness[i]);
    Count(FaultKind::kReorder);
  }
  if (corrupt < faults_.corrupt) {
    fate.corrupt = true;
    Count(FaultKind::kCorrupt);
  }
  if (truncate < faults_.truncate) {
    fate.truncate = true;
    Count(FaultKind::kTruncate);
  }
  if (replay < faults_.replay) {
    fate.replay = true;
    Count(FaultKind::kReplay);
  }
  return fate;
}

void CorruptBytes(absl::Span<std::byte> bytes, uint64_t dice) {
  if (bytes.empty()) return;
  const uint32_t mask = static_cast<uint32_t>(dice & 0x7fff) | 1;  // the window's 15 bits
  const uint64_t bits = bytes.size() * 8;
  const uint64_t at = (dice >> 15) % bits;
  for (uint64_t i = 0; i < 15 && at + i < bits; ++i) {
    // Bits are counted as the checksum sees them: most significant first, bytes in order.
    if ((mask >> i) & 1) bytes[(at + i) / 8] ^= std::byte{0x80} >> ((at + i) % 8);
  }
}

}  // namespace netchannel::sim

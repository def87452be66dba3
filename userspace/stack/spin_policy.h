// SPDX-License-Identifier: Apache-2.0
//
// How long a thread that found no work keeps looking before it sleeps.
//
// Looking pays when the next packet comes from another core: it saves a wake-up of 30-40 us. It
// costs when the peer waits for this very core: then nothing can come until we sleep, and each
// exchange takes the whole spin. A sleep that ends at once is the sign of that: who was to wake us
// only needed our core. So:
//
//   a spin in vain, then a sleep under kSharedCore    -> no spinning for a while (twice as long
//   each time) no spin, and a sleep that a spin would have saved -> spin again
//
// Thread: the one that holds the lease. Errors: none.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.h"

namespace netchannel {

class SpinPolicy {
 public:
  explicit SpinPolicy(Duration longest) : longest_(longest) {}

  // The time to look for work in vain before sleeping.
  Duration budget() const { return suspended_ > 0 ? Duration::Zero() : longest_; }

  // A sleep has ended after `slept`, by an event (not by its deadline).
  void OnWoken(Duration slept) {
    if (suspended_ == 0) {
      if (slept < kSharedCore) Suspend();
      return;
    }
    --suspended_;
    if (slept >= kSharedCore && slept < longest_) {
      suspended_ = 0;
      penalty_ = kFirstPenalty;
    }
  }

 private:
  // A switch to the peer on the same core, its work and the switch back; waking another core takes
  // 30 us.
  static constexpr Duration kSharedCore = Duration::Micros(20);
  static constexpr uint32_t kFirstPenalty = 64;  // sleeps
  static constexpr uint32_t kMaxPenalty = 8192;

  void Suspend() {
    suspended_ = penalty_;
    penalty_ = std::min(penalty_ * 2, kMaxPenalty);
  }

  const Duration longest_;
  uint32_t suspended_ = 0;  // sleeps until spinning is tried again
  uint32_t penalty_ = kFirstPenalty;
};

}  // namespace netchannel

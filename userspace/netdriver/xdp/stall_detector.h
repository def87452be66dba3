// SPDX-License-Identifier: Apache-2.0
//
// Notices that transmit completions have stopped for good, as after some NIC resets: packets are in
// flight and nothing has completed for `limit`. Sampled from time to time; sans-I/O. Thread: one at
// a time. Errors: none.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace netchannel::xdp {

class StallDetector {
 public:
  explicit StallDetector(Duration limit) : limit_(limit) {}

  // True when stalled. Call it at least a few times per `limit`; the time between calls counts.
  bool Sample(Time now, uint64_t in_flight, uint64_t completions) {
    if (in_flight == 0 || completions != completions_ || !waiting_) {
      completions_ = completions;
      waiting_ = in_flight > 0;
      since_ = now;
      return false;
    }
    return now - since_ >= limit_;
  }

 private:
  const Duration limit_;
  Time since_;
  uint64_t completions_ = 0;
  bool waiting_ = false;
};

}  // namespace netchannel::xdp

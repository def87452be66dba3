// SPDX-License-Identifier: Apache-2.0
//
// One line on stderr that says how far a transfer is: rewritten in place on a terminal, a new line
// for every tenth elsewhere. Thread: one. Owner: whoever runs the transfer.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace netchannel::cli {

class ProgressLine {
 public:
  // `what` must outlive the line. total 0 shows nothing.
  ProgressLine(const char* what, uint64_t total, bool enabled);
  void Update(uint64_t done);  // cheap: one clock reading
  void Finish();

 private:
  void Print(uint64_t done, Time now);

  const char* const what_;
  const uint64_t total_;
  const bool enabled_;
  const bool terminal_;
  const Time start_;
  Time next_;
  uint64_t next_tenth_ = 1;
};

}  // namespace netchannel::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>

#include "cli/bench/usage.h"

namespace netchannel::cli {

namespace {

constexpr Duration kInterval = Duration::Millis(100);

}  // namespace

ProgressLine::ProgressLine(const char* what, uint64_t total, bool enabled)
    : what_(what),
      total_(total),
      enabled_(enabled && total != 0),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(Now()),
      next_(start_ + kInterval) {}

void ProgressLine::Update(uint64_t done) {
  if (!enabled_) return;
  if (!terminal_) {
    if (done * 10 < total_ * next_tenth_) return;
    next_tenth_ = done * 10 / total_ + 1;
    Print(done, Now());
    return;
  }
  const Time now = Now();
  if (now < next_) return;
  next_ = now + kInterval;
  Print(done, now);
}

void ProgressLine::Finish() {
  if (!enabled_) return;
  Print(total_, Now());
  if (terminal_) std::fputc('\n', stderr);
}

void ProgressLine::Print(uint64_t done, Time now) {
  const double seconds = (now - start_).seconds();
  const double gbps = seconds > 0 ? static_cast<double>(done) * 8e-9 / seconds : 0;
  std::fprintf(stderr, "%s%s %3llu %%  %6.2f Gbit/s%s", terminal_ ? "\r" : "", what_,
               static_cast<unsigned long long>(done * 100 / total_), gbps, terminal_ ? "" : "\n");
}

}  // namespace netchannel::cli

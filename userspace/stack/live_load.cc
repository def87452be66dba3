// SPDX-License-Identifier: Apache-2.0
#include "stack/live_load.h"

#include <algorithm>

namespace netchannel {
namespace {

double Share(Duration part, Duration of) {
  if (of <= Duration::Zero()) return 0;
  return std::clamp(static_cast<double>(part.nanos()) / static_cast<double>(of.nanos()), 0.0, 1.0);
}

}  // namespace

void LiveLoad::Sample(Time now, absl::Span<LaneLoad> lanes) {
  const Duration period = now - last_;
  last_ = now;
  const double stack = Share(stack_busy_ - last_stack_busy_, period);
  last_stack_busy_ = stack_busy_;
  ReadCoresIfDue(now);
  last_busy_.resize(lanes.size());
  for (size_t i = 0; i < lanes.size(); ++i) {
    const xdp::ChannelThread* thread = device_->xdp_lanes()[i]->thread();
    if (thread == nullptr) {
      lanes[i].cpu = stack;
      continue;
    }
    const Duration busy = thread->busy_time(now);
    lanes[i].cpu = Share(busy - last_busy_[i], period);
    last_busy_[i] = busy;
    const auto cpu = thread->cpu();
    lanes[i].core = cpu && *cpu < cores_.size() ? cores_[*cpu] : 0;
  }
}

void LiveLoad::ReadCoresIfDue(Time now) {
  if (now < next_stat_) return;
  next_stat_ = now + kStatPeriod;
  std::vector<CpuTicks> ticks = ReadCpuTicks();
  cores_.assign(ticks.size(), 0);
  for (size_t cpu = 0; cpu < std::min(ticks.size(), ticks_.size()); ++cpu) {
    const uint64_t total = ticks[cpu].total - ticks_[cpu].total;
    const uint64_t busy = ticks[cpu].busy - ticks_[cpu].busy;
    cores_[cpu] = total > 0 ? static_cast<double>(busy) / static_cast<double>(total) : 0;
  }
  ticks_ = std::move(ticks);
}

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// How busy what serves the lanes is: of a lane with a channel thread the time for which that had
// something to send, of the others the time that the stack's rounds took. Of a thread that has a
// core of its own, also how busy that core is, interrupts included: /proc/stat, every kStatPeriod.
//
// Owner: LiveInterface. Thread: the one that holds the host's lease. Errors: none; what is not
// known is 0.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "base/units.h"
#include "netdriver/xdp/xdp_device.h"
#include "stack/core_facts.h"
#include "stack/host.h"

namespace netchannel {

class LiveLoad final : public LoadSource {
 public:
  // The device outlives it.
  explicit LiveLoad(const XdpDevice* device) : device_(device) {}
  // Time that the stack's rounds have taken since the beginning, before each Sample.
  void SetStackBusy(Duration busy) { stack_busy_ = busy; }

  void Sample(Time now, absl::Span<LaneLoad> lanes) override;

 private:
  static constexpr Duration kStatPeriod = Duration::Millis(100);

  void ReadCoresIfDue(Time now);

  const XdpDevice* const device_;
  Time last_;
  Duration stack_busy_, last_stack_busy_;
  std::vector<Duration> last_busy_;  // by lane: of its thread
  Time next_stat_;
  std::vector<CpuTicks> ticks_;
  std::vector<double> cores_;  // by CPU: share that was busy between the last two looks
};

}  // namespace netchannel

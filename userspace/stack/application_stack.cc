// SPDX-License-Identifier: Apache-2.0
#include "stack/application_stack.h"

namespace netchannel {
namespace {

// Two sockets at 512 KiB a buffer. Else a ping-pong's first 8,192 round trips touch 256 new pages.
constexpr uint64_t kPreparedBytes = 2 * 1024 * 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<ApplicationStack>> ApplicationStack::Create(
    const Config& config, const HostConfig& host_config, absl::Span<Lane* const> lanes,
    NextHops* hops, Rng* rng, Housekeeping* housekeeping) {
  auto stack = std::unique_ptr<ApplicationStack>(new ApplicationStack());
  auto region = ipc::Region::Create(RegionShapeOf(config));
  if (!region.ok()) return region.status();
  stack->region_ = std::make_unique<ipc::Region>(*std::move(region));
  auto running = RunningStack::Create({.spin = Duration::Micros(config.spin_us),
                                       .lend = config.lend,
                                       .priority = ThreadPriorityOf(config)},
                                      host_config,
                                      /*deferring=*/false, lanes, hops, rng, housekeeping);
  if (!running.ok()) return running.status();
  stack->running_ = *std::move(running);
  stack->bridge().SetClassRules(config.class_rules);
  auto side = std::make_unique<ipc::StackSide>(stack->region_->view(), /*in_this_process=*/true);
  side->PrepareSlots(kPreparedBytes);
  stack->side_ = side.get();
  stack->bridge().AddApplication(std::move(side), ApplicationInfo::Self());
  return stack;
}

}  // namespace netchannel

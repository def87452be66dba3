// SPDX-License-Identifier: Apache-2.0
#include "stack/application_stack.h"

#include <algorithm>

#include "ipc/futex.h"
#include "vns/status.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<ApplicationStack>> ApplicationStack::Create(
    const Config& config, const HostConfig& host_config, absl::Span<Lane* const> lanes,
    NextHops* hops, Rng* rng, Housekeeping* housekeeping) {
  auto stack = std::unique_ptr<ApplicationStack>(new ApplicationStack());
  auto sleeper = Sleeper::Create();
  if (!sleeper.ok()) return sleeper.status();
  stack->sleeper_ = *std::move(sleeper);
  if (absl::Status status = stack->WatchLanes(lanes, {}); !status.ok()) return status;

  auto region = ipc::Region::Create(
      {.socket_count = config.max_sockets, .ring_bytes = uint64_t{config.buffer_kib} * 1024});
  if (!region.ok()) return region.status();
  stack->region_ = std::make_unique<ipc::Region>(*std::move(region));
  auto side = std::make_unique<ipc::StackSide>(stack->region_->view());
  stack->side_ = side.get();
  stack->application_ = stack->bridge_.AddApplication(std::move(side), ApplicationInfo::Self());

  auto host = Host::Create(host_config, lanes, hops, &stack->bridge_, rng, ipc::MonotonicNow());
  if (!host.ok()) return host.status();
  stack->host_ = *std::move(host);
  stack->bridge_.Attach(&stack->host_->sockets());
  stack->runner_ = std::make_unique<Runner>(
      RunnerConfig{.spin = Duration::Micros(config.spin_us), .lend = config.lend},
      stack->host_.get(), &stack->bridge_, stack->sleeper_.get(), housekeeping);
  return stack;
}

ApplicationStack::~ApplicationStack() {
  if (runner_ == nullptr) return;
  runner_->Stop();
  Drain();
  const Time now = ipc::MonotonicNow();
  bridge_.RemoveApplication(now, application_);
  for (int i = 0; i < kFarewellRounds; ++i) host_->Transmit(now);
  host_->driver().Shutdown(now);
  host_->driver().PollTransmit(now, host_->lanes().size());
}

// Nothing acknowledged to a writer is lost by close(): a stack that ends right after is no
// exception.
void ApplicationStack::Drain() {
  const Time give_up = ipc::MonotonicNow() + kDrainTime;
  for (Time now = ipc::MonotonicNow(); now < give_up && HasUndelivered();
       now = ipc::MonotonicNow()) {
    if (host_->Receive(now) + host_->Transmit(now) > 0) continue;
    sleeper_->Sleep(now, std::min(host_->NextTimeout(), now + kDrainLook));
  }
}

bool ApplicationStack::HasUndelivered() const {
  for (const SocketStatus& socket : host_->sockets().ListSockets()) {
    if (!socket.held && !socket.delivered) return true;
  }
  return false;
}

absl::Status ApplicationStack::WatchLanes(absl::Span<Lane* const> lanes,
                                          absl::Span<const int> also) {
  std::vector<int> fds;
  for (const Lane* lane : lanes) fds.push_back(lane->wait_fd());
  fds.insert(fds.end(), also.begin(), also.end());
  return sleeper_->Watch(fds);
}

}  // namespace netchannel

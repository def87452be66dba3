// SPDX-License-Identifier: Apache-2.0
#include "stack/running_stack.h"

#include <algorithm>
#include <vector>

#include "ipc/futex.h"
#include "vns/status.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<RunningStack>> RunningStack::Create(
    const RunnerConfig& runner, const HostConfig& host_config, bool deferring,
    absl::Span<Lane* const> lanes, NextHops* hops, Rng* rng, Housekeeping* housekeeping) {
  auto stack = std::unique_ptr<RunningStack>(new RunningStack(deferring));
  auto sleeper = Sleeper::Create();
  if (!sleeper.ok()) return sleeper.status();
  stack->sleeper_ = *std::move(sleeper);
  if (absl::Status status = stack->WatchLanes(lanes, {}); !status.ok()) return status;
  auto host = Host::Create(host_config, lanes, hops, &stack->bridge_, rng, ipc::MonotonicNow());
  if (!host.ok()) return host.status();
  stack->host_ = *std::move(host);
  stack->bridge_.Attach(&stack->host_->sockets());
  if (const Driver* driver = stack->host_->packet_driver()) {
    stack->bridge_.SetPeerRules(&driver->peer_rules());
  }
  stack->runner_ = std::make_unique<Runner>(runner, stack->host_.get(), &stack->bridge_,
                                            stack->sleeper_.get(), housekeeping);
  return stack;
}

RunningStack::~RunningStack() {
  if (runner_ == nullptr) return;
  runner_->Stop();
  Drain();
  const Time now = ipc::MonotonicNow();
  bridge_.RemoveAll(now);
  for (int i = 0; i < kFarewellRounds; ++i) host_->Transmit(now);
  host_->driver().Shutdown(now);
  host_->driver().PollTransmit(now, host_->lanes().size());
}

// Nothing acknowledged to a writer is lost by close(): a stack that ends right after is no
// exception.
void RunningStack::Drain() {
  const Time give_up = ipc::MonotonicNow() + kDrainTime;
  for (Time now = ipc::MonotonicNow(); now < give_up && HasUndelivered();
       now = ipc::MonotonicNow()) {
    if (host_->Receive(now) + host_->Transmit(now) > 0) continue;
    sleeper_->Sleep(now, std::min(host_->NextTimeout(), now + kDrainLook));
  }
}

bool RunningStack::HasUndelivered() const {
  for (const SocketStatus& socket : host_->sockets().ListSockets()) {
    if (!socket.held && !socket.delivered) return true;
  }
  return false;
}

absl::Status RunningStack::WatchLanes(absl::Span<Lane* const> lanes, absl::Span<const int> also) {
  std::vector<int> fds;
  for (const Lane* lane : lanes) fds.push_back(lane->wait_fd());
  if (host_ != nullptr && host_->wait_fd() >= 0) fds.push_back(host_->wait_fd());
  return sleeper_->Watch(fds, also);
}

}  // namespace netchannel

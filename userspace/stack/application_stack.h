// SPDX-License-Identifier: Apache-2.0
//
// A running stack for one application, whatever its device is: region, bridge, host, lease and
// thread over given lanes. EmbeddedStack (stack/embedded.h) gives it AF_XDP lanes; tests give it
// lanes in memory.
//
// Owner: whoever owns the lanes, which outlive it. Thread: as ipc/link.h says for the functions of
// a link. Errors: Create says operation, object and cure.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/rng.h"
#include "ipc/region.h"
#include "ipc/stack_side.h"
#include "netdriver/device.h"
#include "stack/bridge.h"
#include "stack/config.h"
#include "stack/host.h"
#include "stack/runner.h"
#include "stack/sleeper.h"

namespace netchannel {

class ApplicationStack {
 public:
  // `config`: its sizes and thread settings. The lanes, hops, rng and housekeeping outlive the
  // stack.
  static absl::StatusOr<std::unique_ptr<ApplicationStack>> Create(const Config& config,
                                                                  const HostConfig& host_config,
                                                                  absl::Span<Lane* const> lanes,
                                                                  NextHops* hops, Rng* rng,
                                                                  Housekeeping* housekeeping);
  // Delivers what closed sockets have written (within kDrainTime), aborts what is open and tells
  // the peers. No application thread is inside any more.
  ~ApplicationStack();

  void Start() { runner_->Start(); }
  // Sleeps on the lanes' descriptors as they are now, and on `also`, until any is readable or has
  // an error. At first, and when they have changed.
  absl::Status WatchLanes(absl::Span<Lane* const> lanes, absl::Span<const int> also);

  ipc::Region& region() { return *region_; }
  ipc::StackSide& side() { return *side_; }
  Runner& runner() { return *runner_; }
  // Under the lease (Runner::WithLease):
  Host& host() { return *host_; }
  const Bridge& bridge() const { return bridge_; }

 private:
  // Rounds for what is still to be told when the stack ends; the peers' answers are not waited for.
  static constexpr int kFarewellRounds = 4;

  // What closed sockets have still to deliver gets this long when the stack ends.
  static constexpr Duration kDrainTime = Duration::Seconds(2);
  static constexpr Duration kDrainLook = Duration::Millis(10);

  ApplicationStack() = default;
  void Drain();
  bool HasUndelivered() const;

  // In the order of construction: each uses those above it.
  std::unique_ptr<Sleeper> sleeper_;
  std::unique_ptr<ipc::Region> region_;
  ipc::StackSide* side_ = nullptr;  // the bridge's
  Bridge bridge_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Runner> runner_;
  uint32_t application_ = 0;
};

}  // namespace netchannel

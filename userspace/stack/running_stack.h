// SPDX-License-Identifier: Apache-2.0
//
// A running stack, whatever its device is and whoever its applications are: bridge, host, lease and
// thread over given lanes. ApplicationStack (stack/application_stack.h) gives it one application in
// the same process; the daemon gives it many in others.
//
// Owner: whoever owns the lanes and the applications' regions, which outlive it. Thread: what is
// under the lease is said at each function. Errors: Create says operation, object and cure.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/rng.h"
#include "netdriver/device.h"
#include "stack/bridge.h"
#include "stack/host.h"
#include "stack/runner.h"
#include "stack/sleeper.h"

namespace netchannel {

class RunningStack {
 public:
  // The lanes, hops, rng and housekeeping outlive the stack. `deferring`: see Bridge.
  static absl::StatusOr<std::unique_ptr<RunningStack>> Create(
      const RunnerConfig& runner, const HostConfig& host, bool deferring,
      absl::Span<Lane* const> lanes, NextHops* hops, Rng* rng, Housekeeping* housekeeping);
  // Delivers what closed sockets have written (within kDrainTime), aborts what is open and tells
  // the peers. No application thread is inside any more.
  ~RunningStack();

  void Start() { runner_->Start(); }
  // Sleeps on the lanes' descriptors as they are now (over TCP: on the connections), and on `also`,
  // until any is readable or has an error. At first, and when they have changed.
  absl::Status WatchLanes(absl::Span<Lane* const> lanes, absl::Span<const int> also);

  Runner& runner() { return *runner_; }
  // Under the lease (Runner::WithLease), or before Start:
  Host& host() { return *host_; }
  Bridge& bridge() { return bridge_; }

 private:
  // Rounds for what is still to be told when the stack ends; the peers' answers are not waited for.
  static constexpr int kFarewellRounds = 4;

  // What closed sockets have still to deliver gets this long when the stack ends.
  static constexpr Duration kDrainTime = Duration::Seconds(2);
  static constexpr Duration kDrainLook = Duration::Millis(10);

  explicit RunningStack(bool deferring) : bridge_(deferring) {}
  void Drain();
  bool HasUndelivered() const;

  // In the order of construction: each uses those above it.
  std::unique_ptr<Sleeper> sleeper_;
  Bridge bridge_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Runner> runner_;
};

}  // namespace netchannel

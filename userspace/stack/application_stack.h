// SPDX-License-Identifier: Apache-2.0
//
// A running stack for one application in the same process, whatever its device is: a RunningStack
// and the application's region. EmbeddedStack (stack/embedded.h) gives it AF_XDP lanes; tests give
// it lanes in memory.
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
#include "stack/config.h"
#include "stack/running_stack.h"

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

  void Start() { running_->Start(); }

  RunningStack& running() { return *running_; }
  ipc::Region& region() { return *region_; }
  ipc::StackSide& side() { return *side_; }
  Runner& runner() { return running_->runner(); }
  // Under the lease (Runner::WithLease):
  Host& host() { return running_->host(); }
  Bridge& bridge() { return running_->bridge(); }

 private:
  ApplicationStack() = default;

  std::unique_ptr<ipc::Region> region_;  // outlives those who use it
  std::unique_ptr<RunningStack> running_;
  ipc::StackSide* side_ = nullptr;  // the bridge's
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// netchanneld: one stack for all processes of the host, on one interface.
//
//   applications' regions  <- ControlServer ->  who connects, who lets go
//            |                     |
//          Bridge  ---------  RunningStack  -----  LiveInterface
//
// Everything runs on the stack's thread: what applications ask over the control socket is done
// between two rounds, by the one thread that may touch the sockets. The main thread only waits for
// signals and tells the service manager that rounds go on.
//
// Owner: main. Thread: the one that made it; rounds() any. Errors: Start says operation, object and
// cure in one line, and leaves nothing behind.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/control_server.h"
#include "daemon/guardian.h"
#include "daemon/look_period.h"
#include "daemon/low_ports.h"
#include "daemon/user_accounts.h"
#include "stack/config.h"
#include "stack/kernel_rng.h"
#include "stack/live_interface.h"
#include "stack/running_stack.h"
#include "stack/status_server.h"

namespace netchannel {

class Daemon final : private Housekeeping {
 public:
  // Binds its sockets, then becomes daemon.user, then runs.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const Config& config);
  // Tells applications and peers; what was written to closed sockets is delivered first.
  ~Daemon() override;

  const std::string& socket_path() const { return socket_path_; }
  // Moves while the stack's thread works or sleeps as it should: some 20 times a second at least.
  uint64_t rounds() const { return rounds_.load(std::memory_order_relaxed); }

 private:
  static constexpr Duration kTendPeriod = Duration::Millis(1);
  static constexpr Duration kAccountPeriod = Duration::Seconds(1);

  // Processes that share a region, on an average: an inetd's children, for one.
  static constexpr uint32_t kConnectionsAnApplication = 16;

  explicit Daemon(const Config& config);
  absl::Status OpenAll();
  absl::Status StartStack();
  Duration Poll(Time now) override;
  Time NextTimeout() const override {
    return std::min(control_->NextTimeout(), std::max(next_tend_, stack_->bridge().NextTimeout()));
  }
  void Tend(Time now);
  std::string StatusDocument();  // under the lease

  // In the order of construction: each uses those above it.
  const Config config_;
  const std::string socket_path_;
  KernelRng rng_;
  LowPorts low_ports_;
  UserAccounts accounts_;
  std::unique_ptr<Guardian> guardian_;
  std::unique_ptr<LiveInterface> interface_;
  std::unique_ptr<ControlServer> control_;  // the regions
  std::unique_ptr<RunningStack> stack_;
  std::unique_ptr<StatusServer> status_server_;
  LookPeriod look_period_;
  Time next_tend_, next_accounts_;
  std::atomic<uint64_t> rounds_{0};
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// A stack inside the process that uses it: the composition root of one interface. It opens the
// device, makes the application's region, wires host and bridge over them, and starts the thread
// and the status socket.
//
// Owner: the client library, through ipc::StackLink. Destroying it tells the peers, aborts what is
// open, and checks that every received frame came home. Thread: see ipc/link.h. Errors: Start says
// operation, object and cure in one line, and leaves nothing behind.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ipc/link.h"
#include "ipc/region.h"
#include "netdriver/neighbours.h"
#include "netdriver/xdp/xdp_device.h"
#include "stack/bridge.h"
#include "stack/config.h"
#include "stack/host.h"
#include "stack/kernel_rng.h"
#include "stack/runner.h"
#include "stack/sleeper.h"
#include "stack/status_server.h"

namespace netchannel {

class EmbeddedStack final : public ipc::StackLink, private Housekeeping {
 public:
  // `config` has an interface.
  static absl::StatusOr<std::unique_ptr<EmbeddedStack>> Start(const Config& config);
  ~EmbeddedStack() override;

  std::byte* region() override { return region_->base(); }
  size_t region_size() const override { return region_->size(); }
  void Wake() override { runner_->Wake(); }
  bool Lend(bool (*done)(void*), void* argument, Time deadline, bool spin) override {
    return runner_->Lend(done, argument, deadline, spin);
  }
  void Attend() override { runner_->Attend(); }
  int WaitSetFd(uint32_t index) override { return side_->EventFd(index); }
  std::string StatusJson() override;

 private:
  static constexpr Duration kSupervisePeriod = Duration::Seconds(1);
  // A last round for what is still to be told, and the peers' answers are not waited for.
  static constexpr int kFarewellRounds = 4;

  explicit EmbeddedStack(const Config& config) : config_(config) {}
  absl::Status OpenDevice();
  absl::Status OpenRegion();
  absl::Status BuildHost(Time now);
  absl::Status StartThreads();
  absl::Status WatchLanes();
  void Poll(Time now) override;

  // In the order of construction: each uses those above it.
  const Config config_;
  std::vector<wire::IpAddress> addresses_;
  KernelRng rng_;
  std::unique_ptr<Sleeper> sleeper_;
  std::unique_ptr<XdpDevice> device_;
  std::unique_ptr<NetlinkNextHops> hops_;
  std::unique_ptr<ipc::Region> region_;
  ipc::StackSide* side_ = nullptr;  // the bridge's
  Bridge bridge_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<StatusServer> status_server_;
  uint32_t application_ = 0;
  Time next_supervision_;
  bool watch_failed_ =
      false;  // a rebuilt lane that cannot be slept on: it is polled every kMaxSleep
};

}  // namespace netchannel

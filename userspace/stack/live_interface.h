// SPDX-License-Identifier: Apache-2.0
//
// What a stack on a real interface stands on: its addresses, the AF_XDP device and the kernel's
// routes; and the looking after them that a round does now and then. Over the kernel's TCP it is
// the addresses alone.
//
// Which of the two it is the configuration says (driver.transport): an interface that is named by
// an own address has nothing but TCP; with "auto" it is TCP where AF_XDP is not to be had, and the
// reason is kept for status output.
//
// Owner: EmbeddedStack or the daemon. Thread: Open and the destructor in the interface's network
// namespace; Poll and device() under the lease. Errors: Open says operation, object and cure in one
// line, and leaves nothing behind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "netdriver/neighbours.h"
#include "netdriver/xdp/xdp_device.h"
#include "stack/config.h"
#include "stack/live_load.h"
#include "stack/running_stack.h"
#include "stack/steering.h"

namespace netchannel {

class LiveInterface {
 public:
  // `config` has an interface.
  static absl::StatusOr<std::unique_ptr<LiveInterface>> Open(const Config& config);

  const std::vector<wire::IpAddress>& addresses() const { return addresses_; }
  Transport transport() const { return device_ != nullptr ? Transport::kLanes : Transport::kTcp; }
  // Why it is this one; empty when the configuration says so.
  const std::string& transport_why() const { return transport_why_; }
  // Over TCP: null, and no lanes.
  XdpDevice* device() { return device_.get(); }
  const XdpDevice* device() const { return device_.get(); }
  NextHops* hops() { return hops_.get(); }
  const Steering* steering() const { return steering_.get(); }
  absl::Span<Lane* const> lanes() const;
  // The configuration of a host on it.
  HostConfig MakeHost(const Config& config) const;

  // The stack sleeps on the lanes, on what Poll reads, and on `more`.
  absl::Status Watch(RunningStack& stack, const std::vector<int>& more = {});
  // Says how busy the threads are, and on stderr which channels were opened and closed. Follows the
  // kernel's routes, the ports' ICMP errors and the steering maps; once a second looks
  // whether the device still works. `more` as in Watch, should the lanes' descriptors change.
  void Poll(Time now, RunningStack& stack, const std::vector<int>& more = {});

 private:
  static constexpr Duration kSupervisePeriod = Duration::Seconds(1);
  // ICMP errors that one Poll takes in; the rest waits for the next one.
  static constexpr int kMaxErrorsPerPoll = 64;

  LiveInterface() = default;
  void LogChannels(const ChannelScaler& scaler);
  void LogRebuild(const absl::Status& status);
  static absl::StatusOr<std::unique_ptr<LiveInterface>> OpenXdp(const Config& config);
  static absl::StatusOr<std::unique_ptr<LiveInterface>> OpenTcp(const Config& config,
                                                                std::string why);

  std::vector<wire::IpAddress> addresses_;
  std::string transport_why_;
  std::unique_ptr<XdpDevice> device_;
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<LiveLoad> load_;
  uint64_t changes_logged_ = 0;  // of the channel scaler
  std::unique_ptr<NetlinkNextHops> hops_;
  Time next_supervision_;
  std::string rebuild_failure_;  // as logged; empty: the last one worked
};

}  // namespace netchannel

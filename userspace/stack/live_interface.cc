// SPDX-License-Identifier: Apache-2.0
#include "stack/live_interface.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/host_config.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<LiveInterface>> LiveInterface::Open(const Config& config) {
  if (config.transport == "tcp") return OpenTcp(config, "");
  if (wire::IpAddress::Parse(config.interface).ok()) {
    return OpenTcp(config, "the interface is named by an address");
  }
  auto xdp = OpenXdp(config);
  if (xdp.ok() || config.transport != "auto") return xdp;
  return OpenTcp(config, absl::StrCat("no AF_XDP: ", xdp.status().message()));
}

absl::StatusOr<std::unique_ptr<LiveInterface>> LiveInterface::OpenTcp(const Config& config,
                                                                      std::string why) {
  auto live = std::unique_ptr<LiveInterface>(new LiveInterface());
  live->transport_why_ = std::move(why);
  if (const auto own = wire::IpAddress::Parse(config.interface); own.ok()) {
    if (!config.addresses.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "host.addresses: leave it empty, host.interface is the address ", config.interface));
    }
    live->addresses_ = {*own};
    return live;
  }
  const auto of_interface = xdp::InterfaceAddresses(config.interface);
  if (!of_interface.ok()) return of_interface.status();
  auto addresses = ChooseAddresses(config, *of_interface);
  if (!addresses.ok()) return addresses.status();
  live->addresses_ = *std::move(addresses);
  return live;
}

absl::StatusOr<std::unique_ptr<LiveInterface>> LiveInterface::OpenXdp(const Config& config) {
  const auto interface = xdp::QueryInterface(config.interface);
  if (!interface.ok()) return interface.status();
  if (!interface->up) {
    return absl::FailedPreconditionError(absl::StrCat(
        "interface ", interface->name, ": is down; run `ip link set ", interface->name, " up`"));
  }
  const auto of_interface = xdp::InterfaceAddresses(config.interface);
  if (!of_interface.ok()) return of_interface.status();
  auto addresses = ChooseAddresses(config, *of_interface);
  if (!addresses.ok()) return addresses.status();
  auto live = std::unique_ptr<LiveInterface>(new LiveInterface());
  live->addresses_ = *std::move(addresses);
  const auto device_config = MakeDeviceConfig(config, live->addresses_, *interface);
  if (!device_config.ok()) return device_config.status();
  auto device = XdpDevice::Open(*device_config);
  if (!device.ok()) return device.status();
  live->device_ = *std::move(device);
  live->load_ = std::make_unique<LiveLoad>(live->device_.get());
  live->steering_ = std::make_unique<Steering>(live->device_.get(), config.policy);
  auto hops = NetlinkNextHops::Open(static_cast<int>(interface->ifindex));
  if (!hops.ok()) return hops.status();
  live->hops_ = *std::move(hops);
  return live;
}

absl::Span<Lane* const> LiveInterface::lanes() const {
  return device_ != nullptr ? device_->lanes() : absl::Span<Lane* const>();
}

HostConfig LiveInterface::MakeHost(const Config& config) const {
  // Over TCP packets are the kernel's matter: any size is legal here.
  const uint32_t mtu = device_ != nullptr ? device_->status().interface.mtu : 1500;
  HostConfig host = MakeHostConfig(config, addresses_, mtu);
  host.transport = transport();
  return host;
}

absl::Status LiveInterface::Watch(RunningStack& stack, const std::vector<int>& more) {
  if (device_ == nullptr) return stack.WatchLanes({}, more);
  stack.host().SetLoadSource(load_.get());
  std::vector<int> also = {device_->error_fd(), hops_->fd()};
  also.insert(also.end(), more.begin(), more.end());
  return stack.WatchLanes(device_->lanes(), also);
}

void LiveInterface::LogChannels(const ChannelScaler& scaler) {
  const auto& log = scaler.log();
  size_t news = std::min<uint64_t>(scaler.changes() - changes_logged_, log.size());
  changes_logged_ = scaler.changes();
  for (; news > 0; --news) {
    const ChannelScaler::Change& change = log[log.size() - news];
    std::fprintf(stderr, "netchannel: channels: %s\n", Describe(change).c_str());
  }
}

// A failure is said once, however often it is met.
void LiveInterface::LogRebuild(const absl::Status& status) {
  const std::string name = device_->status().interface.name;
  std::string failure(status.message());
  if (status.ok()) {
    std::fprintf(stderr, "netchannel: %s: completions had stopped: its sockets are made anew\n",
                 name.c_str());
  } else if (failure != rebuild_failure_) {
    std::fprintf(stderr,
                 "netchannel: %s: completions have stopped, and its sockets cannot be made anew; "
                 "trying again: %s\n",
                 name.c_str(), failure.c_str());
  }
  rebuild_failure_ = std::move(failure);
}

void LiveInterface::Poll(Time now, RunningStack& stack, const std::vector<int>& more) {
  if (device_ == nullptr) return;
  hops_->Poll();
  load_->SetStackBusy(stack.runner().busy());
  LogChannels(*stack.host().scaler());
  steering_->Poll(now, stack.host(), stack.bridge());
  for (int i = 0; i < kMaxErrorsPerPoll; ++i) {
    const std::optional<Unreachable> error = device_->PollUnreachable();
    if (!error) break;
    stack.host().packet_driver()->OnUnreachable(now, *error);
  }
  if (now < next_supervision_) return;
  next_supervision_ = now + kSupervisePeriod;
  // A device that cannot be rebuilt stays silent until it can; its sessions then end with
  // ETIMEDOUT, which each socket learns.
  const absl::StatusOr<bool> rebuilt = device_->Supervise(now);
  if (rebuilt.ok() && !*rebuilt) return;
  LogRebuild(rebuilt.status());
  // As many as before, so they fit. Those of a silent device are -1, which nobody waits for.
  Watch(stack, more).IgnoreError();
}

}  // namespace netchannel

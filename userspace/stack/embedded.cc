// SPDX-License-Identifier: Apache-2.0
#include "stack/embedded.h"

#include <sys/epoll.h>

#include "absl/strings/str_cat.h"
#include "ipc/futex.h"
#include "ipc/stack_side.h"
#include "stack/host_config.h"
#include "stack/status.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<EmbeddedStack>> EmbeddedStack::Start(const Config& config) {
  auto stack = std::unique_ptr<EmbeddedStack>(new EmbeddedStack(config));
  if (absl::Status status = stack->OpenDevice(); !status.ok()) return status;
  if (absl::Status status = stack->OpenRegion(); !status.ok()) return status;
  if (absl::Status status = stack->BuildHost(ipc::MonotonicNow()); !status.ok()) return status;
  if (absl::Status status = stack->StartThreads(); !status.ok()) return status;
  return stack;
}

absl::Status EmbeddedStack::OpenDevice() {
  const auto interface = xdp::QueryInterface(config_.interface);
  if (!interface.ok()) return interface.status();
  if (!interface->up) {
    return absl::FailedPreconditionError(absl::StrCat(
        "interface ", interface->name, ": is down; run `ip link set ", interface->name, " up`"));
  }
  const auto of_interface = xdp::InterfaceAddresses(config_.interface);
  if (!of_interface.ok()) return of_interface.status();
  auto addresses = ChooseAddresses(config_, *of_interface);
  if (!addresses.ok()) return addresses.status();
  addresses_ = *std::move(addresses);
  const auto device_config = MakeDeviceConfig(config_, addresses_, *interface);
  if (!device_config.ok()) return device_config.status();
  auto device = XdpDevice::Open(*device_config);
  if (!device.ok()) return device.status();
  device_ = *std::move(device);
  auto hops = NetlinkNextHops::Open(static_cast<int>(interface->ifindex));
  if (!hops.ok()) return hops.status();
  hops_ = *std::move(hops);
  return absl::OkStatus();
}

absl::Status EmbeddedStack::OpenRegion() {
  auto region = ipc::Region::Create(
      {.socket_count = config_.max_sockets, .ring_bytes = uint64_t{config_.buffer_kib} * 1024});
  if (!region.ok()) return region.status();
  region_ = std::make_unique<ipc::Region>(*std::move(region));
  auto side = std::make_unique<ipc::StackSide>(region_->view());
  side_ = side.get();
  application_ = bridge_.AddApplication(std::move(side));
  return absl::OkStatus();
}

absl::Status EmbeddedStack::BuildHost(Time now) {
  const uint32_t mtu = device_->status().interface.mtu;
  auto host = Host::Create(MakeHostConfig(config_, addresses_, mtu), device_->lanes(), hops_.get(),
                           &bridge_, &rng_, now);
  if (!host.ok()) return host.status();
  host_ = *std::move(host);
  bridge_.Attach(&host_->sockets());
  return absl::OkStatus();
}

absl::Status EmbeddedStack::StartThreads() {
  auto sleeper = Sleeper::Create();
  if (!sleeper.ok()) return sleeper.status();
  sleeper_ = *std::move(sleeper);
  if (absl::Status status = sleeper_->Watch(hops_->fd()); !status.ok()) return status;
  if (absl::Status status = WatchLanes(); !status.ok()) return status;
  runner_ = std::make_unique<Runner>(
      RunnerConfig{.spin = Duration::Micros(config_.spin_us), .lend = config_.lend}, host_.get(),
      &bridge_, sleeper_.get(), static_cast<Housekeeping*>(this));
  if (!config_.status_directory.empty()) {
    auto server = StatusServer::Start(config_.status_directory, [this] { return StatusJson(); });
    if (!server.ok()) return server.status();
    status_server_ = *std::move(server);
  }
  runner_->Start();
  return absl::OkStatus();
}

// Closing a descriptor takes it out of the epoll set, so after a rebuild only the new ones are
// added.
absl::Status EmbeddedStack::WatchLanes() {
  for (Lane* lane : device_->lanes()) {
    if (absl::Status status = sleeper_->Watch(lane->wait_fd()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

EmbeddedStack::~EmbeddedStack() {
  status_server_.reset();
  if (runner_ != nullptr) runner_->Stop();
  if (host_ != nullptr) {
    const Time now = ipc::MonotonicNow();
    bridge_.RemoveApplication(now, application_);
    for (int i = 0; i < kFarewellRounds; ++i) host_->Transmit(now);
    host_->driver().Shutdown(now);
    host_->driver().PollTransmit(now, host_->lanes().size());
  }
}

void EmbeddedStack::Poll(Time now) {
  hops_->Poll();
  if (now < next_supervision_) return;
  next_supervision_ = now + kSupervisePeriod;
  const absl::StatusOr<bool> rebuilt = device_->Supervise(now);
  // A device that cannot be rebuilt stays silent; sessions then end with ETIMEDOUT, which says it
  // to each socket.
  if (rebuilt.ok() && *rebuilt) watch_failed_ = !WatchLanes().ok();
}

std::string EmbeddedStack::StatusJson() {
  return runner_->WithLease([this] { return BuildStatus(config_, addresses_, *device_, *host_); });
}

namespace ipc {

absl::StatusOr<std::unique_ptr<StackLink>> StartEmbeddedStack(std::string_view interface,
                                                              std::string_view config_text) {
  auto config = ParseConfig({config_text.data(), config_text.size()}, "configuration");
  if (!config.ok()) return config.status();
  if (!interface.empty()) config->interface = std::string(interface);
  if (config->interface.empty()) {
    return absl::InvalidArgumentError(
        "no interface: name one in the call, or as host.interface in the configuration");
  }
  auto stack = EmbeddedStack::Start(*config);
  if (!stack.ok()) return stack.status();
  return std::unique_ptr<StackLink>(*std::move(stack));
}

}  // namespace ipc

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "stack/embedded.h"

#include "absl/strings/str_cat.h"
#include "stack/host_config.h"
#include "stack/status.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<EmbeddedStack>> EmbeddedStack::Start(const Config& config) {
  auto stack = std::unique_ptr<EmbeddedStack>(new EmbeddedStack(config));
  if (absl::Status status = stack->OpenDevice(); !status.ok()) return status;
  if (absl::Status status = stack->StartStack(); !status.ok()) return status;
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

absl::Status EmbeddedStack::StartStack() {
  const HostConfig host = MakeHostConfig(config_, addresses_, device_->status().interface.mtu);
  auto stack = ApplicationStack::Create(config_, host, device_->lanes(), hops_.get(), &rng_,
                                        static_cast<Housekeeping*>(this));
  if (!stack.ok()) return stack.status();
  stack_ = *std::move(stack);
  if (absl::Status status = WatchAll(); !status.ok()) return status;
  if (!config_.status_directory.empty()) {
    auto server = StatusServer::Start(config_.status_directory, [this] { return StatusJson(); });
    if (!server.ok()) return server.status();
    status_server_ = *std::move(server);
  }
  stack_->Start();
  return absl::OkStatus();
}

EmbeddedStack::~EmbeddedStack() {
  status_server_.reset();
  stack_.reset();
}

absl::Status EmbeddedStack::WatchAll() {
  return stack_->WatchLanes(device_->lanes(), {hops_->fd(), device_->error_fd()});
}

void EmbeddedStack::Poll(Time now) {
  hops_->Poll();
  for (int i = 0; i < kMaxErrorsPerPoll; ++i) {
    const std::optional<Unreachable> error = device_->PollUnreachable();
    if (!error) break;
    stack_->host().driver().OnUnreachable(now, *error);
  }
  if (now < next_supervision_) return;
  next_supervision_ = now + kSupervisePeriod;
  // A device that cannot be rebuilt stays silent; its sessions then end with ETIMEDOUT, which each
  // socket learns.
  const absl::StatusOr<bool> rebuilt = device_->Supervise(now);
  if (!rebuilt.ok() || !*rebuilt) return;
  // As many as before, so they fit.
  WatchAll().IgnoreError();
}

std::string EmbeddedStack::StatusJson() {
  return stack_->runner().WithLease([this] {
    return BuildStatus(config_, addresses_, *device_, stack_->host(), stack_->bridge());
  });
}

namespace ipc {

absl::StatusOr<std::unique_ptr<StackLink>> StartEmbeddedStack(std::string_view interface,
                                                              std::string_view config_text,
                                                              std::string_view origin) {
  auto config =
      ParseConfig({config_text.data(), config_text.size()}, {origin.data(), origin.size()});
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

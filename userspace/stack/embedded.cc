// SPDX-License-Identifier: Apache-2.0
#include "stack/embedded.h"

#include "stack/status.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<EmbeddedStack>> EmbeddedStack::Start(const Config& config) {
  auto stack = std::unique_ptr<EmbeddedStack>(new EmbeddedStack(config));
  auto live = LiveInterface::Open(config);
  if (!live.ok()) return live.status();
  stack->interface_ = *std::move(live);
  if (absl::Status status = stack->StartStack(); !status.ok()) return status;
  return stack;
}

absl::Status EmbeddedStack::StartStack() {
  auto stack =
      ApplicationStack::Create(config_, interface_->MakeHost(config_), interface_->lanes(),
                               interface_->hops(), &rng_, static_cast<Housekeeping*>(this));
  if (!stack.ok()) return stack.status();
  stack_ = *std::move(stack);
  if (absl::Status status = interface_->Watch(stack_->running()); !status.ok()) return status;
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
  // Its thread calls Poll, which uses stack_, until it has stopped; reset() forgets stack_ first.
  if (stack_ != nullptr) stack_->runner().Stop();
  stack_.reset();
}

Duration EmbeddedStack::Poll(Time now) {
  interface_->Poll(now, stack_->running());
  stack_->bridge().Tend(now);
  return kLookPeriod;
}

std::string EmbeddedStack::StatusJson() {
  return stack_->runner().WithLease([this] {
    return BuildStatus(config_, *interface_, stack_->host(), stack_->bridge(),
                       stack_->runner().priority_status());
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

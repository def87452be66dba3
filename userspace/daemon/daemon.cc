// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "daemon/control_socket.h"
#include "daemon/privileges.h"
#include "stack/status.h"

namespace netchannel {
namespace {

UserLimits LimitsOf(const Config& config) {
  UserLimits limits;
  limits.sockets = config.user_sockets;
  limits.memory_bytes = uint64_t{config.user_memory_mib} << 20;
  limits.applications = config.user_applications;
  return limits;
}

std::string SocketPathOf(const Config& config) {
  if (!config.daemon_socket.empty()) return config.daemon_socket;
  return absl::StrCat(std::string(ipc::kRunDirectory), "/", config.interface, ".sock");
}

}  // namespace

Daemon::Daemon(const Config& config)
    : config_(config), socket_path_(SocketPathOf(config)), accounts_(LimitsOf(config)) {}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const Config& config) {
  RaiseFileLimit();
  auto daemon = std::unique_ptr<Daemon>(new Daemon(config));
  if (absl::Status status = daemon->OpenAll(); !status.ok()) return status;
  if (!config.daemon_user.empty()) {
    if (absl::Status status = BecomeUser(config.daemon_user); !status.ok()) return status;
  }
  daemon->stack_->Start();
  return daemon;
}

absl::Status Daemon::OpenAll() {
  auto guardian = Guardian::Start();
  if (!guardian.ok()) return guardian.status();
  guardian_ = *std::move(guardian);
  auto interface = LiveInterface::Open(config_);
  if (!interface.ok()) return interface.status();
  interface_ = *std::move(interface);
  auto listener = ListenAt(socket_path_, config_.daemon_group);
  if (!listener.ok()) return listener.status();
  auto control = ControlServer::Create(
      *std::move(listener),
      {.shape = RegionShapeOf(config_),
       .accounts = &accounts_,
       .ports = &low_ports_,
       .guardian = guardian_.get(),
       .rng = &rng_,
       .status = [this] { return StatusDocument(); },
       .max_connections = kConnectionsAnApplication * config_.user_applications});
  if (!control.ok()) return control.status();
  control_ = *std::move(control);
  return StartStack();
}

absl::Status Daemon::StartStack() {
  HostConfig host = interface_->MakeHost(config_);
  host.sockets.max_sockets = config_.total_sockets;
  ThreadPriorityConfig priority = ThreadPriorityOf(config_);
  priority.limit_process = true;
  PermitThreadPriority(priority);
  auto stack = RunningStack::Create(
      {.spin = Duration::Micros(config_.spin_us), .lend = false, .priority = priority}, host,
      /*deferring=*/true, interface_->lanes(), interface_->hops(), &rng_,
      static_cast<Housekeeping*>(this));
  if (!stack.ok()) return stack.status();
  stack_ = *std::move(stack);
  stack_->bridge().SetClassRules(config_.class_rules);
  control_->Attach(&stack_->bridge());
  if (config_.status_directory.empty()) return interface_->Watch(*stack_, {control_->fd()});
  auto server = StatusServer::Start(config_.status_directory, [this] {
    return stack_->runner().WithLease([this] { return StatusDocument(); });
  });
  if (!server.ok()) return server.status();
  status_server_ = *std::move(server);
  return interface_->Watch(*stack_, {control_->fd()});
}

Daemon::~Daemon() {
  status_server_.reset();
  // Its thread calls Poll, which uses stack_, until it has stopped; reset() forgets stack_ first.
  if (stack_ != nullptr) stack_->runner().Stop();
  stack_.reset();  // before the regions that its applications lie in
  if (control_ != nullptr) unlink(socket_path_.c_str());
}

Duration Daemon::Poll(Time now) {
  rounds_.fetch_add(1, std::memory_order_relaxed);
  const bool found = control_->Poll(now);
  stack_->bridge().ServeDeferred(now);
  if (now >= next_tend_) Tend(now);
  return look_period_.OnLook(found);
}

void Daemon::Tend(Time now) {
  next_tend_ = now + kTendPeriod;
  interface_->Poll(now, *stack_, {control_->fd()});
  stack_->bridge().Tend(now);
  if (now < next_accounts_) return;
  next_accounts_ = now + kAccountPeriod;
  control_->Tend(now);
}

std::string Daemon::StatusDocument() {
  const DaemonFacts facts{.applications = control_->region_count(),
                          .connections = control_->connection_count(),
                          .descriptors = control_->anchor_count(),
                          .guardian = guardian_->pid(),
                          .guardian_restarts = guardian_->restarts()};
  return BuildStatus(config_, *interface_, stack_->host(), stack_->bridge(),
                     stack_->runner().priority_status(), &facts);
}

}  // namespace netchannel

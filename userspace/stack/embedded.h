// SPDX-License-Identifier: Apache-2.0
//
// A stack inside the process that uses it, on one interface: an ApplicationStack over a
// LiveInterface, with a status socket.
//
// Owner: the client library, through ipc::StackLink. Destroying it tells the peers and aborts what
// is open. Thread: see ipc/link.h; Start and the destructor in the interface's network namespace.
// Errors: Start says operation, object and cure in one line, and leaves nothing behind.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ipc/link.h"
#include "stack/application_stack.h"
#include "stack/config.h"
#include "stack/kernel_rng.h"
#include "stack/live_interface.h"
#include "stack/status_server.h"

namespace netchannel {

class EmbeddedStack final : public ipc::StackLink, private Housekeeping {
 public:
  // `config` has an interface.
  static absl::StatusOr<std::unique_ptr<EmbeddedStack>> Start(const Config& config);
  ~EmbeddedStack() override;

  std::byte* region() override { return stack_->region().base(); }
  size_t region_size() const override { return stack_->region().size(); }
  void Wake() override { stack_->runner().Wake(); }
  ipc::LendResult Lend(bool (*done)(void*), void* argument, Time deadline, bool spin) override {
    return stack_->runner().Lend(done, argument, deadline, spin);
  }
  void Attend() override { stack_->runner().Attend(); }
  bool SetWaitSetFd(uint32_t index, int fd) override {
    return stack_->side().SetEventFd(index, fd);
  }
  std::string StatusJson() override;

 private:
  static constexpr Duration kLookPeriod = Duration::Millis(5);

  explicit EmbeddedStack(const Config& config) : config_(config) {}
  absl::Status StartStack();
  Duration Poll(Time now) override;
  Time NextTimeout() const override { return stack_->bridge().NextTimeout(); }

  // In the order of construction: each uses those above it.
  const Config config_;
  KernelRng rng_;
  std::unique_ptr<LiveInterface> interface_;
  std::unique_ptr<ApplicationStack> stack_;
  std::unique_ptr<StatusServer> status_server_;
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// A daemon's control socket in the fuzzers' world, and programs that talk to it: what the control
// socket's fuzzer and unit tests play in. Time is a number; one thread, beside those that let go of
// what is handed in. The program's arguments: see RunGuardian.
#pragma once

#include <sys/un.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "daemon/control_server.h"
#include "daemon/guardian.h"
#include "ipc/calls.h"
#include "ipc/control.h"
#include "region_world.h"

namespace netchannel::fuzz {

// One for all runs: a process, which is told of regions and of eventfds.
Guardian* TheGuardian();

// A daemon without an interface of its own, and the world that its stack is in. Listens at an
// address that the kernel chooses, in no file system.
class Place {
 public:
  explicit Place(uint64_t seed, const UserLimits& limits, const ipc::RegionShape& shape = kShape,
                 Guardian* guardian = TheGuardian());

  ControlServer& server() { return *server_; }
  World& world() { return world_; }
  UniqueFd Connect() const;
  // And what is done once a second.
  void Advance(Duration by);

 private:
  SeededRng rng_;
  UserAccounts accounts_;
  sockaddr_un address_{};
  socklen_t address_length_ = sizeof(address_);
  std::unique_ptr<ControlServer> server_;  // goes after the bridge: regions lie in it
  World world_;
};

// What a program has of the daemon, and how it talks to it.
class Program final : private ipc::StackLink {
 public:
  explicit Program(Place* place) : place_(place), connection_(place->Connect()) {}

  int connection() const { return connection_.get(); }
  int doorbell() const { return doorbell_.get(); }
  const ipc::Region& memory() const { return *region_; }
  const std::vector<UniqueFd>& anchors() const { return anchors_; }
  bool may_call() const { return region_.has_value() && !scribbled_; }

  bool Send(const void* bytes, size_t size, absl::Span<const int> fds);
  void Hello(ipc::HelloPurpose purpose, absl::Span<const int> fds);
  // Reads an answer, if there is one. A region in it is this program's from now on.
  void Hear();
  ipc::CallResult Call(const ipc::CallRequest& request) { return calls_->Execute(request); }
  void HandInAnchor(uint32_t slot);
  void DropAnchor();
  void Scribble();
  // Lets go of the connection alone.
  void Hangup() { connection_ = UniqueFd(); }

 private:
  std::byte* region() override { return region_->base(); }
  size_t region_size() const override { return region_->size(); }
  void Wake() override {}
  ipc::LendResult Lend(bool (*done)(void*), void* argument, Time, bool) override;
  void Attend() override {}
  bool SetWaitSetFd(uint32_t, int) override { return true; }
  std::string StatusJson() override { return {}; }

  Place* const place_;
  UniqueFd connection_;
  UniqueFd doorbell_;
  std::optional<ipc::Region> region_;
  std::optional<ipc::CallClient> calls_;
  std::vector<UniqueFd> anchors_;
  bool scribbled_ = false;
};

}  // namespace netchannel::fuzz

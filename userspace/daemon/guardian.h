// SPDX-License-Identifier: Apache-2.0
//
// Tells the applications when the daemon has died: a small process, this program started again,
// that holds the regions' memory files and the wait sets' descriptors. Descriptors in the kernel's
// hands (anchors, control connections) end by themselves; threads that sleep on futexes in shared
// memory would not. When the daemon goes without a farewell, each region is marked
// (ipc/mark_gone.h) and all sleepers wake.
//
// It has none of the daemon's descriptors, memory or capabilities: what must end with the daemon
// ends with it. When it dies itself, Tend starts another one, which then must be told everything
// anew.
//
// Owner: the daemon. Thread: the one that holds the lease. Errors: without a guardian the daemon
// runs on; applications that sleep on a futex would then not notice its death. A guardian that
// does not keep up holds the daemon up for kGuardianPatience once, and is replaced.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "base/units.h"

namespace netchannel {

// The argument that makes this program a guardian; its end of the socket is descriptor
// kGuardianSocket.
inline constexpr std::string_view kGuardianArgument = "--guardian";
inline constexpr int kGuardianSocket = 3;
[[noreturn]] void RunGuardian();

class Guardian {
 public:
  static absl::StatusOr<std::unique_ptr<Guardian>> Start();
  // The daemon ends in an orderly way: the guardian ends, and marks nothing.
  ~Guardian();

  // The descriptors stay the caller's.
  void AddRegion(uint32_t region, int memory_file);
  void SetEventFd(uint32_t region, uint32_t set, int fd);
  void RemoveRegion(uint32_t region);

  // Once a second or so. True: there is a new guardian, which knows of no region.
  bool Tend();

  pid_t pid() const { return pid_; }  // -1: there is none
  uint32_t restarts() const { return restarts_; }

 private:
  struct Started {
    UniqueFd socket;
    pid_t pid;
  };
  Guardian(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  static absl::StatusOr<Started> Spawn();
  template <typename Message>
  void Send(const Message& message, int fd = -1);

  UniqueFd socket_;
  pid_t pid_;
  bool lost_ = false;          // died, or does not keep up
  std::vector<pid_t> killed_;  // and not yet ended
  uint32_t restarts_ = 0;
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// Tells the applications when the daemon has died: a small process that is forked at start and
// holds the regions' memory files and the wait sets' descriptors. Descriptors in the kernel's hands
// (anchors, control connections) end by themselves; threads that sleep on futexes in shared memory
// would not. When the daemon goes without a farewell, each region is marked (ipc/mark_gone.h) and
// all sleepers wake.
//
// Owner: the daemon. Thread: the one that holds the lease. Errors: without a guardian the daemon
// runs on; applications then notice its death within a second by themselves.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace netchannel {

class Guardian {
 public:
  // Forks. Before any thread, and before any descriptor that must end with the daemon.
  static absl::StatusOr<std::unique_ptr<Guardian>> Fork();
  // The daemon ends in an orderly way: the guardian ends, and marks nothing.
  ~Guardian();

  // The descriptors stay the caller's.
  void AddRegion(uint32_t region, int memory_file);
  void SetEventFd(uint32_t region, uint32_t set, int fd);
  void RemoveRegion(uint32_t region);

  pid_t pid() const { return pid_; }

 private:
  Guardian(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}

  const UniqueFd socket_;
  const pid_t pid_;
};

}  // namespace netchannel

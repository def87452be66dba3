// SPDX-License-Identifier: Apache-2.0
//
// Where a thread that runs the stack sleeps: until a watched descriptor (an XSK, netlink) is
// readable, a doorbell rings, or a deadline passes.
//
// One epoll set, registered once. An application thread and the stack's own may both come here, one
// after the other, which is why it is not an io_uring: a poll request belongs to the thread that
// submitted it, and its completion waits for that thread to run.
//
// Ringing is safe from any thread and never lost: a ring that comes before Sleep makes it return at
// once. Errors: creation only.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/units.h"

namespace netchannel {

class Sleeper {
 public:
  static absl::StatusOr<std::unique_ptr<Sleeper>> Create();
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // The descriptor stays the caller's and must outlive this object's last Sleep.
  absl::Status Watch(int fd);

  // Returns when a watched descriptor is readable, Ring was called since the last Sleep returned,
  // or `deadline` has passed. False: a signal handler ran.
  bool Sleep(Time now, Time deadline);
  void Ring();

 private:
  Sleeper(int epoll_fd, int doorbell_fd) : epoll_fd_(epoll_fd), doorbell_fd_(doorbell_fd) {}
  int epoll_fd_;
  int doorbell_fd_;
};

}  // namespace netchannel

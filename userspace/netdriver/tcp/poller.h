// SPDX-License-Identifier: Apache-2.0
//
// Which of the connections can go on: an edge-triggered epoll set. What is ready is said once; who
// is told remembers it until a call would block. The set itself can be slept on (fd()).
//
// Edges rather than levels, so that a connection whose kernel buffer is full need not be registered
// anew each time, and one with nothing to send costs nothing.
//
// Thread: the one that runs the driver; fd() any. Errors: Create and Add.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace netchannel::tcp {

class Poller {
 public:
  static absl::StatusOr<Poller> Create() {
    UniqueFd fd(epoll_create1(EPOLL_CLOEXEC));
    if (fd.valid()) return Poller(std::move(fd));
    return absl::ResourceExhaustedError(
        absl::StrCat("channels over TCP: epoll_create: ", std::strerror(errno),
                     "; raise the limit of open files (ulimit -n)"));
  }

  // `what` comes back with its events. False: errno.
  bool Add(int fd, void* what) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = what}};
    return epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }
  // Closing `fd` is not enough: a process that has forked may have it still.
  void Remove(int fd) { epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }
  // What has become ready, without waiting. Valid until the next call.
  absl::Span<const epoll_event> Poll() {
    const int count = epoll_wait(fd_.get(), events_.data(), static_cast<int>(events_.size()), 0);
    return {events_.data(), count > 0 ? static_cast<size_t>(count) : 0};
  }

  int fd() const { return fd_.get(); }

 private:
  // A round's worth: what is left over is said in the next one.
  static constexpr size_t kMaxEvents = 64;

  explicit Poller(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::array<epoll_event, kMaxEvents> events_{};
};

}  // namespace netchannel::tcp

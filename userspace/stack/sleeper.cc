// SPDX-License-Identifier: Apache-2.0
#include "stack/sleeper.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace netchannel {

namespace {

absl::Status CannotSleep(absl::string_view operation) {
  return absl::ResourceExhaustedError(absl::StrCat("stack: ", operation, ": ", std::strerror(errno),
                                                   "; raise the limit of open files (ulimit -n)"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sleeper>> Sleeper::Create() {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return CannotSleep("epoll_create1");
  const int doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (doorbell_fd < 0) {
    const absl::Status status = CannotSleep("eventfd");
    close(epoll_fd);
    return status;
  }
  auto sleeper = std::unique_ptr<Sleeper>(new Sleeper(epoll_fd, doorbell_fd));
  if (absl::Status status = sleeper->Watch(doorbell_fd); !status.ok()) return status;
  return sleeper;
}

Sleeper::~Sleeper() {
  close(doorbell_fd_);
  close(epoll_fd_);
}

absl::Status Sleeper::Watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return CannotSleep("epoll_ctl");
  return absl::OkStatus();
}

bool Sleeper::Sleep(Time now, Time deadline) {
  // A day stands for "no deadline": the caller looks again, nothing depends on it.
  const Duration wait = deadline <= now ? Duration::Zero()
                        : deadline.is_infinite()
                            ? Duration::Seconds(86400)
                            : std::min(deadline - now, Duration::Seconds(86400));
  const timespec timeout{.tv_sec = wait.nanos() / 1'000'000'000,
                         .tv_nsec = wait.nanos() % 1'000'000'000};
  // Waiting in ppoll and not in epoll: that one ends with EINTR also when a process was only
  // stopped and continued (signal(7)), and no program expects EINTR from that.
  pollfd all{.fd = epoll_fd_, .events = POLLIN, .revents = 0};
  const int ready = ppoll(&all, 1, &timeout, nullptr);
  if (ready < 0) return errno != EINTR;
  epoll_event event;
  if (ready > 0 && epoll_wait(epoll_fd_, &event, 1, 0) == 1 && event.data.fd == doorbell_fd_) {
    uint64_t rings;
    [[maybe_unused]] const ssize_t got = read(doorbell_fd_, &rings, sizeof(rings));
  }
  return true;
}

void Sleeper::Ring() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(doorbell_fd_, &one, sizeof(one));
}

}  // namespace netchannel

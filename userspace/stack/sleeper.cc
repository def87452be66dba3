// SPDX-License-Identifier: Apache-2.0
#include "stack/sleeper.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/timer_fd.h"

namespace netchannel {

absl::StatusOr<std::unique_ptr<Sleeper>> Sleeper::Create() {
  UniqueFd doorbell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd timer = MakeTimerFd();
  if (!doorbell.valid() || !timer.valid()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("stack: an eventfd and a timerfd: ", std::strerror(errno),
                     "; raise the limit of open files (ulimit -n)"));
  }
  return std::unique_ptr<Sleeper>(new Sleeper(std::move(doorbell), std::move(timer)));
}

Sleeper::Sleeper(UniqueFd doorbell, UniqueFd timer)
    : doorbell_(std::move(doorbell)), timer_(std::move(timer)) {
  watched_[0] = {.fd = doorbell_.get(), .events = POLLIN, .revents = 0};
  watched_[1] = {.fd = timer_.get(), .events = POLLIN, .revents = 0};
}

absl::Status Sleeper::Watch(absl::Span<const int> lanes, absl::Span<const int> others) {
  const size_t total = lanes.size() + others.size();
  if (total > kMaxWatched - kOwn) {
    return absl::InvalidArgumentError(absl::StrCat("stack: ", total,
                                                   " descriptors to sleep on; at most ",
                                                   kMaxWatched - kOwn, ": serve fewer queues"));
  }
  const std::lock_guard<std::mutex> hold(mutex_);
  count_ = kOwn;
  for (const int fd : lanes) watched_[count_++] = {.fd = fd, .events = POLLIN, .revents = 0};
  others_at_ = count_;
  for (const int fd : others) watched_[count_++] = {.fd = fd, .events = POLLIN, .revents = 0};
  return absl::OkStatus();
}

bool Sleeper::Sleep(Time now, Time deadline, const sigset_t* mask) {
  // A day stands for "no deadline": the caller looks again, nothing depends on it.
  constexpr Duration kLongest = Duration::Seconds(86400);
  const Duration wait = deadline <= now          ? Duration::Zero()
                        : deadline.is_infinite() ? kLongest
                                                 : std::min(deadline - now, kLongest);
  const timespec timeout{.tv_sec = wait.nanos() / 1'000'000'000,
                         .tv_nsec = wait.nanos() % 1'000'000'000};
  std::array<pollfd, kMaxWatched> fds;
  size_t count, others_at;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    count = count_;
    others_at = others_at_;
    std::copy_n(watched_.begin(), count, fds.begin());
  }
  const int ready = ppoll(fds.data(), count, &timeout, mask);
  if (ready < 0) return errno != EINTR;
  for (size_t i = 0; i < kOwn; ++i) {
    uint64_t times;
    if (fds[i].revents == 0) continue;
    [[maybe_unused]] const ssize_t got = read(fds[i].fd, &times, sizeof(times));
  }
  for (size_t i = others_at; i < count && ready > 0; ++i) {
    if (fds[i].revents != 0) others_ready_.store(true, std::memory_order_relaxed);
  }
  return true;
}

void Sleeper::Ring() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(doorbell_.get(), &one, sizeof(one));
}

void Sleeper::WakeBy(Time when) { ArmTimerFd(timer_, when); }

}  // namespace netchannel

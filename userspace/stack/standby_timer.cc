// SPDX-License-Identifier: Apache-2.0
#include "stack/standby_timer.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "stack/timer_fd.h"

namespace netchannel {

StandbyTimer::StandbyTimer(Duration patience)
    : patience_(patience), timer_(MakeTimerFd()), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool StandbyTimer::Wait(Time now, const std::atomic<uint32_t>& event, uint32_t seen) {
  ArmTimerFd(timer_, now + patience_);
  due_.store((now + patience_ / 2).nanos());
  waiting_ = true;
  pollfd fds[] = {{.fd = timer_.get(), .events = POLLIN, .revents = 0},
                  {.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  // Who moves it from here on sees `waiting_`.
  if (event == seen) poll(fds, 2, -1);
  waiting_ = false;
  due_.store(kNever);
  ArmTimerFd(timer_, Time::FromNanos(0));
  uint64_t wakes;
  if ((fds[1].revents & POLLIN) != 0) {
    [[maybe_unused]] const ssize_t got = read(wake_.get(), &wakes, sizeof(wakes));
  }
  return (fds[0].revents & POLLIN) != 0;
}

void StandbyTimer::PutOffIfOften(Time now, uint32_t calls) {
  if (calls - calls_ < kOften) return;
  // Perhaps nobody waits any more since the caller looked: then it stays at kNever.
  int64_t due = due_.load(std::memory_order_relaxed);
  if (now.nanos() < due || !due_.compare_exchange_strong(due, (now + patience_ / 2).nanos()))
    return;
  calls_ = calls;
  ArmTimerFd(timer_, now + patience_);
}

void StandbyTimer::Wake() {
  if (!waiting_) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(wake_.get(), &one, sizeof(one));
}

}  // namespace netchannel

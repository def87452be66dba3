// SPDX-License-Identifier: Apache-2.0
//
// Readiness in the words of the three interfaces: NC_* bits, poll(2), epoll(7).
#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <cstdint>

#include "netchannel/netchannel.h"

namespace netchannel::preload {

static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR);
static_assert(POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP && POLLPRI == EPOLLPRI);
static_assert(POLLRDNORM == EPOLLRDNORM && POLLWRNORM == EPOLLWRNORM);

// What to watch for, of the events that a program asks for.
constexpr unsigned WatchEventsOfPoll(uint32_t events) {
  unsigned watch = 0;
  if ((events & (POLLIN | POLLRDNORM)) != 0) watch |= NC_READ;
  if ((events & (POLLOUT | POLLWRNORM)) != 0) watch |= NC_WRITE;
  if ((events & POLLRDHUP) != 0) watch |= NC_RDHUP;
  return watch;
}

constexpr unsigned WatchEventsOfEpoll(uint32_t events) {
  unsigned watch = WatchEventsOfPoll(events);
  if ((events & EPOLLET) != 0) watch |= NC_EDGE;
  if ((events & EPOLLONESHOT) != 0) watch |= NC_ONESHOT;
  return watch;
}

constexpr uint32_t PollEventsOf(unsigned ready) {
  uint32_t events = 0;
  if ((ready & NC_READ) != 0) events |= POLLIN | POLLRDNORM;
  if ((ready & NC_WRITE) != 0) events |= POLLOUT | POLLWRNORM;
  if ((ready & NC_RDHUP) != 0) events |= POLLRDHUP;
  if ((ready & NC_HANGUP) != 0) events |= POLLHUP;
  if ((ready & NC_FAILED) != 0) events |= POLLERR;
  return events;
}

// As epoll_wait shows it: without the *NORM forms, which next to nobody asks for there.
constexpr uint32_t EpollEventsOf(unsigned ready) {
  return PollEventsOf(ready) & ~static_cast<uint32_t>(POLLRDNORM | POLLWRNORM);
}

}  // namespace netchannel::preload

// SPDX-License-Identifier: Apache-2.0
//
// select and pselect of sets that have a known socket in them: as poll(), and back.
#include <errno.h>
#include <sys/select.h>

#include <vector>

#include "preload/own_calls.h"
#include "preload/polling.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

// As the kernel's select() understands poll()'s events (fs/select.c).
constexpr short kReadEvents = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
constexpr short kWriteEvents = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
constexpr short kExceptEvents = POLLPRI;

using Bits = __fd_mask;

// Sets may be larger than fd_set: programs that allocate them know nothing of FD_SETSIZE, whose
// check FD_ISSET makes.
bool Has(const fd_set* set, int fd) {
  if (set == nullptr) return false;
  const auto* const words = reinterpret_cast<const Bits*>(set);
  return ((words[fd / NFDBITS] >> (fd % NFDBITS)) & 1) != 0;
}

void Put(fd_set* set, int fd) {
  auto* const words = reinterpret_cast<Bits*>(set);
  words[fd / NFDBITS] |= static_cast<Bits>(1) << (fd % NFDBITS);
}

void Clear(fd_set* set, int count) {
  if (set == nullptr) return;
  auto* const words = reinterpret_cast<Bits*>(set);
  for (int i = 0; i < (count + NFDBITS - 1) / NFDBITS; ++i) words[i] = 0;
}

struct Sets {
  fd_set *read, *write, *except;
};

std::vector<pollfd> ToPoll(int count, const Sets& sets) {
  std::vector<pollfd> fds;
  for (int fd = 0; fd < count; ++fd) {
    short events = 0;
    if (Has(sets.read, fd)) events |= POLLIN | POLLRDNORM;
    if (Has(sets.write, fd)) events |= POLLOUT | POLLWRNORM;
    if (Has(sets.except, fd)) events |= POLLPRI;
    if (events != 0) fds.push_back({fd, events, 0});
  }
  return fds;
}

// How many bits are set; -1 and EBADF.
int FromPoll(const std::vector<pollfd>& fds, int count, const Sets& sets) {
  for (const pollfd& one : fds) {
    if ((one.revents & POLLNVAL) != 0) {
      errno = EBADF;
      return -1;
    }
  }
  for (fd_set* set : {sets.read, sets.write, sets.except}) Clear(set, count);
  int bits = 0;
  for (const pollfd& one : fds) {
    const auto put = [&](fd_set* set, short asked, short events) {
      if ((one.events & asked) == 0 || (one.revents & events) == 0) return;
      Put(set, one.fd);
      ++bits;
    };
    put(sets.read, POLLIN, kReadEvents);
    put(sets.write, POLLOUT, kWriteEvents);
    put(sets.except, POLLPRI, kExceptEvents);
  }
  return bits;
}

bool AnyKnownIn(int count, const Sets& sets) {
  const int most = std::min(count, HighestTracked() + 1);
  for (int fd = 0; fd < most; ++fd) {
    if (Peek(fd) == nullptr) continue;
    if (Has(sets.read, fd) || Has(sets.write, fd) || Has(sets.except, fd)) return true;
  }
  return false;
}

int Select(int count, const Sets& sets, int64_t timeout_ns, const sigset_t* mask) {
  std::vector<pollfd> fds = ToPoll(count, sets);
  if (Poll(fds.data(), fds.size(), timeout_ns, mask) < 0) return -1;
  return FromPoll(fds, count, sets);
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::Real;

extern "C" {

int select(int count, fd_set* read, fd_set* write, fd_set* except, struct timeval* timeout) {
  const netchannel::preload::Sets sets = {read, write, except};
  if (!netchannel::preload::AnyKnownIn(count, sets)) {
    return Real().select(count, read, write, except, timeout);
  }
  if (timeout == nullptr) return netchannel::preload::Select(count, sets, -1, nullptr);
  if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
    errno = EINVAL;
    return -1;
  }
  const int64_t timeout_ns =
      int64_t{timeout->tv_sec} * 1'000'000'000 + int64_t{timeout->tv_usec} * 1000;
  const int64_t start = netchannel::preload::NowNanos();
  const int result = netchannel::preload::Select(count, sets, timeout_ns, nullptr);
  // Linux's select() tells how much was left.
  const int64_t left = std::max<int64_t>(timeout_ns - (netchannel::preload::NowNanos() - start), 0);
  timeout->tv_sec = left / 1'000'000'000;
  timeout->tv_usec = static_cast<suseconds_t>(left % 1'000'000'000 / 1000);
  return result;
}

int pselect(int count, fd_set* read, fd_set* write, fd_set* except, const struct timespec* timeout,
            const sigset_t* mask) {
  const netchannel::preload::Sets sets = {read, write, except};
  if (!netchannel::preload::AnyKnownIn(count, sets)) {
    return Real().pselect(count, read, write, except, timeout, mask);
  }
  if (timeout == nullptr) return netchannel::preload::Select(count, sets, -1, mask);
  if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1'000'000'000) {
    errno = EINVAL;
    return -1;
  }
  return netchannel::preload::Select(
      count, sets, int64_t{timeout->tv_sec} * 1'000'000'000 + timeout->tv_nsec, mask);
}

}  // extern "C"

NETCHANNEL_OWN_CALL(select);

// SPDX-License-Identifier: Apache-2.0
//
// Where a thread that runs the stack sleeps: until a watched descriptor (an XSK, netlink) is
// readable, a doorbell rings, or a deadline passes.
//
// It waits in ppoll on the descriptors themselves, so that nothing is registered with them while
// nobody sleeps. With an epoll set each arriving packet costs its sender a locked call-back into
// the set, whether anybody waits or not: 10 % of the sender's core in a bulk transfer over veth,
// where it runs the receiver's side. Nor is it an io_uring: a poll request belongs to the thread
// that submitted it, and here application threads and the stack's own take turns. ppoll also does
// not end with EINTR when a process was only stopped and continued (signal(7)).
//
// Ringing is safe from any thread and never lost: a ring that comes before Sleep makes it return at
// once. So is WakeBy, for who must not be woken before. Errors: creation only. Limit: kMaxWatched
// descriptors.
#pragma once

#include <poll.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "base/units.h"

namespace netchannel {

class Sleeper {
 public:
  static absl::StatusOr<std::unique_ptr<Sleeper>> Create();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Watches these from the next Sleep on, and no others. They stay the caller's.
  absl::Status Watch(absl::Span<const int> lanes, absl::Span<const int> others);

  // Returns when a watched descriptor is readable or has an error, Ring was called since the last
  // Sleep returned, or `deadline` or the time of WakeBy has passed. False: a signal handler ran.
  // `mask`: the signals that are blocked meanwhile; null: as they are.
  bool Sleep(Time now, Time deadline, const sigset_t* mask = nullptr);
  void Ring();
  // Ends a Sleep at `when`, this one or the next; the last call counts.
  void WakeBy(Time when);
  // Whether one of `others` has ended a Sleep since the last time this was asked.
  bool TakeOthersReady() { return others_ready_.exchange(false, std::memory_order_relaxed); }

 private:
  static constexpr size_t kOwn = 2;  // the doorbell, the timer
  // Up to 7 others (netlink, the ports' errors, control connections), and a lane a class for each
  // of 64 queues.
  static constexpr size_t kMaxWatched = kOwn + 7 + 2 * 64;

  Sleeper(UniqueFd doorbell, UniqueFd timer);

  const UniqueFd doorbell_, timer_;
  std::mutex mutex_;  // guards the three below, which a sleeper copies
  std::array<pollfd, kMaxWatched> watched_;
  size_t count_ = kOwn, others_at_ = kOwn;
  std::atomic<bool> others_ready_{false};
};

}  // namespace netchannel

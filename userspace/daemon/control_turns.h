// SPDX-License-Identifier: Apache-2.0
//
// Whose turn it is to be read on the control socket. Users take turns, and a user's connections
// among themselves, so that who says much does not come before who says little. A user has a rate,
// too: what is beyond it waits in his own sockets, and is read later; it is neither lost nor a
// reason to end a connection. So the share of the stack's thread that one user can have is bounded,
// and not only the time between two rounds.
//
// The rate is a virtual clock (GCRA, ITU-T I.371): each message moves it on by kMessageTime, and
// the user waits while it is kBurst messages or more ahead of the real one.
//
// Owner: ControlServer. Thread: the one that holds the lease. No clock: time is passed in.
// Memory: a user is known until his burst is whole again. Cost: logarithmic in the users that wait.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "base/units.h"

namespace netchannel {

// So many events a second, and a burst of them.
class EventRate {
 public:
  constexpr EventRate(Duration each, int64_t burst) : each_(each), ahead_(each * burst) {}

  bool MayGo(Time now) const { return NextTimeout() <= now; }
  // When MayGo is true.
  Time NextTimeout() const { return clock_ - ahead_; }
  void Charge(Time now, int64_t events) { clock_ = std::max(clock_, now) + each_ * events; }
  // None before `until`.
  void Defer(Time until) { clock_ = std::max(clock_, until + ahead_); }
  bool IsWhole(Time now) const { return clock_ <= now; }

 private:
  Duration each_, ahead_;
  Time clock_;
};

class ControlTurns {
 public:
  // An anchor that is handed in costs the thread 10 to 20 us, others are counted as several
  // (ControlServer): a tenth to a fifth of it is each user's at most.
  static constexpr Duration kMessageTime = Duration::Micros(100);
  // A thousand processes that start together: each connects, founds a region or joins one, and
  // hands in a wait set.
  static constexpr int64_t kBurst = 40'000;

  // There is something to read. The connection is not in turn already.
  void Add(uid_t user, uint32_t connection);
  // The next one that may be read; it is in turn no more. It may have been closed meanwhile.
  std::optional<uint32_t> Next(Time now);
  // What has been read, in messages.
  void Charge(Time now, uid_t user, int64_t messages);
  // Nothing is to be read from him before `until`.
  void Defer(Time until, uid_t user) { users_[user].rate.Defer(until); }
  // When Next has one. In the past: it has one now.
  Time NextTimeout() const;
  // Once a second or so.
  void ForgetIdle(Time now);
  size_t user_count() const { return users_.size(); }

 private:
  struct User {
    EventRate rate{kMessageTime, kBurst};
    std::deque<uint32_t> waiting;  // connections
  };

  // A user with waiting connections is in one of the two.
  std::deque<uid_t> in_turn_;
  std::multimap<Time, uid_t> beyond_rate_;  // by when he may go on
  std::map<uid_t, User> users_;
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// Closes what others have sent. The last close of a file takes as long as its owner likes: a TCP
// socket lingers (SO_LINGER), a file system of the owner's waits for its server, a large memory
// file is freed. And a socket's close closes what is in its queue. So it is done on threads of its
// own, never on the stack's.
//
// A close that takes long keeps one thread, and one that never ends for good. So each user has
// kThreadsOfUser of them at most, and what he has sent beyond that waits in a queue of his own, in
// which it keeps nobody else's from being closed. Where kMaxWaiting descriptors wait nothing more
// is to be read from him (MustWait); and who asks is told, when none of them has been closed for a
// second (IsStuck). What is closed without having been read, a connection, is taken all the same.
//
// Owner: ControlServer. Thread: all by the stack's. Errors: none; without a thread to be had a
// descriptor waits for the next one.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "base/unique_fd.h"

namespace netchannel {

class Closer {
 public:
  // Sixteen users with closes that never end. A thread that sleeps costs its kernel stack.
  static constexpr int kMaxThreads = 64;
  static constexpr int kThreadsOfUser = 4;
  // Ordinary closes take microseconds, so more than a few wait only when the threads do not run.
  static constexpr size_t kMaxWaiting = 1024;  // of a user's

  Closer();
  // Does not wait for the threads: they close what is left, or it ends with the process.
  ~Closer();
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;

  // `user` has sent it, or is at its other end.
  void Close(uid_t user, UniqueFd fd);

  bool MustWait(uid_t user) const;
  bool IsStuck(uid_t user) const;
  // Once a second or so: looks whose closes go on.
  void Look();

 private:
  struct User {
    std::deque<UniqueFd> waiting;
    int claims = 0;   // in State::claims
    int closing = 0;  // threads
    uint64_t closed = 0, closed_before = UINT64_MAX;
    bool stands = false;  // nothing was closed between the last two looks
  };
  // Of the threads, too, which may outlive the object.
  struct State {
    std::mutex mutex;
    std::condition_variable more;
    // Once for each descriptor that a thread may close now: of a user's, as many as he has threads
    // left. So users take turns.
    std::deque<uid_t> claims;
    std::map<uid_t, User> users;  // those who have something here
    int threads = 0, idle = 0;
    bool stopping = false;
  };
  static void Main(State& state);
  // Under the mutex.
  static void Claim(State& state, uid_t uid, User& user);

  const std::shared_ptr<State> state_;
};

}  // namespace netchannel

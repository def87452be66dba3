// SPDX-License-Identifier: Apache-2.0
//
// Closes what others have sent. The last close of a file takes as long as its owner likes: a TCP
// socket lingers (SO_LINGER), a file system of the owner's waits for its server, a large memory
// file is freed. And a socket's close closes what is in its queue. So it is done on threads of its
// own, never on the stack's.
//
// A close that takes long keeps one thread; there are up to kMaxThreads. Beyond that descriptors
// wait, and when the process has no more of them nobody new can come; data goes on.
//
// Owner: ControlServer. Thread: Close by the stack's. Errors: none; without a thread to be had a
// descriptor waits for the next one.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "base/unique_fd.h"

namespace netchannel {

class Closer {
 public:
  Closer();
  // Does not wait for the threads: they close what is left, or it ends with the process.
  ~Closer();
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;

  void Close(UniqueFd fd);

 private:
  static constexpr int kMaxThreads = 16;

  // Of the threads, too, which may outlive the object.
  struct State {
    std::mutex mutex;
    std::condition_variable more;
    std::deque<UniqueFd> waiting;
    int threads = 0, idle = 0;
    bool stopping = false;
  };
  static void Main(State& state);

  const std::shared_ptr<State> state_;
};

}  // namespace netchannel

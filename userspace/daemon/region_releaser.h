// SPDX-License-Identifier: Apache-2.0
//
// Lets regions go: unmaps them and closes their memory files. With the last of both their pages go
// back to the kernel, gigabytes of them, so it is done on a thread of its own, never on the
// stack's. Our own files end in bounded time, and in turn; what programs have sent may not
// (daemon/closer.h), which is why the two do not share threads.
//
// A region that others may still map, since it was taken from them, is emptied first: its rings'
// memory goes back to the kernel although they keep the mapping. Here and not by the guardian,
// which anybody of its user may kill with the order in its hands.
//
// Bound: a region counts as an application of its user until it has gone, so no more wait than
// users may have.
//
// Owner: ControlServer. Thread: all by the stack's; TakeReleased is one load when there is nothing.
// Errors: none; without a thread to be had a region waits for the next one.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "ipc/region.h"

namespace netchannel {

class RegionReleaser {
 public:
  RegionReleaser() : state_(std::make_shared<State>()) {}
  RegionReleaser(const RegionReleaser&) = delete;
  RegionReleaser& operator=(const RegionReleaser&) = delete;

  // The region is `user`'s; nobody uses our mapping of it any more. `empty`: see above.
  void Release(ipc::Region region, uid_t user, bool empty);
  // Whose regions have gone since the last call, one entry a region.
  std::vector<uid_t> TakeReleased();

 private:
  struct Waiting {
    ipc::Region region;
    uid_t user;
    bool empty;
  };
  // Of the thread, too, which may outlive the object.
  struct State {
    std::mutex mutex;
    std::deque<Waiting> waiting;
    std::vector<uid_t> released;
    std::atomic<bool> has_released{false};
    bool runs = false;  // a thread; it ends when nothing waits
  };
  static void Main(State& state);

  const std::shared_ptr<State> state_;
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// The wait set with which a thread sleeps in poll(). It is kept for the thread's next poll(), which
// most often has the same descriptors; then nothing is to be done.
//
// Thread: the one that it is of.
#pragma once

#include <cstdint>
#include <vector>

#include "netchannel/netchannel.h"
#include "preload/description.h"

namespace netchannel::preload {

class PollSet {
 public:
  // This thread's. Null: none can be made (too many threads wait, no memory).
  static PollSet* OfThread();

  struct Member {
    Description* socket;
    uint64_t life;
    unsigned events;  // NC_*
    bool operator==(const Member&) const = default;
  };
  // Makes the set have these members. Duplicates: their events are or'ed. False: it cannot.
  bool Fill(const std::vector<Member>& members);
  // What wakes a poll(); -1: something is there already.
  int Arm();

 private:
  PollSet() = default;
  ~PollSet() { nc_set_destroy(set_); }
  static void End();

  nc_set* set_ = nullptr;
  int process_ = 0;
  std::vector<Member> members_;
};

}  // namespace netchannel::preload

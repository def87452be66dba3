// SPDX-License-Identifier: Apache-2.0
//
// What live steering has done: how many changes are in force, how many were refused, the last
// kEntries of both, and a line on stderr for each. For status output; nothing is decided by it.
//
// Owner: Steering. Thread: the one that holds the lease. Memory: bounded by kEntries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "base/units.h"

namespace netchannel {

class SteeringLog {
 public:
  static constexpr size_t kEntries = 64;

  struct Entry {
    Time at;
    bool refused = false;
    std::string what;
  };

  void Add(Time now, bool refused, std::string what) {
    std::fprintf(stderr, "netchannel: steering: %s\n", what.c_str());
    ++(refused ? refused_ : changes_);
    if (entries_.size() == kEntries) entries_.pop_front();
    entries_.push_back({now, refused, std::move(what)});
  }

  uint64_t changes() const { return changes_; }
  uint64_t refused() const { return refused_; }
  const std::deque<Entry>& entries() const { return entries_; }  // oldest first

 private:
  uint64_t changes_ = 0, refused_ = 0;
  std::deque<Entry> entries_;
};

}  // namespace netchannel

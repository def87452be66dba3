// SPDX-License-Identifier: Apache-2.0
//
// Which connections went over the kernel's TCP lately, whose, and why: a ring of the last kEntries,
// and a counter a reason. For status output; nothing is decided by it.
//
// Owner: the bridge. Thread: the one that holds the lease. Memory: bounded by kEntries; a command
// is at most 15 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "base/units.h"
#include "ipc/fallback.h"
#include "wire/address.h"

namespace netchannel {

// A process as its owner sees it: `pid` is that of the control connection's peer.
struct ApplicationInfo {
  int pid = 0;
  std::string command;
  uint32_t uid = 0;
  bool had_bind_capability = false;  // CAP_NET_BIND_SERVICE, when it connected

  // This process.
  static ApplicationInfo Self();
};

class FallbackLog {
 public:
  static constexpr size_t kEntries = 256;

  struct Entry {
    Time at;
    ApplicationInfo application;
    wire::IpEndpoint peer;
    ipc::FallbackReason reason;
  };

  // Precondition: `reason` is one.
  void Add(Time now, const ApplicationInfo& application, const wire::IpEndpoint& peer,
           ipc::FallbackReason reason);

  const std::deque<Entry>& entries() const { return entries_; }  // oldest first
  uint64_t count(ipc::FallbackReason reason) const { return counts_[static_cast<size_t>(reason)]; }

 private:
  std::deque<Entry> entries_;
  std::array<uint64_t, static_cast<size_t>(ipc::FallbackReason::kCount)> counts_{};
};

}  // namespace netchannel

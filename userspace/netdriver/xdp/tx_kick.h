// SPDX-License-Identifier: Apache-2.0
//
// Makes the kernel send what a socket's TX ring holds.
//
// Copy mode: the kernel sends within the caller's sendto, a bounded number of descriptors each, so
// it is kicked until the ring is empty or it says EAGAIN (its completion ring or the socket's
// buffer is full: the peer has not let go of earlier packets). Zero-copy: the driver sends by
// itself, and is kicked only when it asks for it.
//
// Thread: one at a time for a socket; not that of the ring's producer, if need be. Errors: counted.
#pragma once

#include <atomic>
#include <cstdint>

#include "netdriver/xdp/xsk.h"

namespace netchannel::xdp {

// Written by who kicks, read by anyone.
class TxCounters {
 public:
  using Counter = std::atomic<uint64_t>;
  Counter kicks{0};    // system calls
  Counter again{0};    // the kernel took no more for now
  Counter dropped{0};  // the kernel or driver dropped a packet
  Counter errors{0};   // kicks refused for another reason; the interface is down, for example

  static void Count(Counter& counter) {  // one writer at a time: no locked instruction
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

// False when something is left that must be tried again later.
bool KickUntilEmpty(Xsk& xsk, bool zero_copy, TxCounters& counters);

}  // namespace netchannel::xdp

// SPDX-License-Identifier: Apache-2.0
//
// On which cores channel threads run: each on a physical core of its own (two threads of one core
// share what a copy needs), those of the NIC's memory node first, and of these the ones that
// interrupts take the least of. One physical core, the next best, is left to the stack's own
// thread. With too few cores for that there is no placement: the kernel's scheduler balances
// better than a plan that puts two on one core.
//
// Sans-I/O. Thread: any. Errors: none.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace netchannel {

struct Core {
  uint32_t cpu = 0;       // its number
  uint32_t package = 0;   // the socket
  uint32_t core = 0;      // within the package; hardware threads of one core share it
  int32_t node = -1;      // of memory; -1: not known
  double interrupts = 0;  // share of its time that interrupts took
};

// CPU numbers for `count` threads, or nothing. `nic_node`: -1 when there is none.
std::vector<uint32_t> PlaceThreads(absl::Span<const Core> cores, uint32_t count, int32_t nic_node);

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/tx_kick.h"

#include <cerrno>

namespace netchannel::xdp {
namespace {

// Kicks at most: the kernel takes 32 descriptors or more each, and a kick that drops a packet
// (EBUSY) counts as progress. What is left then waits for the next time.
constexpr int kMaxKicks = 64;

// True when the rest may be tried at once.
bool OnKickError(int error, TxCounters& counters) {
  switch (error) {
    case EBUSY:  // dropped below us, and completed
      TxCounters::Count(counters.dropped);
      return true;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      TxCounters::Count(counters.again);
      return false;
    default:
      TxCounters::Count(counters.errors);
      return false;
  }
}

bool WakeDriver(Xsk& xsk, TxCounters& counters) {
  if (xsk.tx_queued() == 0 || xsk_ring_prod__needs_wakeup(&xsk.tx) == 0) return true;
  TxCounters::Count(counters.kicks);
  const int error = xsk.KickTx();
  return error == 0 || OnKickError(error, counters);
}

}  // namespace

bool KickUntilEmpty(Xsk& xsk, bool zero_copy, TxCounters& counters) {
  if (zero_copy) return WakeDriver(xsk, counters);
  uint32_t queued = xsk.tx_queued();
  for (int kick = 0; queued > 0 && kick < kMaxKicks; ++kick) {
    TxCounters::Count(counters.kicks);
    const int error = xsk.KickTx();
    const uint32_t left = xsk.tx_queued();
    // EAGAIN with progress is the budget of one call.
    if (error != 0 && !(error == EAGAIN && left < queued) && !OnKickError(error, counters)) {
      return false;
    }
    queued = left;
  }
  return queued == 0;
}

}  // namespace netchannel::xdp

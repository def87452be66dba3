// SPDX-License-Identifier: Apache-2.0
#include "ipc/mark_gone.h"

#include <errno.h>

#include <algorithm>

#include "ipc/calls.h"
#include "ipc/fence.h"
#include "ipc/futex.h"

namespace netchannel::ipc {
namespace {

void CloseSlot(SocketSlot* slot, int error) {
  uint32_t none = 0;
  slot->error.compare_exchange_strong(none, static_cast<uint32_t>(error),
                                      std::memory_order_seq_cst);
  const uint32_t flags = slot->flags.load(std::memory_order_relaxed);
  slot->flags.store(
      (flags & ~kFlagState) | static_cast<uint32_t>(SlotState::kClosed) | kFlagDetached,
      std::memory_order_seq_cst);
  slot->event.fetch_add(1, std::memory_order_seq_cst);
  if (slot->waiters.load(std::memory_order_seq_cst) != 0) {
    FutexWakeAll(slot->event, FutexScope::kShared);
  }
}

}  // namespace

void MarkGone(const RegionView& region, int error) {
  region.header()->stack_gone.store(1, std::memory_order_seq_cst);
  FullFence();
  CallServer(region).FailAll(ENETDOWN);
  const uint32_t seen =
      std::min(region.header()->slots_seen.load(std::memory_order_seq_cst), region.socket_count());
  for (uint32_t index = 0; index < seen; ++index) CloseSlot(region.slot(index), error);
}

}  // namespace netchannel::ipc

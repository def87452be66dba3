// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_slots.h"

#include "ipc/futex.h"

namespace netchannel {

std::optional<CopySlots::Ticket> CopySlots::Submit(const CopyPiece& piece, uint32_t worker) {
  const uint32_t first = next_.fetch_add(1, std::memory_order_relaxed);
  for (uint32_t i = 0; i < kSlots; ++i) {
    const uint32_t index = (first + i) % kSlots;
    Slot& slot = slots_[index];
    uint64_t state = slot.state.load(std::memory_order_relaxed);
    if ((state & kPhaseMask) != kFree) continue;
    const uint64_t generation = GenerationOf(state) + 1;
    // Taken first: a worker must not see it before the piece is there.
    if (!slot.state.compare_exchange_strong(state, StateOf(generation, kTaken),
                                            std::memory_order_acquire, std::memory_order_relaxed)) {
      continue;
    }
    slot.piece = piece;
    slot.worker = worker;
    slot.copied = 0;
    slot.state.store(StateOf(generation, kQueued), std::memory_order_release);
    return Ticket{index, generation};
  }
  return std::nullopt;
}

// From queued to taken. One of the owner and the worker gets it.
bool CopySlots::Advance(const Ticket& ticket) {
  Slot& slot = slots_[ticket.slot];
  uint64_t state = slot.state.load(std::memory_order_relaxed);
  for (;;) {
    if ((state & ~kWaited) != StateOf(ticket.generation, kQueued)) return false;
    const uint64_t taken = StateOf(ticket.generation, kTaken) | (state & kWaited);
    if (slot.state.compare_exchange_weak(state, taken, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
      return true;
    }
  }
}

bool CopySlots::Claim(const Ticket& ticket) { return Advance(ticket); }

bool CopySlots::TakeBack(const Ticket& ticket) { return Advance(ticket); }

void CopySlots::Finish(const Ticket& ticket, size_t copied) {
  Slot& slot = slots_[ticket.slot];
  slot.copied = copied;
  const uint64_t before =
      slot.state.exchange(StateOf(ticket.generation, kDone), std::memory_order_acq_rel);
  if ((before & kWaited) == 0) return;
  slot.event.fetch_add(1, std::memory_order_release);
  ipc::FutexWake(slot.event, INT_MAX, ipc::FutexScope::kPrivate);
}

bool CopySlots::IsDone(const Ticket& ticket) const {
  const uint64_t state = slots_[ticket.slot].state.load(std::memory_order_acquire);
  return (state & kPhaseMask) == kDone;
}

void CopySlots::Await(const Ticket& ticket) {
  Slot& slot = slots_[ticket.slot];
  for (;;) {
    const uint32_t event = slot.event.load(std::memory_order_acquire);
    uint64_t state = slot.state.load(std::memory_order_acquire);
    if ((state & kPhaseMask) == kDone) return;
    if ((state & kWaited) == 0 &&
        !slot.state.compare_exchange_strong(state, state | kWaited, std::memory_order_acq_rel)) {
      continue;
    }
    ipc::FutexWait(slot.event, event, Time::Infinite(), ipc::FutexScope::kPrivate);
  }
}

void CopySlots::Release(const Ticket& ticket) {
  slots_[ticket.slot].state.store(StateOf(ticket.generation, kFree), std::memory_order_release);
}

uint32_t CopySlots::in_use() const {
  uint32_t count = 0;
  for (const Slot& slot : slots_) {
    count += (slot.state.load(std::memory_order_relaxed) & kPhaseMask) != kFree;
  }
  return count;
}

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "ipc/wait_set.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>

#include "ipc/event_fd.h"
#include "ipc/fence.h"

namespace netchannel::ipc {

WaitSetProducer::WaitSetProducer(const RegionView& region) : region_(region) {
  for (auto& fd : event_fds_) fd.store(-1, std::memory_order_relaxed);
}

WaitSetProducer::~WaitSetProducer() {
  for (auto& fd : event_fds_) {
    if (const int open = fd.load(std::memory_order_acquire); open >= 0) close(open);
  }
}

void WaitSetProducer::Push(SocketSlot* slot, uint32_t socket, uint32_t word, uint64_t sets) {
  if (word >= kSetWords) return;
  std::atomic<uint64_t>& queued = slot->queued[word];
  uint64_t fresh = sets & ~queued.load(std::memory_order_seq_cst);
  if (fresh == 0) return;
  fresh &= ~queued.fetch_or(fresh, std::memory_order_seq_cst);
  uint64_t refused = 0;
  for (uint64_t left = fresh; left != 0; left &= left - 1) {
    const auto set = word * 64 + static_cast<uint32_t>(std::countr_zero(left));
    if (!PushOne(set, socket)) refused |= SetBit(set);
  }
  // The bit means "in the ring".
  if (refused != 0) queued.fetch_and(~refused, std::memory_order_seq_cst);
}

// False: the set is unused, or its ring full, which a lawful application's cannot be.
bool WaitSetProducer::PushOne(uint32_t set, uint32_t socket) {
  WaitSet* shared = region_.wait_set(set);
  if (shared->owner.load(std::memory_order_seq_cst) == 0) return false;
  const uint32_t capacity = region_.layout().set_entries;
  const uint32_t head = shared->head.load(std::memory_order_acquire);
  uint32_t& tail = tails_[set];
  if (tail - head >= capacity) return false;
  std::atomic_ref<uint32_t>(region_.wait_set_entries(set)[tail & (capacity - 1)])
      .store(socket, std::memory_order_relaxed);
  ++tail;
  shared->tail.store(tail, std::memory_order_release);
  FullFence();
  if (shared->sleeping.load(std::memory_order_relaxed) != 0) Signal(set);
  return true;
}

void WaitSetProducer::Signal(uint32_t set) {
  if (region_.wait_set(set)->sleeping.exchange(0, std::memory_order_acq_rel) == 0) return;
  const int fd = event_fds_[set].load(std::memory_order_acquire);
  if (fd >= 0) SignalEventFd(fd);
}

bool WaitSetProducer::SetEventFd(uint32_t set, int fd) {
  if (set >= kWaitSets || fd < 0) return false;
  int own = event_fds_[set].load(std::memory_order_acquire);
  if (own < 0) {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return false;
    if (event_fds_[set].compare_exchange_strong(own, copy, std::memory_order_acq_rel)) {
      own = copy;
    } else {
      close(copy);
      if (dup3(fd, own, O_CLOEXEC) < 0) return false;
    }
  } else if (dup3(fd, own, O_CLOEXEC) < 0) {
    return false;
  }
  if (region_.wait_set(set)->sleeping.load(std::memory_order_seq_cst) == 0) SignalEventFd(own);
  return true;
}

void WaitSetProducer::WakeAll() {
  for (uint32_t set = 0; set < kWaitSets; ++set) {
    if (region_.wait_set(set)->owner.load(std::memory_order_acquire) != 0) Signal(set);
  }
}

WaitSetConsumer::WaitSetConsumer(const RegionView& region, uint32_t set)
    : region_(region),
      set_(region.wait_set(set)),
      entries_(region.wait_set_entries(set)),
      mask_(region.layout().set_entries - 1),
      index_(set) {}

bool WaitSetConsumer::HasEntry() const {
  return set_->tail.load(std::memory_order_seq_cst) != set_->head.load(std::memory_order_relaxed);
}

std::optional<uint32_t> WaitSetConsumer::Pop() {
  const uint32_t head = set_->head.load(std::memory_order_relaxed);
  if (set_->tail.load(std::memory_order_acquire) == head) return std::nullopt;
  const uint32_t socket =
      std::atomic_ref<uint32_t>(entries_[head & mask_]).load(std::memory_order_relaxed);
  set_->head.store(head + 1, std::memory_order_release);
  if (SocketSlot* slot = region_.slot(socket); slot != nullptr) {
    slot->queued[SetWord(index_)].fetch_and(~SetBit(index_), std::memory_order_seq_cst);
  }
  return socket;
}

void WaitSetConsumer::Arm() {
  set_->sleeping.store(1, std::memory_order_seq_cst);
  FullFence();
}

void WaitSetConsumer::Disarm() { set_->sleeping.store(0, std::memory_order_relaxed); }

}  // namespace netchannel::ipc

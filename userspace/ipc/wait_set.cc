// SPDX-License-Identifier: Apache-2.0
#include "ipc/wait_set.h"

#include <sys/eventfd.h>
#include <unistd.h>

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

void WaitSetProducer::Push(uint32_t set, uint32_t socket) {
  WaitSet* shared = region_.wait_set(set);
  if (shared == nullptr || shared->in_use.load(std::memory_order_acquire) == 0) return;
  const uint32_t capacity = region_.layout().set_entries;
  const uint32_t head = shared->head.load(std::memory_order_acquire);
  uint32_t& tail = tails_[set];
  if (tail - head >= capacity) return;
  region_.wait_set_entries(set)[tail & (capacity - 1)] = socket;
  ++tail;
  shared->tail.store(tail, std::memory_order_release);
  FullFence();
  if (shared->sleeping.load(std::memory_order_relaxed) != 0) Signal(set);
}

void WaitSetProducer::Signal(uint32_t set) {
  if (region_.wait_set(set)->sleeping.exchange(0, std::memory_order_acq_rel) == 0) return;
  const int fd = event_fds_[set].load(std::memory_order_acquire);
  // Can fail only when the counter is full, and then the descriptor is readable already.
  if (fd >= 0) eventfd_write(fd, 1);
}

int WaitSetProducer::EventFd(uint32_t set) {
  if (set >= kWaitSets) return -1;
  std::atomic<int>& slot = event_fds_[set];
  int known = slot.load(std::memory_order_acquire);
  if (known >= 0) return known;
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return -1;
  if (slot.compare_exchange_strong(known, fd, std::memory_order_acq_rel)) return fd;
  close(fd);
  return known;
}

void WaitSetProducer::WakeAll() {
  for (uint32_t set = 0; set < kWaitSets; ++set) {
    if (region_.wait_set(set)->in_use.load(std::memory_order_acquire) != 0) Signal(set);
  }
}

WaitSetConsumer::WaitSetConsumer(const RegionView& region, uint32_t set)
    : set_(region.wait_set(set)),
      entries_(region.wait_set_entries(set)),
      mask_(region.layout().set_entries - 1) {}

bool WaitSetConsumer::HasEntry() const {
  return set_->tail.load(std::memory_order_seq_cst) != set_->head.load(std::memory_order_relaxed);
}

std::optional<uint32_t> WaitSetConsumer::Pop() {
  const uint32_t head = set_->head.load(std::memory_order_relaxed);
  if (set_->tail.load(std::memory_order_acquire) == head) return std::nullopt;
  const uint32_t socket = entries_[head & mask_];
  set_->head.store(head + 1, std::memory_order_release);
  return socket;
}

void WaitSetConsumer::Clear() {
  set_->head.store(set_->tail.load(std::memory_order_acquire), std::memory_order_release);
}

void WaitSetConsumer::Arm() {
  set_->sleeping.store(1, std::memory_order_seq_cst);
  FullFence();
}

void WaitSetConsumer::Disarm() { set_->sleeping.store(0, std::memory_order_relaxed); }

}  // namespace netchannel::ipc

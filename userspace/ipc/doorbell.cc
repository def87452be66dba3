// SPDX-License-Identifier: Apache-2.0
#include "ipc/doorbell.h"

namespace netchannel::ipc {
namespace {

Doorbell Check(uint32_t value, uint32_t socket_count) {
  if ((value & kDoorbellCall) != 0) {
    const uint32_t call = value & ~kDoorbellCall;
    if (call < kCalls) return {Doorbell::Kind::kCall, call};
  } else if (value < socket_count) {
    return {Doorbell::Kind::kSocket, value};
  }
  return {Doorbell::Kind::kBreach, 0};
}

}  // namespace

DoorbellProducer::DoorbellProducer(const RegionView& region)
    : ring_(region.doorbells()),
      cells_(region.doorbell_cells()),
      mask_(region.layout().doorbell_count - 1) {}

void DoorbellProducer::Push(uint32_t value) {
  // acq_rel: among the entries since this cell's last use, one flag is set for the second time. Its
  // setter saw the stack clear it, so the stack was done with the cell then, and that reaches us
  // through `tail`.
  const uint32_t position = ring_->tail.fetch_add(1, std::memory_order_acq_rel);
  DoorbellCell& cell = cells_[position & mask_];
  cell.value.store(value, std::memory_order_relaxed);
  cell.sequence.store((position & ~mask_) + 1, std::memory_order_release);
}

DoorbellConsumer::DoorbellConsumer(const RegionView& region)
    : ring_(region.doorbells()),
      cells_(region.doorbell_cells()),
      count_(region.layout().doorbell_count),
      socket_count_(region.socket_count()) {}

bool DoorbellConsumer::HasEntry() const {
  return cells_[head_ & (count_ - 1)].sequence.load(std::memory_order_acquire) == Lap() + 1;
}

std::optional<Doorbell> DoorbellConsumer::Pop() {
  DoorbellCell& cell = cells_[head_ & (count_ - 1)];
  if (cell.sequence.load(std::memory_order_acquire) != Lap() + 1) return std::nullopt;
  const uint32_t value = cell.value.load(std::memory_order_relaxed);
  Advance();
  return Check(value, socket_count_);
}

void DoorbellConsumer::Advance() {
  cells_[head_ & (count_ - 1)].sequence.store(Lap() + count_, std::memory_order_release);
  ++head_;
  ring_->head.store(head_, std::memory_order_relaxed);
}

bool DoorbellConsumer::SkipHole() {
  const bool hole = !HasEntry() && ring_->tail.load(std::memory_order_relaxed) != head_;
  const bool here_before = hole && hole_ == head_;
  hole_ = hole ? std::optional<uint32_t>(head_) : std::nullopt;
  if (!here_before) return false;
  Advance();
  hole_.reset();
  return true;
}

bool DoorbellConsumer::IsIntact() const {
  return ring_->tail.load(std::memory_order_relaxed) - head_ <= count_;
}

}  // namespace netchannel::ipc

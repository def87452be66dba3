// SPDX-License-Identifier: Apache-2.0
//
// The transmit slots of one lane. A slot is free, reserved (one at most, by the lane), or in flight
// until the kernel has completed each of its descriptors. Free slots are a stack: the one that was
// completed last is still in the cache and is used next.
//
// Owner: XdpLane; its QueuePort hands in completions. Thread: the lane's. Errors: a completion of
// something that is not in flight comes from the kernel, so it is counted and ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netdriver/xdp/umem.h"

namespace netchannel::xdp {

class TxPool {
 public:
  // `base`: UMEM address of the first slot.
  TxPool(uint64_t base, uint32_t slots, uint32_t chunks_per_slot)
      : base_(base), chunks_per_slot_(chunks_per_slot), open_(slots, 0) {
    slot_of_chunk_.reserve(size_t{slots} * chunks_per_slot);
    for (uint32_t slot = 0; slot < slots; ++slot) {
      slot_of_chunk_.insert(slot_of_chunk_.end(), chunks_per_slot, slot);
    }
    free_.reserve(slots);
    Reset();
  }

  std::optional<uint32_t> Acquire() {
    if (free_.empty()) return std::nullopt;
    const uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }

  // Precondition: `slot` was acquired and is not in flight; 1 <= descriptors <= chunks_per_slot.
  void MarkSubmitted(uint32_t slot, uint32_t descriptors) {
    open_[slot] = descriptors;
    ++in_flight_;
  }

  bool Owns(uint64_t address) const {
    return address - base_ < uint64_t{kChunkSize} * slot_of_chunk_.size();
  }

  // The kernel is done with the descriptor at `address`. Precondition: Owns(address).
  void Complete(uint64_t address) {
    const uint32_t slot = slot_of_chunk_[(address - base_) / kChunkSize];
    if (open_[slot] == 0) {
      ++invalid_completions_;
      return;
    }
    if (--open_[slot] > 0) return;
    --in_flight_;
    free_.push_back(slot);
  }

  // Takes all slots back, once the kernel has let go of the UMEM. A reserved slot is lost with it.
  void Reset() {
    free_.clear();
    for (uint32_t slot = slots(); slot > 0; --slot) free_.push_back(slot - 1);
    open_.assign(open_.size(), 0);
    in_flight_ = 0;
  }

  uint64_t AddressOf(uint32_t slot) const {
    return base_ + uint64_t{slot} * chunks_per_slot_ * kChunkSize;
  }
  uint32_t slots() const { return static_cast<uint32_t>(open_.size()); }
  uint32_t slot_size() const { return chunks_per_slot_ * kChunkSize; }  // bytes
  uint32_t free() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t in_flight() const { return in_flight_; }
  uint64_t invalid_completions() const { return invalid_completions_; }

 private:
  const uint64_t base_;
  const uint32_t chunks_per_slot_;
  std::vector<uint32_t> open_;  // by slot: descriptors that the kernel still has
  std::vector<uint32_t> slot_of_chunk_;
  std::vector<uint32_t> free_;
  uint32_t in_flight_ = 0;  // slots
  uint64_t invalid_completions_ = 0;
};

}  // namespace netchannel::xdp

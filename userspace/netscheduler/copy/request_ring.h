// SPDX-License-Identifier: Apache-2.0
//
// A bounded queue of words from any thread to any thread: the way of a request to a copy worker.
// Each cell has a sequence number that says whose turn it is, so a push or a pop is one
// compare-and-swap and touches one cell (D. Vyukov's bounded queue).
//
// Thread: any. Errors: Push is false when it is full, Pop is nothing when it is empty.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace netchannel {

template <size_t kCapacity>
class RequestRing {
  static_assert((kCapacity & (kCapacity - 1)) == 0);

 public:
  RequestRing() {
    for (size_t i = 0; i < kCapacity; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  bool Push(uint64_t word) {
    uint64_t at = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[at % kCapacity];
      const uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == at) {
        if (tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
          cell.word = word;
          cell.turn.store(at + 1, std::memory_order_release);
          return true;
        }
      } else if (static_cast<int64_t>(turn - at) < 0) {
        return false;
      } else {
        at = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  std::optional<uint64_t> Pop() {
    uint64_t at = head_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[at % kCapacity];
      const uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == at + 1) {
        if (head_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
          const uint64_t word = cell.word;
          cell.turn.store(at + kCapacity, std::memory_order_release);
          return word;
        }
      } else if (static_cast<int64_t>(turn - (at + 1)) < 0) {
        return std::nullopt;
      } else {
        at = head_.load(std::memory_order_relaxed);
      }
    }
  }

  // Nothing to pop, as it looks.
  bool empty() const {
    const uint64_t at = head_.load(std::memory_order_relaxed);
    return cells_[at % kCapacity].turn.load(std::memory_order_acquire) != at + 1;
  }

 private:
  struct Cell {
    std::atomic<uint64_t> turn;
    uint64_t word = 0;
  };

  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::array<Cell, kCapacity> cells_;
};

}  // namespace netchannel

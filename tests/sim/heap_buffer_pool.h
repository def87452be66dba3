// SPDX-License-Identifier: Apache-2.0
//
// Rings of sockets from the heap, counted, so that the end of a run can assert that all came home.
// A ring that is free is spoilt, and kept for reuse. Owner: the simulated host. Thread: one.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "sim/require.h"
#include "vns/socket_layer.h"

namespace netchannel::sim {

class HeapBufferPool final : public BufferPool {
 public:
  HeapBufferPool(uint64_t ring_bytes, uint32_t capacity)
      : ring_bytes_(ring_bytes), capacity_(capacity) {}

  std::optional<SocketBuffers> Allocate(uint32_t owner) override {
    if (free_.empty()) {
      if (rings_.size() >= capacity_) return std::nullopt;
      free_.push_back(static_cast<uint32_t>(rings_.size()));
      rings_.push_back({std::make_unique<std::byte[]>(2 * ring_bytes_), false, 0});
    }
    const uint32_t slot = free_.back();
    free_.pop_back();
    rings_[slot].used = true;
    rings_[slot].owner = owner;
    std::byte* base = rings_[slot].bytes.get();
    return SocketBuffers{slot, RingView{base, ring_bytes_},
                         RingView{base + ring_bytes_, ring_bytes_}};
  }

  void Free(uint32_t owner, const SocketBuffers& buffers) override {
    Require(buffers.slot < rings_.size() && rings_[buffers.slot].used,
            "socket buffers were freed twice");
    Require(rings_[buffers.slot].owner == owner, "socket buffers were freed for another owner");
    rings_[buffers.slot].used = false;
    std::memset(rings_[buffers.slot].bytes.get(), 0xDD, 2 * ring_bytes_);
    free_.push_back(buffers.slot);
  }

  size_t in_use() const { return rings_.size() - free_.size(); }

 private:
  struct Ring {
    std::unique_ptr<std::byte[]> bytes;
    bool used;
    uint32_t owner;
  };
  const uint64_t ring_bytes_;
  const uint32_t capacity_;
  std::vector<Ring> rings_;
  std::vector<uint32_t> free_;
};

}  // namespace netchannel::sim

// SPDX-License-Identifier: Apache-2.0
//
// The memory of all virtual sockets: taken in chunks as sockets are created, kept until the end, so
// that a SocketId is an index and an address is stable. The last kResetReserve entries are for
// streams that exist only to be refused, so that a full table can still say so.
//
// Thread: one at a time. Errors: nullptr when full.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "vns/virtual_socket.h"

namespace netchannel {

class SocketTable {
 public:
  // Refusals on their way at once. Above it a stranger's OPEN goes unanswered, and its connect
  // times out.
  static constexpr uint32_t kResetReserve = 1024;

  explicit SocketTable(uint32_t max_sockets) : max_sockets_(max_sockets) {}

  // A socket with all fields at their defaults but `id` and `in_use`.
  VirtualSocket* Allocate() { return Allocate(max_sockets_); }
  VirtualSocket* AllocateForReset() { return Allocate(max_sockets_ + kResetReserve); }
  // Precondition: in no list, no timer.
  void Free(VirtualSocket& socket);
  // nullptr when there is no such socket.
  VirtualSocket* Find(SocketId id) const;

  uint32_t in_use() const { return in_use_; }
  // Ids below it may be in use.
  uint32_t high_water() const { return high_water_; }

 private:
  static constexpr uint32_t kChunk = 64;

  VirtualSocket* Allocate(uint32_t limit);
  VirtualSocket& At(SocketId id) const { return chunks_[id / kChunk][id % kChunk]; }

  uint32_t max_sockets_;
  uint32_t in_use_ = 0;
  uint32_t high_water_ = 0;
  std::vector<std::unique_ptr<VirtualSocket[]>> chunks_;
  std::vector<SocketId> free_;
};

}  // namespace netchannel

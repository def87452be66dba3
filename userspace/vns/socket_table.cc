// SPDX-License-Identifier: Apache-2.0
#include "vns/socket_table.h"

#include <memory>

namespace netchannel {

VirtualSocket* SocketTable::Allocate(uint32_t limit) {
  if (in_use_ >= limit) return nullptr;
  if (free_.empty()) {
    if (high_water_ % kChunk == 0) chunks_.push_back(std::make_unique<VirtualSocket[]>(kChunk));
    free_.push_back(high_water_++);
  }
  VirtualSocket& socket = At(free_.back());
  socket.id = free_.back();
  socket.in_use = true;
  free_.pop_back();
  ++in_use_;
  return &socket;
}

void SocketTable::Free(VirtualSocket& socket) {
  const SocketId id = socket.id;
  std::destroy_at(&socket);
  std::construct_at(&socket);
  free_.push_back(id);
  --in_use_;
}

VirtualSocket* SocketTable::Find(SocketId id) const {
  if (id >= high_water_) return nullptr;
  VirtualSocket& socket = At(id);
  return socket.in_use ? &socket : nullptr;
}

}  // namespace netchannel

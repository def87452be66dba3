// SPDX-License-Identifier: Apache-2.0
//
// Where a stream's writer and reader are, and telling the stack when they move.
//
// Thread: the holder of the direction's lock.
#pragma once

#include <cstdint>

#include "client/socket.h"
#include "ipc/fence.h"

namespace netchannel {

inline uint64_t Written(const nc_socket* socket) {
  return socket->slot->written.load(std::memory_order_relaxed);
}

inline uint64_t Consumed(const nc_socket* socket) {
  return socket->slot->consumed.load(std::memory_order_relaxed);
}

// Bytes up to `written` are in the send ring.
inline void PublishWritten(nc_socket* socket, uint64_t written) {
  socket->slot->written.store(written, std::memory_order_release);
  ipc::FullFence();
  socket->AnnounceWritten(written);
}

// Tells how far the reader is.
inline void PublishConsumed(nc_socket* socket, uint64_t consumed) {
  ipc::SocketClient* client = socket->client;
  socket->slot->consumed.store(consumed, std::memory_order_release);
  const uint64_t step = client->announce_step.load(std::memory_order_relaxed);
  if (consumed - client->announced < step) return;
  client->announced = consumed;
  ipc::FullFence();
  socket->Announce();
}

}  // namespace netchannel

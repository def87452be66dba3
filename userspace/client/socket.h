// SPDX-License-Identifier: Apache-2.0
//
// nc_socket: one virtual socket, as the application holds it. What both sides must see is in the
// socket's slot (ipc/abi.h); here are the application's own copies, so that a send or receive
// touches shared memory only for the bytes, one position, and `dirty`.
//
// Owner: the application, from create or accept to nc_close. Thread: any; each direction has its
// lock, each set its own (client/set.h). Locks are taken in the order: set, direction.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/ring_view.h"
#include "base/units.h"
#include "client/lock.h"
#include "client/stack.h"
#include "ipc/abi.h"
#include "netchannel/netchannel.h"

namespace netchannel {

// A reader tells how far it has read after this much, or an eighth of the ring if that is less:
// often enough that a window of 256 KiB never closes on a reader that keeps up, and once for 500
// messages of 64 B.
inline constexpr uint64_t kConsumedThreshold = 32 * 1024;

// A large copy is published in steps, so that the stack sends while the copy goes on.
inline constexpr uint64_t kCopyStep = 64 * 1024;

struct SendSide {
  DirectionLock lock;
  uint64_t written = 0;       // guarded by lock; the slot's `written`
  uint64_t acknowledged = 0;  // guarded by lock; at most the slot's, read again when room is short
};

struct ReceiveSide {
  DirectionLock lock;
  uint64_t consumed = 0;   // guarded by lock; the slot's `consumed`
  uint64_t received = 0;   // guarded by lock; at most the slot's
  uint64_t announced = 0;  // guarded by lock; `consumed` when the stack was last told
};

inline constexpr uint32_t kShutRead = 1, kShutWrite = 2;  // as Call::argument

// Membership in a wait set; guarded by the set's lock.
struct SetMember {
  void* data = nullptr;
  unsigned events = 0;
  bool listed = false;  // in the set's list of sockets that may be ready
  nc_socket* next = nullptr;
  nc_socket* previous = nullptr;
};

}  // namespace netchannel

struct nc_socket {
  nc_socket(nc_stack* its_stack, uint32_t its_index);

  nc_stack* const stack;
  netchannel::ipc::SocketSlot* const slot;
  const uint32_t index;
  const uint64_t consumed_threshold;
  const netchannel::RingView send_ring;
  const netchannel::RingView receive_ring;

  std::atomic<bool> nonblocking{false};
  std::atomic<bool> spin{false};
  std::atomic<uint32_t> shut{0};     // kShutRead, kShutWrite: what this end has shut down
  std::atomic<uint64_t> send_limit;  // NC_SEND_BUFFER: how much of the ring may be used
  std::atomic<int> send_timeout_ms{0}, receive_timeout_ms{0};

  alignas(netchannel::ipc::kCacheLine) netchannel::SendSide sending;
  alignas(netchannel::ipc::kCacheLine) netchannel::ReceiveSide receiving;

  std::atomic<nc_set*> set{nullptr};
  netchannel::SetMember member;

  std::mutex options_mutex;
  netchannel::ipc::Options options;  // guarded by options_mutex
  bool nodelay = false;              // guarded by options_mutex
  int receive_buffer = 0;            // guarded by options_mutex

  // Tells the stack that a position has moved. Precondition: a full fence after the position's
  // store.
  void Announce() {
    if (slot->dirty.load(std::memory_order_relaxed) == 0 &&
        slot->dirty.exchange(1, std::memory_order_acq_rel) == 0) {
      stack->RingSocket(index);
    }
  }

  uint32_t Flags() const { return slot->flags.load(std::memory_order_acquire); }
};

namespace netchannel {

// The connection's error, which is the application's from now on; 0 when there is none.
int TakeError(nc_socket* socket);

// NC_READ, NC_WRITE, NC_HANGUP, NC_FAILED.
unsigned Readiness(nc_socket* socket);

// A control operation on the socket. 0, or errno.
int Execute(nc_socket* socket, ipc::Op op, uint32_t argument);
int Execute(nc_socket* socket, ipc::Op op, const ipc::Address& address);

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// nc_socket: one virtual socket, as a process holds it. All that its users must agree on lies in
// the region, since other processes may hold it too: what the stack sees in the socket's slot, the
// rest in its SocketClient (both ipc/abi.h). A handle has only pointers to them, the descriptor
// that stands for it, and its memberships in sets.
//
// Owner: the application, from create, accept or adopt to nc_close. Thread: any; each direction has
// its lock. A socket may have several handles in a process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/ring_view.h"
#include "base/units.h"
#include "client/attachment.h"
#include "client/lock.h"
#include "client/stack.h"
#include "ipc/abi.h"
#include "ipc/ring_pages.h"
#include "netchannel/netchannel.h"

namespace netchannel {

struct SetMember;

// A reader tells how far it has read after this much, or an eighth of its receive buffer if that is
// less: often enough that a window of 256 KiB never closes on a reader that keeps up, and once for
// 500 messages of 64 B.
inline constexpr uint64_t kAnnounceStep = 32 * 1024;

// A large copy is published in steps, so that the stack sends while the copy goes on.
inline constexpr uint64_t kCopyStep = 128 * 1024;

inline constexpr uint32_t kShutRead = 1, kShutWrite = 2;  // as Call::argument

}  // namespace netchannel

struct nc_socket {
  // `from`: null for one that did not come from a stack's handle.
  nc_socket(nc_stack* from, std::shared_ptr<netchannel::Attachment> region, uint32_t its_index);
  // In the process's list, from when it is whole (StartLife) until nc_close.
  void Register();
  void Unregister();

  nc_stack* const origin;
  const std::shared_ptr<netchannel::Attachment> home;
  netchannel::ipc::SocketSlot* const slot;
  netchannel::ipc::SocketClient* const client;
  const uint32_t index;
  const uint64_t short_copy;  // bytes that a call copies at once and by itself
  const netchannel::RingView send_ring;
  const netchannel::RingView receive_ring;
  netchannel::ipc::RingPages send_pages;     // guarded by client->send_lock
  netchannel::ipc::RingPages receive_pages;  // guarded by client->receive_lock

  // Guarded by the process's mutex.
  int anchor = -1;
  bool owns_anchor = false;  // else it is the application's
  netchannel::SetMember* memberships = nullptr;

  // Tells the stack that a position has moved. Precondition: a full fence after the position's
  // store.
  void Announce() {
    if (slot->dirty.load(std::memory_order_relaxed) == 0 &&
        slot->dirty.exchange(1, std::memory_order_acq_rel) == 0) {
      home->RingSocket(index);
    }
  }

  // As Announce, after a write up to stream offset `end`: to a stack that is served from this
  // thread message after message, only so many bytes at once.
  void AnnounceWritten(uint64_t end) {
    if (slot->dirty.load(std::memory_order_relaxed) == 0 &&
        slot->dirty.exchange(1, std::memory_order_acq_rel) == 0) {
      client->flush_at.store(home->RingWritten(index, end), std::memory_order_relaxed);
    } else if (end >= client->flush_at.load(std::memory_order_relaxed)) {
      client->flush_at.store(netchannel::ipc::kNoFlush, std::memory_order_relaxed);
      home->link->Wake();
    }
  }

  uint32_t Flags() const { return slot->flags.load(std::memory_order_acquire); }
  bool nonblocking() const { return client->nonblocking.load(std::memory_order_relaxed) != 0; }
  uint32_t shut() const { return client->shut.load(std::memory_order_relaxed); }
};

namespace netchannel {

// The connection's error, which is the application's from now on; 0 when there is none.
int TakeError(nc_socket* socket);

// NC_READ, NC_WRITE, NC_HANGUP, NC_FAILED, NC_RDHUP.
unsigned Readiness(nc_socket* socket);

// Asks the stack to tell when the socket is writable again: a full buffer counts as writable when a
// quarter is free. False: it is so already, and nothing will be told. The second form has the
// sender's lock.
bool AwaitRoom(nc_socket* socket);
bool AwaitRoomLocked(nc_socket* socket);

// Sets up what the processes share of a socket that has just been made; with the options of
// `listener` if that is not null.
void StartLife(nc_socket* socket, nc_socket* listener, bool nonblocking);

// What a socket has that nobody has set anything of.
const ipc::Options& DefaultOptions();
// NC_RECEIVE_BUFFER as it is in force.
uint64_t ReceiveBufferOf(const nc_socket* socket, const ipc::Options& options);
// The stack has them. Precondition: the options' lock, or the socket's life begins.
void KeepOptions(nc_socket* socket, const ipc::Options& options);

// Threads of this process that wait on the socket look again.
void WakeOwnWaiters(nc_socket* socket);

// A control operation on the socket. 0, or errno.
int Execute(nc_socket* socket, ipc::Op op, uint32_t argument);
int Execute(nc_socket* socket, ipc::Op op, const ipc::Address& address);
void CloseSlot(Attachment* home, uint32_t index);

}  // namespace netchannel

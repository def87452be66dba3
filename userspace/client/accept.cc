// SPDX-License-Identifier: Apache-2.0
//
// nc_accept. A listener may be shared: several threads and processes take connections from its
// ring, one at a time, under its receiver's lock.
//
// Whose is a connection that has been taken and has no anchor yet? The daemon ends it with the
// region's control connection. In the process that made the region that is right, since both end
// together. Another process (a forked child) anchors at once, and until it has, the connection
// carries its name as a claim: should it die in between, others that accept find the claim and
// close the connection.
#include <errno.h>

#include <algorithm>
#include <new>

#include "client/address.h"
#include "client/anchor.h"
#include "client/process.h"
#include "client/socket.h"
#include "client/wait.h"
#include "ipc/owner.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

// More claims than processes can be accepting at once: some are of the dead.
constexpr int32_t kManyClaims = 64;

// The oldest waiting connection's slot, or kNoIndex. It carries `claim`.
uint32_t TakeWaiting(nc_socket* listener, ipc::OwnerWord claim) {
  ipc::SocketSlot* slot = listener->slot;
  uint32_t index = ipc::kNoIndex;
  Lock(&listener->client->receive_lock);
  const uint64_t consumed = slot->consumed.load(std::memory_order_relaxed);
  if (slot->received.load(std::memory_order_acquire) - consumed >= ipc::kAcceptEntrySize) {
    listener->receive_ring.CopyOut(consumed, {reinterpret_cast<std::byte*>(&index), sizeof(index)});
    if (ipc::SocketClient* taken = listener->home->region.client(index); taken != nullptr) {
      taken->claim.store(claim, std::memory_order_relaxed);
    }
    slot->consumed.store(consumed + ipc::kAcceptEntrySize, std::memory_order_release);
  }
  UnlockAndFence(&listener->client->receive_lock);
  // Each is told: the backlog counts connections.
  if (index != ipc::kNoIndex) listener->Announce();
  return index;
}

// Closes what processes that died in the middle of accept() have left.
void SweepClaims(Attachment* home) {
  const uint32_t seen = std::min(home->header->slots_seen.load(std::memory_order_relaxed),
                                 home->region.socket_count());
  uint32_t living = 0;
  for (uint32_t index = 0; index < seen; ++index) {
    std::atomic<ipc::OwnerWord>& claim = home->region.client(index)->claim;
    ipc::OwnerWord owner = claim.load(std::memory_order_relaxed);
    if (owner == 0) continue;
    if (ipc::IsAlive(owner)) {
      ++living;
    } else if (claim.compare_exchange_strong(owner, 0, std::memory_order_acq_rel)) {
      CloseSlot(home, index);
    }
  }
  home->header->claims.store(living, std::memory_order_relaxed);
}

// 0, or errno.
int AnchorClaimed(nc_socket* socket) {
  const std::lock_guard lock(Process::Get().mutex());
  const int error = MakeAnchor(socket);
  socket->client->claim.store(0, std::memory_order_release);
  socket->home->header->claims.fetch_sub(1, std::memory_order_relaxed);
  return error;
}

// The accepted connection has its listener's options (POSIX leaves it open, Linux does so); the
// stack sets its own copy alike. Null: errno is set.
nc_socket* Adopt(nc_socket* listener, uint32_t index, bool nonblocking, bool claimed) {
  auto* socket = new (std::nothrow) nc_socket(listener->origin, listener->home, index);
  if (socket == nullptr) {
    CloseSlot(listener->home.get(), index);
    Fail(ENOMEM);
    return nullptr;
  }
  StartLife(socket, listener, nonblocking);
  if (claimed) {
    if (const int error = AnchorClaimed(socket); error != 0) {
      CloseSlot(listener->home.get(), index);
      delete socket;
      Fail(error);
      return nullptr;
    }
  }
  socket->Register();
  return socket;
}

// 0: look again; else errno.
int AwaitConnection(nc_socket* listener, int flags) {
  if (listener->nonblocking() || (flags & MSG_DONTWAIT) != 0) {
    listener->home->link->Wake();
    return EAGAIN;
  }
  const Time deadline =
      DeadlineAfter(listener->client->receive_timeout_ms.load(std::memory_order_relaxed));
  switch (WaitFor(listener, Condition::kReadable, ipc::kAcceptEntrySize, deadline)) {
    case WaitResult::kReady:
      return 0;
    case WaitResult::kTimedOut:
      return EAGAIN;
    case WaitResult::kInterrupted:
      return EINTR;
  }
  return EINTR;
}

// 0, or errno: it does not listen.
int CheckListens(nc_socket* listener) {
  if (ipc::StateOf(listener->Flags()) == ipc::SlotState::kListening) return 0;
  const int error = TakeError(listener);
  return error != 0 ? error : EINVAL;
}

// A claim that was counted and found no connection.
void Unclaim(Attachment* home) { home->header->claims.fetch_sub(1, std::memory_order_relaxed); }

// Takes a connection if one waits: then its handle, or null and errno in *error. Else null and 0.
nc_socket* TryAccept(nc_socket* listener, bool nonblocking, int* error) {
  Attachment* home = listener->home.get();
  if (listener->slot->received.load(std::memory_order_acquire) ==
      listener->slot->consumed.load(std::memory_order_relaxed)) {
    return nullptr;
  }
  const bool claims = home->shareable() && !home->own();
  // Signed: a sweep forgets those that are just being made.
  if (claims && static_cast<int32_t>(
                    home->header->claims.fetch_add(1, std::memory_order_relaxed)) >= kManyClaims) {
    SweepClaims(home);
  }
  const uint32_t index = TakeWaiting(listener, claims ? ipc::ThisProcess() : 0);
  if (index >= home->region.socket_count()) {
    if (claims) Unclaim(home);
    return nullptr;
  }
  nc_socket* accepted = Adopt(listener, index, nonblocking, claims);
  if (accepted == nullptr) *error = errno;
  return accepted;
}

}  // namespace
}  // namespace netchannel

extern "C" nc_socket* nc_accept(nc_socket* socket, struct sockaddr* address, socklen_t* length,
                                int flags) {
  int error = (flags & ~SOCK_NONBLOCK & ~MSG_DONTWAIT) != 0 ? EINVAL : 0;
  while (error == 0) {
    error = netchannel::CheckListens(socket);
    if (error != 0) break;
    nc_socket* accepted = netchannel::TryAccept(socket, (flags & SOCK_NONBLOCK) != 0, &error);
    if (accepted != nullptr) {
      netchannel::BuildSockaddr(netchannel::ipc::LoadAddress(&accepted->slot->peer), address,
                                length);
      return accepted;
    }
    if (error == 0) error = netchannel::AwaitConnection(socket, flags);
  }
  netchannel::Fail(error);
  return nullptr;
}

// SPDX-License-Identifier: Apache-2.0
//
// nc_connect and nc_accept.
#include <errno.h>

#include <new>

#include "client/address.h"
#include "client/socket.h"
#include "client/wait.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

// What became of a connection attempt. 0, or errno.
int Outcome(nc_socket* socket) {
  if (ipc::StateOf(socket->Flags()) == ipc::SlotState::kConnected) return 0;
  const int error = TakeError(socket);
  return error != 0 ? error : ECONNABORTED;
}

int AwaitConnected(nc_socket* socket) {
  const Time deadline = DeadlineAfter(socket->send_timeout_ms.load(std::memory_order_relaxed));
  switch (WaitFor(socket, Condition::kConnected, 0, deadline)) {
    case WaitResult::kReady:
      return Outcome(socket);
    case WaitResult::kTimedOut:
      return EINPROGRESS;
    case WaitResult::kInterrupted:
      return EINTR;
  }
  return EINTR;
}

// The oldest waiting connection's slot, or kNoIndex.
uint32_t TakeWaiting(nc_socket* listener) {
  ReceiveSide& side = listener->receiving;
  uint32_t index = ipc::kNoIndex;
  side.lock.Lock();
  side.received = listener->slot->received.load(std::memory_order_acquire);
  if (side.received - side.consumed >= ipc::kAcceptEntrySize) {
    listener->receive_ring.CopyOut(side.consumed,
                                   {reinterpret_cast<std::byte*>(&index), sizeof(index)});
    side.consumed += ipc::kAcceptEntrySize;
    listener->slot->consumed.store(side.consumed, std::memory_order_release);
  }
  side.lock.UnlockAndFence();
  // Each is told: the backlog counts connections.
  if (index != ipc::kNoIndex) listener->Announce();
  return index;
}

void CloseSlot(nc_stack* stack, uint32_t index) {
  ipc::CallRequest close;
  close.op = ipc::Op::kClose;
  close.socket = index;
  stack->calls.Execute(close);
}

// The accepted connection has its listener's options (POSIX leaves it open, Linux does so); the
// stack sets its own copy alike.
nc_socket* Adopt(nc_socket* listener, uint32_t index, int flags) {
  auto* socket = new (std::nothrow) nc_socket(listener->stack, index);
  if (socket == nullptr) {
    CloseSlot(listener->stack, index);
    Fail(ENOMEM);
    return nullptr;
  }
  socket->nonblocking.store((flags & SOCK_NONBLOCK) != 0, std::memory_order_relaxed);
  socket->spin.store(listener->spin.load(std::memory_order_relaxed), std::memory_order_relaxed);
  socket->send_limit.store(listener->send_limit.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
  const std::lock_guard lock(listener->options_mutex);
  socket->options = listener->options;
  socket->nodelay = listener->nodelay;
  socket->receive_buffer = listener->receive_buffer;
  return socket;
}

// 0: look again; else errno.
int AwaitConnection(nc_socket* listener) {
  if (listener->nonblocking.load(std::memory_order_relaxed)) {
    listener->stack->link->Wake();
    return EAGAIN;
  }
  const Time deadline = DeadlineAfter(listener->receive_timeout_ms.load(std::memory_order_relaxed));
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

}  // namespace
}  // namespace netchannel

using netchannel::Fail;

extern "C" {

int nc_connect(nc_socket* socket, const struct sockaddr* address, socklen_t length) {
  netchannel::ipc::Address peer;
  if (const int error = netchannel::ParseSockaddr(address, length, &peer); error != 0) {
    return Fail(error);
  }
  int error = netchannel::Execute(socket, netchannel::ipc::Op::kConnect, peer);
  const bool nonblocking = socket->nonblocking.load(std::memory_order_relaxed);
  if (error == EINPROGRESS && nonblocking) socket->stack->link->Wake();
  // EALREADY: an earlier attempt, interrupted by a signal, goes on; a blocking call joins it.
  if (!nonblocking && (error == EINPROGRESS || error == EALREADY)) {
    error = netchannel::AwaitConnected(socket);
  }
  return error == 0 ? 0 : Fail(error);
}

nc_socket* nc_accept(nc_socket* socket, struct sockaddr* address, socklen_t* length, int flags) {
  int error = (flags & ~SOCK_NONBLOCK) != 0 ? EINVAL : 0;
  while (error == 0) {
    const uint32_t state = socket->Flags();
    if (netchannel::ipc::StateOf(state) != netchannel::ipc::SlotState::kListening) {
      error = netchannel::TakeError(socket);
      if (error == 0) error = EINVAL;
      break;
    }
    const uint32_t index = netchannel::TakeWaiting(socket);
    if (index < socket->stack->region.socket_count()) {
      nc_socket* accepted = netchannel::Adopt(socket, index, flags);
      if (accepted != nullptr) {
        netchannel::BuildSockaddr(netchannel::ipc::LoadAddress(&accepted->slot->peer), address,
                                  length);
      }
      return accepted;
    }
    error = netchannel::AwaitConnection(socket);
  }
  Fail(error);
  return nullptr;
}

}  // extern "C"

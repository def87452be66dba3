// SPDX-License-Identifier: Apache-2.0
//
// Making, naming, listening, shutting down and closing; readiness of one socket.
#include "client/socket.h"

#include <errno.h>

#include <algorithm>
#include <climits>
#include <new>

#include "client/address.h"
#include "client/set.h"
#include "client/wait.h"
#include "ipc/futex.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

constexpr ipc::Options kDefaultOptions = {
    .app_class = 0,
    .reuse_address = 0,
    .keepalive = 0,
    .probe = 0,
    .keepalive_idle_ms = 7200 * 1000,  // RFC 1122 section 4.2.3.6
    .keepalive_interval_ms = 75 * 1000,
    .keepalive_count = 9,
    .user_timeout_ms = 0,  // the stack's default
    .linger_ms = -1,
};

}  // namespace

int TakeError(nc_socket* socket) {
  if (socket->slot->error.load(std::memory_order_acquire) == 0) return 0;
  const int error = static_cast<int>(socket->slot->error.exchange(0, std::memory_order_acq_rel));
  ipc::FullFence();
  socket->Announce();
  return error;
}

unsigned Readiness(nc_socket* socket) {
  const ipc::SocketSlot* slot = socket->slot;
  const uint32_t flags = socket->Flags();
  const uint32_t shut = socket->shut.load(std::memory_order_relaxed);
  const uint64_t received = slot->received.load(std::memory_order_acquire);
  const bool readable =
      ipc::IsReadable(flags, received, slot->consumed.load(std::memory_order_relaxed));
  unsigned ready = slot->error.load(std::memory_order_acquire) != 0 ? NC_FAILED : 0;
  if ((flags & ipc::kFlagDetached) != 0) return ready | NC_READ | NC_WRITE | NC_HANGUP;
  switch (ipc::StateOf(flags)) {
    case ipc::SlotState::kIdle:
    case ipc::SlotState::kBound:
    case ipc::SlotState::kConnecting:
      return ready;
    case ipc::SlotState::kListening:
      return ready | (readable ? NC_READ : 0);
    case ipc::SlotState::kClosed:
      return ready | NC_READ | NC_WRITE | NC_HANGUP;
    case ipc::SlotState::kConnected:
      break;
  }
  const bool input_over = ipc::PeerFin(flags) || (shut & kShutRead) != 0;
  const bool output_over = (shut & kShutWrite) != 0;
  const uint64_t limit = socket->send_limit.load(std::memory_order_relaxed);
  const uint64_t room = ipc::WriteRoom(slot->written.load(std::memory_order_relaxed),
                                       slot->acknowledged.load(std::memory_order_acquire), limit);
  if (readable || input_over) ready |= NC_READ;
  if (output_over || ipc::IsWritable(room, limit)) ready |= NC_WRITE;
  if (input_over && output_over) ready |= NC_HANGUP;
  return ready;
}

int Execute(nc_socket* socket, ipc::Op op, uint32_t argument) {
  ipc::CallRequest request;
  request.op = op;
  request.socket = socket->index;
  request.argument = argument;
  return socket->stack->calls.Execute(request).error;
}

int Execute(nc_socket* socket, ipc::Op op, const ipc::Address& address) {
  ipc::CallRequest request;
  request.op = op;
  request.socket = socket->index;
  request.address = address;
  return socket->stack->calls.Execute(request).error;
}

namespace {

int Result(int error) { return error == 0 ? 0 : Fail(error); }

// Linger: sends the end of the stream, and waits until the peer has acknowledged everything.
void Linger(nc_socket* socket, int linger_ms) {
  if (ipc::StateOf(socket->Flags()) != ipc::SlotState::kConnected) return;
  if (Execute(socket, ipc::Op::kShutdown, kShutWrite) != 0) return;
  const uint64_t end = socket->slot->written.load(std::memory_order_relaxed);
  WaitFor(socket, Condition::kDelivered, end, DeadlineAfter(linger_ms));
}

// Threads of this process that wait on the socket look again.
void WakeOwnWaiters(nc_socket* socket) {
  socket->slot->event.fetch_add(1, std::memory_order_seq_cst);
  if (socket->slot->waiters.load(std::memory_order_seq_cst) != 0) {
    ipc::FutexWakeAll(socket->slot->event, ipc::FutexScope::kShared);
  }
  RecheckInSet(socket);
}

}  // namespace
}  // namespace netchannel

nc_socket::nc_socket(nc_stack* its_stack, uint32_t its_index)
    : stack(its_stack),
      slot(its_stack->region.slot(its_index)),
      index(its_index),
      consumed_threshold(
          std::min(netchannel::kConsumedThreshold, its_stack->region.ring_bytes() / 8)),
      send_ring(its_stack->region.send_ring(its_index)),
      receive_ring(its_stack->region.receive_ring(its_index)),
      send_limit(its_stack->region.ring_bytes()),
      options(netchannel::kDefaultOptions),
      receive_buffer(static_cast<int>(its_stack->region.ring_bytes())) {
  const std::lock_guard lock(stack->open_mutex);
  stack->open_sockets.insert(this);
}

using netchannel::Execute;
using netchannel::Fail;
using netchannel::Result;

extern "C" {

nc_socket* nc_socket_create(nc_stack* stack, int flags) {
  if ((flags & ~SOCK_NONBLOCK) != 0) {
    Fail(EINVAL);
    return nullptr;
  }
  const auto created = stack->calls.Execute({});
  if (created.error != 0 || created.socket >= stack->region.socket_count()) {
    Fail(created.error != 0 ? created.error : EIO);
    return nullptr;
  }
  auto* socket = new (std::nothrow) nc_socket(stack, created.socket);
  if (socket == nullptr) {
    netchannel::ipc::CallRequest close;
    close.op = netchannel::ipc::Op::kClose;
    close.socket = created.socket;
    stack->calls.Execute(close);
    Fail(ENOMEM);
    return nullptr;
  }
  socket->nonblocking.store((flags & SOCK_NONBLOCK) != 0, std::memory_order_relaxed);
  return socket;
}

int nc_bind(nc_socket* socket, const struct sockaddr* address, socklen_t length) {
  netchannel::ipc::Address parsed;
  if (const int error = netchannel::ParseSockaddr(address, length, &parsed); error != 0) {
    return Fail(error);
  }
  return Result(Execute(socket, netchannel::ipc::Op::kBind, parsed));
}

int nc_listen(nc_socket* socket, int backlog) {
  return Result(
      Execute(socket, netchannel::ipc::Op::kListen, static_cast<uint32_t>(std::max(backlog, 0))));
}

int nc_shutdown(nc_socket* socket, int how) {
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return Fail(EINVAL);
  const uint32_t directions = how == SHUT_RDWR ? netchannel::kShutRead | netchannel::kShutWrite
                              : how == SHUT_RD ? netchannel::kShutRead
                                               : netchannel::kShutWrite;
  // Under the sender's lock: nothing is written behind the end of the stream.
  socket->sending.lock.Lock();
  const uint32_t before = socket->shut.fetch_or(directions, std::memory_order_relaxed);
  socket->sending.lock.UnlockAndFence();
  const int error = Execute(socket, netchannel::ipc::Op::kShutdown, directions);
  if (error != 0) {
    socket->shut.fetch_and(before | ~directions, std::memory_order_relaxed);
    return Fail(error);
  }
  netchannel::WakeOwnWaiters(socket);
  return 0;
}

int nc_close(nc_socket* socket) {
  netchannel::LeaveSet(socket);
  int linger_ms;
  {
    const std::lock_guard lock(socket->options_mutex);
    linger_ms = socket->options.linger_ms;
  }
  if (linger_ms > 0) netchannel::Linger(socket, linger_ms);
  // A stack that is gone has closed it already.
  Execute(socket, netchannel::ipc::Op::kClose, uint32_t{0});
  {
    const std::lock_guard lock(socket->stack->open_mutex);
    socket->stack->open_sockets.erase(socket);
  }
  delete socket;
  return 0;
}

int nc_getsockname(nc_socket* socket, struct sockaddr* address, socklen_t* length) {
  if (address == nullptr || length == nullptr) return Fail(EINVAL);
  socket->Flags();  // acquires what was published before
  netchannel::BuildSockaddr(netchannel::ipc::LoadAddress(&socket->slot->local), address, length);
  return 0;
}

int nc_getpeername(nc_socket* socket, struct sockaddr* address, socklen_t* length) {
  if (address == nullptr || length == nullptr) return Fail(EINVAL);
  if (netchannel::ipc::StateOf(socket->Flags()) != netchannel::ipc::SlotState::kConnected) {
    return Fail(ENOTCONN);
  }
  netchannel::BuildSockaddr(netchannel::ipc::LoadAddress(&socket->slot->peer), address, length);
  return 0;
}

unsigned nc_ready(nc_socket* socket) { return netchannel::Readiness(socket); }

}  // extern "C"

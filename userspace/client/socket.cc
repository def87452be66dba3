// SPDX-License-Identifier: Apache-2.0
//
// Making, naming, listening, shutting down and closing; readiness of one socket.
#include "client/socket.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <new>

#include "client/address.h"
#include "client/process.h"
#include "client/set.h"
#include "client/wait.h"
#include "ipc/futex.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

constexpr ipc::Options kDefaultOptions = {
    .app_class = ipc::kNoClass,
    .reuse = 0,
    .keepalive = 0,
    .probe = 0,
    .keepalive_idle_ms = 7200 * 1000,  // RFC 1122 section 4.2.3.6
    .keepalive_interval_ms = 75 * 1000,
    .keepalive_count = 9,
    .weight = 0,
    .user_timeout_ms = 0,  // the stack's default
    .linger_ms = -1,
    .receive_buffer = 0,  // the ring's size
};

}  // namespace

const ipc::Options& DefaultOptions() { return kDefaultOptions; }

uint64_t ReceiveBufferOf(const nc_socket* socket, const ipc::Options& options) {
  const uint64_t ring = socket->receive_ring.size;
  return options.receive_buffer == 0 ? ring : std::min<uint64_t>(options.receive_buffer, ring);
}

// The step never grows: a window that may be larger from now on grows only as the stack learns what
// has been read.
void KeepOptions(nc_socket* socket, const ipc::Options& options) {
  ipc::SocketClient* client = socket->client;
  client->options = options;
  const uint64_t step = ReceiveBufferOf(socket, options) / 8;
  if (step < client->announce_step.load(std::memory_order_relaxed)) {
    client->announce_step.store(step, std::memory_order_relaxed);
  }
}

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
  const uint32_t shut = socket->shut();
  const uint64_t received = slot->received.load(std::memory_order_acquire);
  const bool readable =
      ipc::IsReadable(flags, received, slot->consumed.load(std::memory_order_relaxed));
  const unsigned failed = slot->error.load(std::memory_order_acquire) != 0 ? NC_FAILED : 0;
  if ((flags & ipc::kFlagDetached) != 0) return failed | NC_READ | NC_WRITE | NC_HANGUP | NC_RDHUP;
  switch (ipc::StateOf(flags)) {
    case ipc::SlotState::kIdle:
    case ipc::SlotState::kBound:  // as tcp_poll() of Linux has it
      return failed | NC_WRITE | NC_HANGUP;
    case ipc::SlotState::kConnecting:
      return failed;
    case ipc::SlotState::kListening:
      return failed | (readable ? NC_READ : 0);
    case ipc::SlotState::kClosed:
      return failed | NC_READ | NC_WRITE | NC_HANGUP | NC_RDHUP;
    case ipc::SlotState::kConnected:
      break;
  }
  const bool input_over = ipc::PeerFin(flags) || (shut & kShutRead) != 0;
  const bool output_over = (shut & kShutWrite) != 0;
  const uint64_t limit = socket->client->send_limit.load(std::memory_order_relaxed);
  const uint64_t room = ipc::WriteRoom(slot->written.load(std::memory_order_relaxed),
                                       slot->acknowledged.load(std::memory_order_acquire), limit);
  unsigned ready = failed;
  if (readable || input_over) ready |= NC_READ;
  if (input_over) ready |= NC_RDHUP;
  if (output_over || ipc::IsWritable(room, limit)) ready |= NC_WRITE;
  if (input_over && output_over) ready |= NC_HANGUP;
  return ready;
}

bool AwaitRoomLocked(nc_socket* socket) {
  ipc::SocketSlot* slot = socket->slot;
  const uint64_t written = slot->written.load(std::memory_order_relaxed);
  const uint64_t room_at =
      ipc::RoomAt(written, socket->client->send_limit.load(std::memory_order_relaxed));
  if (slot->room_at.load(std::memory_order_acquire) != room_at) {
    slot->room_at.store(room_at, std::memory_order_seq_cst);
    ipc::FullFence();
  }
  return !ipc::Reached(slot->acknowledged.load(std::memory_order_seq_cst), room_at);
}

bool AwaitRoom(nc_socket* socket) {
  const SharedLockGuard lock(&socket->client->send_lock);
  return AwaitRoomLocked(socket);
}

int Execute(nc_socket* socket, ipc::Op op, uint32_t argument) {
  ipc::CallRequest request;
  request.op = op;
  request.socket = socket->index;
  request.argument = argument;
  return socket->home->calls.Execute(request).error;
}

int Execute(nc_socket* socket, ipc::Op op, const ipc::Address& address) {
  ipc::CallRequest request;
  request.op = op;
  request.socket = socket->index;
  request.address = address;
  return socket->home->calls.Execute(request).error;
}

void CloseSlot(Attachment* home, uint32_t index) {
  ipc::CallRequest close;
  close.op = ipc::Op::kClose;
  close.socket = index;
  // An embedded stack has closed it on return; the daemon, which is another process, needs a switch
  // there and back to say so.
  if (home->shareable()) {
    home->calls.Post(close);
  } else {
    home->calls.Execute(close);
  }
}

void StartLife(nc_socket* socket, nc_socket* listener, bool nonblocking) {
  ipc::SocketClient* client = socket->client;
  ipc::Options options = kDefaultOptions;
  uint32_t nodelay = 0;
  if (listener != nullptr) {
    const SharedLockGuard lock(&listener->client->options_lock);
    options = listener->client->options;
    nodelay = listener->client->nodelay;
  }
  for (ipc::SharedLock* lock : {&client->send_lock, &client->receive_lock, &client->options_lock}) {
    lock->owner.store(0, std::memory_order_relaxed);
    lock->waiting.store(0, std::memory_order_relaxed);
    lock->helpers.store(0, std::memory_order_relaxed);
  }
  client->acknowledged = client->received = client->announced = 0;
  client->flush_at.store(ipc::kNoFlush, std::memory_order_relaxed);
  client->send_limit.store(listener != nullptr
                               ? listener->client->send_limit.load(std::memory_order_relaxed)
                               : socket->send_ring.size,
                           std::memory_order_relaxed);
  client->shut.store(0, std::memory_order_relaxed);
  client->nonblocking.store(nonblocking ? 1 : 0, std::memory_order_relaxed);
  client->spin.store(
      listener != nullptr ? listener->client->spin.load(std::memory_order_relaxed) : 0,
      std::memory_order_relaxed);
  client->send_timeout_ms.store(0, std::memory_order_relaxed);
  client->receive_timeout_ms.store(0, std::memory_order_relaxed);
  client->anchored.store(0, std::memory_order_relaxed);
  client->born = socket->home->header->sharings.load(std::memory_order_relaxed);
  client->announce_step.store(kAnnounceStep, std::memory_order_relaxed);
  KeepOptions(socket, options);
  client->nodelay = nodelay;
  client->generation.fetch_add(1, std::memory_order_release);
}

void WakeOwnWaiters(nc_socket* socket) {
  socket->slot->event.fetch_add(1, std::memory_order_seq_cst);
  if (socket->slot->waiters.load(std::memory_order_seq_cst) != 0) {
    ipc::FutexWakeAll(socket->slot->event, ipc::FutexScope::kShared);
  }
  RecheckInSets(socket);
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

int LingerTime(nc_socket* socket) {
  // Another process may hold it, and then this is not the end of it.
  const uint32_t sharings = socket->home->header->sharings.load(std::memory_order_relaxed);
  if (sharings != socket->client->born) return -1;
  const SharedLockGuard lock(&socket->client->options_lock);
  return socket->client->options.linger_ms;
}

// The virtual socket ends with its descriptor; one that has none is only ours.
void GiveUp(nc_socket* socket) {
  if (socket->anchor < 0) {
    // In a forked child, one that could not get a descriptor is the parent's.
    if (socket->home->own()) CloseSlot(socket->home.get(), socket->index);
  } else if (socket->owns_anchor) {
    close(socket->anchor);
  }
}

}  // namespace
}  // namespace netchannel

nc_socket::nc_socket(nc_stack* from, std::shared_ptr<netchannel::Attachment> region,
                     uint32_t its_index)
    : origin(from),
      home(std::move(region)),
      slot(home->region.slot(its_index)),
      client(home->region.client(its_index)),
      index(its_index),
      short_copy(std::min(netchannel::kCopyStep, home->longest_unsplit())),
      send_ring(home->region.send_ring(its_index)),
      receive_ring(home->region.receive_ring(its_index)) {
  using netchannel::ipc::RingPages;
  // Who takes a stream over has missed what came before: that comes by touching, not all at once.
  send_pages = RingPages(std::max(RingPages::kByTouch, slot->written.load()));
  receive_pages = RingPages(home->shareable() ? std::max(RingPages::kByTouch, slot->consumed.load())
                                              : RingPages::kAll);
  std::atomic<uint32_t>& seen = home->header->slots_seen;
  for (uint32_t known = seen.load(std::memory_order_relaxed);
       known <= index && !seen.compare_exchange_weak(known, index + 1);) {
  }
}

void nc_socket::Register() {
  netchannel::Process& process = netchannel::Process::Get();
  const std::lock_guard lock(process.mutex());
  process.sockets.insert(this);
}

void nc_socket::Unregister() {
  netchannel::Process& process = netchannel::Process::Get();
  const std::lock_guard lock(process.mutex());
  process.sockets.erase(this);
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
  auto home = stack->Home();
  if (home == nullptr) return nullptr;
  const auto created = home->calls.Execute({});
  if (created.error != 0 || created.socket >= home->region.socket_count()) {
    Fail(created.error != 0 ? created.error : EIO);
    return nullptr;
  }
  auto* socket = new (std::nothrow) nc_socket(stack, home, created.socket);
  if (socket == nullptr) {
    netchannel::CloseSlot(home.get(), created.socket);
    Fail(ENOMEM);
    return nullptr;
  }
  netchannel::StartLife(socket, nullptr, (flags & SOCK_NONBLOCK) != 0);
  socket->Register();
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
  std::atomic<uint32_t>& shut = socket->client->shut;
  // Under the sender's lock: nothing is written behind the end of the stream.
  netchannel::Lock(&socket->client->send_lock);
  const uint32_t before = shut.fetch_or(directions, std::memory_order_relaxed);
  netchannel::UnlockAndFence(&socket->client->send_lock);
  // The stack tells all who wait for the socket to look again.
  const int error = Execute(socket, netchannel::ipc::Op::kShutdown, directions);
  if (error != 0) {
    shut.fetch_and(before | ~directions, std::memory_order_relaxed);
    return Fail(error);
  }
  return 0;
}

int nc_close(nc_socket* socket) {
  netchannel::LeaveSets(socket);
  const int linger_ms = netchannel::LingerTime(socket);
  if (linger_ms > 0) netchannel::Linger(socket, linger_ms);
  socket->Unregister();
  netchannel::GiveUp(socket);
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

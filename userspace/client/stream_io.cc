// SPDX-License-Identifier: Apache-2.0
//
// Sending and receiving. Each direction has two forms: a short one for a plain buffer that needs no
// waiting (two locked instructions, one copy, one store), and the whole of POSIX for everything
// else.
//
// No lock is held while waiting, so a non-blocking call never blocks behind a blocked one; the
// bytes of two large sends by two threads may therefore interleave, as POSIX allows for streams.
#include <errno.h>

#include <algorithm>
#include <optional>

#include "client/io_cursor.h"
#include "client/socket.h"
#include "client/wait.h"
#include "ipc/fence.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE;
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL;

bool IsNonblocking(const nc_socket* socket, int flags) {
  return (flags & MSG_DONTWAIT) != 0 || socket->nonblocking.load(std::memory_order_relaxed);
}

// Room in the send buffer; reads the stack's position only when its own copy does not show
// `wanted`. Precondition: the sender's lock.
uint64_t SendRoom(nc_socket* socket, uint64_t wanted) {
  SendSide& side = socket->sending;
  const uint64_t limit = socket->send_limit.load(std::memory_order_relaxed);
  uint64_t room = ipc::WriteRoom(side.written, side.acknowledged, limit);
  if (room < wanted) {
    side.acknowledged = socket->slot->acknowledged.load(std::memory_order_acquire);
    room = ipc::WriteRoom(side.written, side.acknowledged, limit);
  }
  return room;
}

// Precondition: the sender's lock.
bool CanSend(nc_socket* socket) {
  return ipc::StateOf(socket->Flags()) == ipc::SlotState::kConnected &&
         (socket->shut.load(std::memory_order_relaxed) & kShutWrite) == 0;
}

// Why CanSend is false. EAGAIN: not yet connected.
int SendError(nc_socket* socket) {
  if ((socket->shut.load(std::memory_order_relaxed) & kShutWrite) != 0) return EPIPE;
  switch (ipc::StateOf(socket->Flags())) {
    case ipc::SlotState::kConnected:
    case ipc::SlotState::kConnecting:
      return EAGAIN;
    case ipc::SlotState::kClosed: {
      const int error = TakeError(socket);
      return error != 0 ? error : EPIPE;
    }
    default:
      return ENOTCONN;
  }
}

// Copies `length` bytes in steps, announcing each. Precondition: the sender's lock, and the room.
void Append(nc_socket* socket, IoCursor* from, uint64_t length) {
  SendSide& side = socket->sending;
  while (length > 0) {
    const uint64_t step = std::min(length, kCopyStep);
    from->CopyTo(socket->send_ring, side.written, step);
    side.written += step;
    length -= step;
    socket->slot->written.store(side.written, std::memory_order_release);
    ipc::FullFence();
    socket->Announce();
  }
}

// How a wait changes an operation: nothing when ready, else what to return.
std::optional<ssize_t> Ended(WaitResult result, ssize_t done) {
  if (result == WaitResult::kReady) return std::nullopt;
  if (done > 0) return done;
  return Fail(result == WaitResult::kTimedOut ? EAGAIN : EINTR);
}

ssize_t WouldBlock(nc_socket* socket, ssize_t done) {
  // An application that polls without waiting lets the stack run on its own time.
  socket->stack->link->Wake();
  return done > 0 ? done : Fail(EAGAIN);
}

ssize_t SendParts(nc_socket* socket, IoCursor cursor, int flags) {
  const Time deadline = DeadlineAfter(socket->send_timeout_ms.load(std::memory_order_relaxed));
  ssize_t done = 0;
  for (;;) {
    socket->sending.lock.Lock();
    const bool open = CanSend(socket);
    if (open) {
      const uint64_t length = std::min(cursor.remaining(), SendRoom(socket, cursor.remaining()));
      Append(socket, &cursor, length);
      done += static_cast<ssize_t>(length);
    }
    socket->sending.lock.UnlockAndFence();
    if (!open) {
      if (done > 0) return done;  // the error is for the next call
      if (const int error = SendError(socket); error != EAGAIN) return Fail(error);
    } else if (cursor.remaining() == 0) {
      return done;
    }
    if (IsNonblocking(socket, flags)) return WouldBlock(socket, done);
    const uint64_t batch = socket->send_limit.load(std::memory_order_relaxed) / 4;
    if (const auto end = Ended(WaitFor(socket, Condition::kWritable, batch, deadline), done)) {
      return *end;
    }
  }
}

// Tells how far the reader is. Precondition: the receiver's lock.
void PublishConsumed(nc_socket* socket) {
  ReceiveSide& side = socket->receiving;
  socket->slot->consumed.store(side.consumed, std::memory_order_release);
  if (side.consumed - side.announced < socket->consumed_threshold) return;
  side.announced = side.consumed;
  ipc::FullFence();
  socket->Announce();
}

// Bytes to read; reads the stack's position only when its own copy does not show `wanted`.
// Precondition: the receiver's lock.
uint64_t Available(nc_socket* socket, uint64_t wanted) {
  ReceiveSide& side = socket->receiving;
  if (side.received - side.consumed < wanted) {
    side.received = socket->slot->received.load(std::memory_order_acquire);
  }
  return side.received - side.consumed;
}

// Precondition: the receiver's lock, and the bytes.
void Consume(nc_socket* socket, IoCursor* to, uint64_t length) {
  ReceiveSide& side = socket->receiving;
  while (length > 0) {
    const uint64_t step = std::min(length, kCopyStep);
    to->CopyFrom(socket->receive_ring, side.consumed, step);
    side.consumed += step;
    length -= step;
    PublishConsumed(socket);
  }
}

// A listener's ring holds connections, not bytes.
bool CarriesBytes(uint32_t flags) { return ipc::StateOf(flags) != ipc::SlotState::kListening; }

// Nothing is there to read, as seen with `flags`: does anything come still? Nothing: yes. Else the
// result.
std::optional<ssize_t> EndOfInput(nc_socket* socket, uint32_t flags, ssize_t done) {
  if (ipc::PeerFin(flags) || (socket->shut.load(std::memory_order_relaxed) & kShutRead) != 0) {
    return done;
  }
  switch (ipc::StateOf(flags)) {
    case ipc::SlotState::kConnected:
    case ipc::SlotState::kConnecting:
      return std::nullopt;
    case ipc::SlotState::kClosed: {
      if (done > 0) return done;
      const int error = TakeError(socket);
      return error != 0 ? Fail(error) : 0;
    }
    default:
      return Fail(ENOTCONN);
  }
}

ssize_t Peek(nc_socket* socket, IoCursor cursor, int flags) {
  const Time deadline = DeadlineAfter(socket->receive_timeout_ms.load(std::memory_order_relaxed));
  const uint64_t most = std::min(cursor.remaining(), socket->receive_ring.size);
  const bool nonblocking = IsNonblocking(socket, flags);
  const uint64_t wanted = (flags & MSG_WAITALL) != 0 && !nonblocking ? most : 1;
  for (;;) {
    const uint32_t state = socket->Flags();
    if (!CarriesBytes(state)) return Fail(ENOTCONN);
    socket->receiving.lock.Lock();
    const uint64_t length = std::min(Available(socket, most), most);
    const auto end = length < wanted ? EndOfInput(socket, state, static_cast<ssize_t>(length))
                                     : std::optional<ssize_t>(static_cast<ssize_t>(length));
    if (end && *end > 0) {
      cursor.CopyFrom(socket->receive_ring, socket->receiving.consumed,
                      static_cast<uint64_t>(*end));
    }
    socket->receiving.lock.UnlockAndFence();
    if (end) return *end;
    if (nonblocking) return WouldBlock(socket, 0);
    if (const auto over = Ended(WaitFor(socket, Condition::kReadable, wanted, deadline), 0)) {
      return *over;
    }
  }
}

ssize_t ReceiveParts(nc_socket* socket, IoCursor cursor, int flags) {
  if (cursor.remaining() == 0) return 0;
  if ((flags & MSG_PEEK) != 0) return Peek(socket, cursor, flags);
  const Time deadline = DeadlineAfter(socket->receive_timeout_ms.load(std::memory_order_relaxed));
  ssize_t done = 0;
  for (;;) {
    // Before the position: who sees the end of the stream sees all bytes before it.
    const uint32_t state = socket->Flags();
    if (!CarriesBytes(state)) return Fail(ENOTCONN);
    socket->receiving.lock.Lock();
    const uint64_t length = std::min(cursor.remaining(), Available(socket, cursor.remaining()));
    Consume(socket, &cursor, length);
    done += static_cast<ssize_t>(length);
    socket->receiving.lock.UnlockAndFence();
    if (cursor.remaining() == 0 || (done > 0 && (flags & MSG_WAITALL) == 0)) return done;
    if (length == 0) {
      if (const auto end = EndOfInput(socket, state, done)) return *end;
    }
    if (IsNonblocking(socket, flags)) return WouldBlock(socket, done);
    if (const auto end = Ended(WaitFor(socket, Condition::kReadable, 1, deadline), done))
      return *end;
  }
}

}  // namespace
}  // namespace netchannel

using netchannel::Fail;
using netchannel::IoCursor;

extern "C" {

ssize_t nc_send(nc_socket* socket, const void* data, size_t length, int flags) {
  if ((flags & ~netchannel::kSendFlags) != 0) return Fail(EOPNOTSUPP);
  netchannel::SendSide& side = socket->sending;
  if (length != 0 && length <= netchannel::kCopyStep) {
    side.lock.Lock();
    const bool fits = netchannel::CanSend(socket) && netchannel::SendRoom(socket, length) >= length;
    if (fits) {
      socket->send_ring.CopyIn(side.written, {static_cast<const std::byte*>(data), length});
      side.written += length;
      socket->slot->written.store(side.written, std::memory_order_release);
    }
    side.lock.UnlockAndFence();
    if (fits) {
      socket->Announce();
      return static_cast<ssize_t>(length);
    }
  }
  const iovec part = {const_cast<void*>(data), length};
  if (!IoCursor::Check(&part, 1)) return Fail(EINVAL);
  return netchannel::SendParts(socket, IoCursor(&part, 1), flags);
}

ssize_t nc_recv(nc_socket* socket, void* data, size_t length, int flags) {
  if ((flags & ~netchannel::kReceiveFlags) != 0) return Fail(EOPNOTSUPP);
  netchannel::ReceiveSide& side = socket->receiving;
  if (length != 0 && length <= netchannel::kCopyStep && (flags & (MSG_PEEK | MSG_WAITALL)) == 0) {
    side.lock.Lock();
    const uint64_t ready = std::min<uint64_t>(netchannel::Available(socket, length), length);
    const bool fits = ready > 0 && netchannel::CarriesBytes(socket->Flags());
    if (fits) {
      socket->receive_ring.CopyOut(side.consumed,
                                   {static_cast<std::byte*>(data), static_cast<size_t>(ready)});
      side.consumed += ready;
      netchannel::PublishConsumed(socket);
    }
    side.lock.UnlockAndFence();
    if (fits) return static_cast<ssize_t>(ready);
  }
  const iovec part = {data, length};
  if (!IoCursor::Check(&part, 1)) return Fail(EINVAL);
  return netchannel::ReceiveParts(socket, IoCursor(&part, 1), flags);
}

ssize_t nc_sendv(nc_socket* socket, const struct iovec* parts, int count, int flags) {
  if ((flags & ~netchannel::kSendFlags) != 0) return Fail(EOPNOTSUPP);
  if (!IoCursor::Check(parts, count)) return Fail(EINVAL);
  return netchannel::SendParts(socket, IoCursor(parts, count), flags);
}

ssize_t nc_recvv(nc_socket* socket, const struct iovec* parts, int count, int flags) {
  if ((flags & ~netchannel::kReceiveFlags) != 0) return Fail(EOPNOTSUPP);
  if (!IoCursor::Check(parts, count)) return Fail(EINVAL);
  return netchannel::ReceiveParts(socket, IoCursor(parts, count), flags);
}

}  // extern "C"

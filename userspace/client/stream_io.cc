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

#include "base/sanitizers.h"
#include "client/io_cursor.h"
#include "client/socket.h"
#include "client/split_copy.h"
#include "client/stream_positions.h"
#include "client/wait.h"
#include "ipc/fence.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE;
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL;

// The copies of the stack's positions may have been brought up to date by another process that
// holds the socket. The thread sanitizer knows nothing of its reading: there each reads for itself.
#ifdef NC_THREAD_SANITIZER
constexpr bool kTrustCopies = false;
#else
constexpr bool kTrustCopies = true;
#endif

bool IsNonblocking(const nc_socket* socket, int flags) {
  return (flags & MSG_DONTWAIT) != 0 || socket->nonblocking();
}

// Room in the send buffer; reads the stack's position only when its own copy does not show
// `wanted`. Precondition: the sender's lock.
uint64_t SendRoom(nc_socket* socket, uint64_t written, uint64_t wanted) {
  ipc::SocketClient* client = socket->client;
  const uint64_t limit = client->send_limit.load(std::memory_order_relaxed);
  uint64_t room = ipc::WriteRoom(written, client->acknowledged, limit);
  if (room < wanted || !kTrustCopies) {
    client->acknowledged = socket->slot->acknowledged.load(std::memory_order_acquire);
    room = ipc::WriteRoom(written, client->acknowledged, limit);
  }
  return room;
}

// Precondition: the sender's lock.
bool CanSend(nc_socket* socket) {
  return ipc::StateOf(socket->Flags()) == ipc::SlotState::kConnected &&
         (socket->shut() & kShutWrite) == 0;
}

// Why CanSend is false. EAGAIN: not yet connected.
int SendError(nc_socket* socket) {
  if ((socket->shut() & kShutWrite) != 0) return EPIPE;
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
  uint64_t written = Written(socket);
  while (length > 0) {
    const uint64_t step = std::min(length, kCopyStep);
    socket->send_pages.Reach(socket->send_ring, written + step);
    from->CopyTo(socket->send_ring, written, step);
    written += step;
    length -= step;
    PublishWritten(socket, written);
  }
}

// A call's bytes on their way.
struct Transfer {
  IoCursor cursor;
  Copiers copiers;
  ssize_t done = 0;
  bool fault = false;  // the program's buffer is not there

  // What the call returns when nothing more is to be had: an error is for the next call.
  ssize_t Result(int error) const { return done > 0 ? done : Fail(error); }
};

// Sends what there is room for. True: look again at once, for room has come meanwhile.
// Precondition: the sender's lock.
bool AppendSome(nc_socket* socket, Transfer* transfer) {
  IoCursor* const from = &transfer->cursor;
  SplitCopy copied;
  copied.bytes = std::min(from->remaining(), SendRoom(socket, Written(socket), from->remaining()));
  if (transfer->copiers.Split(socket, copied.bytes)) {
    copied = AppendSplit(socket, transfer->copiers, from, copied.bytes);
  } else {
    Append(socket, from, copied.bytes);
  }
  transfer->done += static_cast<ssize_t>(copied.bytes);
  transfer->fault = copied.fault;
  return !copied.fault && from->remaining() > 0 && !AwaitRoomLocked(socket);
}

// How a wait changes an operation: nothing when ready, else what to return.
std::optional<ssize_t> Ended(WaitResult result, ssize_t done) {
  if (result == WaitResult::kReady) return std::nullopt;
  if (done > 0) return done;
  return Fail(result == WaitResult::kTimedOut ? EAGAIN : EINTR);
}

ssize_t WouldBlock(nc_socket* socket, ssize_t done) {
  // An application that polls without waiting lets the stack run on its own time.
  socket->home->link->Wake();
  return done > 0 ? done : Fail(EAGAIN);
}

ssize_t SendParts(nc_socket* socket, const IoCursor& cursor, int flags) {
  ipc::SocketClient* client = socket->client;
  Transfer transfer{cursor, CopiersFor(socket, cursor, IsNonblocking(socket, flags))};
  const Time deadline = DeadlineAfter(client->send_timeout_ms.load(std::memory_order_relaxed));
  for (;;) {
    Lock(&client->send_lock);
    const bool open = CanSend(socket);
    const bool again = open && AppendSome(socket, &transfer);
    UnlockAndFence(&client->send_lock);
    if (transfer.fault) return transfer.Result(EFAULT);
    if (!open) {
      if (transfer.done > 0) return transfer.done;  // the error is for the next call
      if (const int error = SendError(socket); error != EAGAIN) return Fail(error);
    } else if (transfer.cursor.remaining() == 0) {
      return transfer.done;
    }
    if (again) continue;
    if (IsNonblocking(socket, flags)) return WouldBlock(socket, transfer.done);
    const uint64_t batch = client->send_limit.load(std::memory_order_relaxed) / 4;
    if (const auto end =
            Ended(WaitFor(socket, Condition::kWritable, batch, deadline), transfer.done)) {
      return *end;
    }
  }
}

// Bytes to read; reads the stack's position only when its own copy does not show `wanted`.
// Precondition: the receiver's lock.
uint64_t Available(nc_socket* socket, uint64_t consumed, uint64_t wanted) {
  ipc::SocketClient* client = socket->client;
  // A process that died here may have left a copy that is older than what it has consumed.
  if (!ipc::Reached(client->received, consumed + wanted) || !kTrustCopies) {
    client->received = socket->slot->received.load(std::memory_order_acquire);
  }
  return client->received - consumed;
}

// Precondition: the receiver's lock, and the bytes.
void Consume(nc_socket* socket, IoCursor* to, uint64_t consumed, uint64_t length) {
  while (length > 0) {
    const uint64_t step = std::min(length, kCopyStep);
    socket->receive_pages.Reach(socket->receive_ring, consumed + step);
    to->CopyFrom(socket->receive_ring, consumed, step);
    consumed += step;
    length -= step;
    PublishConsumed(socket, consumed);
  }
}

// Receives what is there; how much. Precondition: the receiver's lock.
uint64_t ConsumeSome(nc_socket* socket, Transfer* transfer) {
  IoCursor* const to = &transfer->cursor;
  const uint64_t consumed = Consumed(socket);
  SplitCopy copied;
  copied.bytes = std::min(to->remaining(), Available(socket, consumed, to->remaining()));
  if (transfer->copiers.Split(socket, copied.bytes)) {
    copied = ConsumeSplit(socket, transfer->copiers, to, copied.bytes);
  } else {
    Consume(socket, to, consumed, copied.bytes);
  }
  transfer->done += static_cast<ssize_t>(copied.bytes);
  transfer->fault = copied.fault;
  return copied.bytes;
}

// A listener's ring holds connections, not bytes.
bool CarriesBytes(uint32_t flags) { return ipc::StateOf(flags) != ipc::SlotState::kListening; }

// Nothing is there to read, as seen with `flags`: does anything come still? Nothing: yes. Else the
// result.
std::optional<ssize_t> EndOfInput(nc_socket* socket, uint32_t flags, ssize_t done) {
  if (ipc::PeerFin(flags) || (socket->shut() & kShutRead) != 0) {
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
  ipc::SocketClient* client = socket->client;
  const Time deadline = DeadlineAfter(client->receive_timeout_ms.load(std::memory_order_relaxed));
  const uint64_t most = std::min(cursor.remaining(), socket->receive_ring.size);
  const bool nonblocking = IsNonblocking(socket, flags);
  const uint64_t wanted = (flags & MSG_WAITALL) != 0 && !nonblocking ? most : 1;
  for (;;) {
    const uint32_t state = socket->Flags();
    if (!CarriesBytes(state)) return Fail(ENOTCONN);
    Lock(&client->receive_lock);
    const uint64_t consumed = Consumed(socket);
    const uint64_t length = std::min(Available(socket, consumed, most), most);
    const auto end = length < wanted ? EndOfInput(socket, state, static_cast<ssize_t>(length))
                                     : std::optional<ssize_t>(static_cast<ssize_t>(length));
    if (end && *end > 0) {
      cursor.CopyFrom(socket->receive_ring, consumed, static_cast<uint64_t>(*end));
    }
    UnlockAndFence(&client->receive_lock);
    if (end) return *end;
    if (nonblocking) return WouldBlock(socket, 0);
    if (const auto over = Ended(WaitFor(socket, Condition::kReadable, wanted, deadline), 0)) {
      return *over;
    }
  }
}

ssize_t ReceiveParts(nc_socket* socket, const IoCursor& cursor, int flags) {
  if (cursor.remaining() == 0) return 0;
  if ((flags & MSG_PEEK) != 0) return Peek(socket, cursor, flags);
  ipc::SocketClient* client = socket->client;
  const Time deadline = DeadlineAfter(client->receive_timeout_ms.load(std::memory_order_relaxed));
  Transfer transfer{cursor, CopiersFor(socket, cursor, IsNonblocking(socket, flags))};
  for (;;) {
    // Before the position: who sees the end of the stream sees all bytes before it.
    const uint32_t state = socket->Flags();
    if (!CarriesBytes(state)) return Fail(ENOTCONN);
    Lock(&client->receive_lock);
    const uint64_t length = ConsumeSome(socket, &transfer);
    UnlockAndFence(&client->receive_lock);
    const ssize_t done = transfer.done;
    if (transfer.fault) return transfer.Result(EFAULT);
    if (transfer.cursor.remaining() == 0 || (done > 0 && (flags & MSG_WAITALL) == 0)) return done;
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
  if (length != 0 && length <= socket->short_copy) {
    netchannel::ipc::SharedLock* const lock = &socket->client->send_lock;
    netchannel::Lock(lock);
    const uint64_t written = netchannel::Written(socket);
    const bool fits =
        netchannel::CanSend(socket) && netchannel::SendRoom(socket, written, length) >= length;
    if (fits) {
      socket->send_pages.Reach(socket->send_ring, written + length);
      socket->send_ring.CopyIn(written, {static_cast<const std::byte*>(data), length});
      socket->slot->written.store(written + length, std::memory_order_release);
    }
    netchannel::UnlockAndFence(lock);
    if (fits) {
      socket->AnnounceWritten(written + length);
      return static_cast<ssize_t>(length);
    }
  }
  const iovec part = {const_cast<void*>(data), length};
  if (!IoCursor::Check(&part, 1)) return Fail(EINVAL);
  return netchannel::SendParts(socket, IoCursor(&part, 1), flags);
}

ssize_t nc_recv(nc_socket* socket, void* data, size_t length, int flags) {
  if ((flags & ~netchannel::kReceiveFlags) != 0) return Fail(EOPNOTSUPP);
  if (length != 0 && length <= socket->short_copy && (flags & (MSG_PEEK | MSG_WAITALL)) == 0) {
    netchannel::ipc::SharedLock* const lock = &socket->client->receive_lock;
    netchannel::Lock(lock);
    const uint64_t consumed = netchannel::Consumed(socket);
    const uint64_t ready =
        std::min<uint64_t>(netchannel::Available(socket, consumed, length), length);
    const bool fits = ready > 0 && netchannel::CarriesBytes(socket->Flags());
    if (fits) {
      socket->receive_pages.Reach(socket->receive_ring, consumed + ready);
      socket->receive_ring.CopyOut(consumed,
                                   {static_cast<std::byte*>(data), static_cast<size_t>(ready)});
      netchannel::PublishConsumed(socket, consumed + ready);
    }
    netchannel::UnlockAndFence(lock);
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

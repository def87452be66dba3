// SPDX-License-Identifier: Apache-2.0
//
// One virtual socket: what the application holds, and the stream behind it. The two have lives of
// their own: an application may hold a socket whose stream has ended (to read what is left, or the
// error), and a stream may outlive its application's interest (to deliver what was written before
// close(); to tell the peer of a reset). The socket's memory is free when neither is left.
//
//   application   kIdle -> kBound -> kListening
//                   \--------\--> kConnecting -> kConnected -> kClosed     (`held` until Close)
//   stream        kNone -> kWaitSession -> kOpening -> kEstablished -> kNone (both FINs done, or
//   reset by peer)             |        kWaitRoom <-/         |
//                                \------------\-------------\-> kResetting -> kNone (acknowledged)
//
// Plain state: the classes beside it (stream_opening, stream_sending, ...) act on it, each for one
// concern. Owner: SocketTable. Memory: kMaxIdleBytes and nothing on the heap while idle; listeners
// add a Listener.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/intrusive_list.h"
#include "base/stream.h"
#include "base/timer_wheel.h"
#include "base/units.h"
#include "vns/keepalive.h"
#include "vns/port_table.h"
#include "vns/receive_buffer.h"
#include "vns/send_buffer.h"
#include "vns/socket_class.h"
#include "vns/socket_layer.h"

namespace netchannel {

enum class StreamState : uint8_t {
  kNone,
  kWaitSession,  // connect() was called, the session is not up yet
  kOpening,      // OPEN is on its way, no ACCEPT yet
  kWaitRoom,     // the listener's queue was full: OPEN goes again after a while
  kEstablished,
  kResetting,  // RESET is on its way; nothing else of the stream is left
};

// Control facts that the peer must still be told, a bit each.
enum ControlBits : uint8_t { kTellOpen = 1, kTellAccept = 2, kTellWindow = 4, kTellReset = 8 };

struct Listener;

inline PortSharing SharingOf(const SocketOptions& options) {
  return {.reuse = options.reuse_address, .share_group = options.share_group};
}

struct VirtualSocket {
  VirtualSocket();
  ~VirtualSocket();

  SocketId id = 0;
  uint32_t owner = 0;
  bool in_use = false;
  bool held = false;        // by an application, or by a listener's queue on its behalf
  bool in_backlog = false;  // held by a listener's queue
  bool has_buffers = false;
  bool opener = false;  // of the stream; else the acceptor
  bool read_shut = false;
  bool reset_when_drained = false;  // closed with data unread: our bytes first, then RESET
  bool tuple_held = false;          // {hold.port, peer} in the port table
  uint8_t control = 0;              // ControlBits
  uint8_t refusals = 0;             // times that the listener's queue was full
  SocketState state = SocketState::kIdle;
  StreamState stream_state = StreamState::kNone;
  int error = 0;

  PortHold hold;
  wire::IpAddress local_address;  // as bound; of a connection, the own one in the peer's family
  wire::IpEndpoint peer;
  SessionHandle session;  // valid unless stream_state is kNone
  StreamHandle stream;    // valid in kOpening, kEstablished and kResetting
  StreamId stream_id = 0;

  SocketBuffers buffers;
  SendBuffer send;
  ReceiveBuffer receive;
  SocketOptions options;
  Keepalive keepalive;
  SocketClass traffic_class;
  SocketView view;  // made from the above when it is asked for

  Time progress_at;  // last time the peer acknowledged something, or waiting for it began
  Timer timer{this};

  ListLink<VirtualSocket> changed_link;
  ListLink<VirtualSocket> control_link;
  ListLink<VirtualSocket> session_link;
  ListLink<VirtualSocket> backlog_link;
  std::unique_ptr<Listener> listener;  // kListening only

  bool orphan() const { return !held && stream_state != StreamState::kResetting; }
  bool connecting() const {
    return stream_state == StreamState::kWaitSession || stream_state == StreamState::kOpening ||
           stream_state == StreamState::kWaitRoom;
  }
  // OPEN goes in front of data, so that data is never earlier than its OPEN.
  bool needs_open() const { return stream_state == StreamState::kOpening; }
  const SocketView& RefreshView();
};
inline constexpr size_t kMaxIdleBytes = 696;
static_assert(sizeof(VirtualSocket) <= kMaxIdleBytes);

// The connections that wait for accept(), oldest first.
struct Listener {
  IntrusiveList<VirtualSocket, &VirtualSocket::backlog_link> waiting;
  uint32_t backlog = 1;
  bool full() const { return waiting.size() >= backlog; }
};
// POSIX lets the system bound it; this is Linux's SOMAXCONN.
inline constexpr uint32_t kMaxBacklog = 4096;

// Bytes that an opener may send before it has the ACCEPT: each acceptor has room for them. About
// TCP's initial window (RFC 6928).
inline constexpr ByteCount kEarlyDataLimit = 16 * 1024;

// The most that a peer may send ahead of the reader; the ring's size bounds it, too.
inline ByteCount MaxWindowOf(const SocketOptions& options) {
  if (options.receive_buffer == 0) return ~ByteCount{0};
  return std::max<ByteCount>(options.receive_buffer, kEarlyDataLimit);
}

}  // namespace netchannel

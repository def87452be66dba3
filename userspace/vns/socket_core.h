// SPDX-License-Identifier: Apache-2.0
//
// What all parts of the SocketLayer stand on: the tables and queues, and the few operations that
// keep them consistent with each other. Each concern (opening, sending, receiving, ending) is a
// class of its own on top of it, and reaches the others through the layer's composition, not
// through here.
//
// Invariants: a socket with a bound stream is in the stream table, in `by_slot_`, in the stream map
// and in its session's list; Bind/Unbind and Join/Leave are the only ones that change these.
// Thread: one at a time. Errors: errno values.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/intrusive_list.h"
#include "base/rng.h"
#include "base/timer_wheel.h"
#include "netdriver/session_port.h"
#include "netdriver/stream_table.h"
#include "netscheduler/scheduler.h"
#include "vns/port_table.h"
#include "vns/session_streams.h"
#include "vns/socket_layer.h"
#include "vns/socket_table.h"
#include "vns/status.h"
#include "vns/stream_map.h"
#include "vns/virtual_socket.h"
#include "wire/packet_layout.h"

namespace netchannel {

class SocketCore {
 public:
  SocketCore(const SocketLayerConfig& layer_config, SessionPort* session_port,
             Scheduler* flow_scheduler, StreamTable* stream_table, BufferPool* buffer_pool,
             Rng* rng);
  ~SocketCore();

  // The application's view has changed.
  void MarkChanged(VirtualSocket& socket);
  // The peer must be told.
  void AddControl(VirtualSocket& socket, uint8_t bits);
  void RemoveControl(VirtualSocket& socket);
  // The socket's class and weight may have changed: tells the scheduler, in mid-stream too.
  void RefreshClass(VirtualSocket& socket);
  // Tells the scheduler what may go.
  void RefreshReady(VirtualSocket& socket);
  // Tells the peer a new receive limit, if it is worth a record.
  void RefreshWindow(VirtualSocket& socket);

  // The socket takes part in a session (keeps it open), with or without a stream yet.
  void Join(VirtualSocket& socket, SessionHandle session);
  // `session_lives`: false when the session itself is gone.
  void Leave(Time now, VirtualSocket& socket, bool session_lives);
  // The socket gets a stream in the session it has joined. ENOBUFS when the stream table is full.
  int Bind(VirtualSocket& socket, StreamId id);
  void Unbind(VirtualSocket& socket);
  // The stream is over but for a RESET: what was enqueued of it before is forgotten.
  void Rebind(VirtualSocket& socket, wire::ResetCode code);

  bool AllocateBuffers(VirtualSocket& socket, uint32_t owner);
  void FreeBuffers(VirtualSocket& socket);
  void ReleaseNames(VirtualSocket& socket);  // its ports
  // Frees the socket if neither an application nor a stream is left. True when it is gone.
  bool ReleaseIfOver(VirtualSocket& socket);

  // Sets the timer to the socket's next deadline or keepalive, unless it fires before that anyway.
  void ArmTimer(VirtualSocket& socket);
  // When the socket fails for want of progress.
  Time DeadlineOf(const VirtualSocket& socket) const;
  // Asks after the peer when it is time to. False: it is gone, as far as this socket is concerned.
  bool KeepAlive(Time now, VirtualSocket& socket);

  // nullptr when the stream is over.
  VirtualSocket* SocketOf(StreamHandle stream);
  // Precondition: a flow of that number exists.
  VirtualSocket* SocketOfSlot(FlowId flow) const { return by_slot_[flow]; }
  StreamEntry& EntryOf(const VirtualSocket& socket) { return *streams->Find(socket.stream); }

  // For PollFallback, when the socket probes.
  void NoteFallback(const VirtualSocket& socket, const wire::IpEndpoint& peer, Absence why);

  std::vector<SocketStatus> List() const;

  // Between two rounds of the stack; what does not fit is missing in a log, and nowhere else.
  static constexpr size_t kMaxFallbacks = 256;

  // Since the peer's last sign, or since close(), an orphan waits this long (Linux's
  // tcp_fin_timeout).
  static constexpr Duration kOrphanTimeout = Duration::Seconds(60);

  const SocketLayerConfig config;
  SessionPort* const port;
  Scheduler* const scheduler;
  StreamTable* const streams;
  BufferPool* const pool;

  SocketTable sockets;
  SessionStreamsTable sessions;
  StreamMap stream_map;
  PortTable ports;
  TimerWheel timers;
  SocketStats stats;
  std::deque<Fallback> fallbacks;
  IntrusiveList<VirtualSocket, &VirtualSocket::changed_link> changed;
  IntrusiveList<VirtualSocket, &VirtualSocket::control_link> control;

 private:
  // When the peer was last heard of, if it matters to the socket.
  std::optional<Time> KeepaliveFrom(const VirtualSocket& socket) const;

  std::vector<VirtualSocket*> by_slot_;  // by StreamHandle::slot
};

}  // namespace netchannel

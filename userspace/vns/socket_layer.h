// SPDX-License-Identifier: Apache-2.0
//
// Virtual sockets: POSIX stream semantics over the sessions of one host. Pure state and memory
// copies: no clock, no syscalls, no shared-memory layout. What an application does arrives as
// calls; what the network does arrives as deliveries and driver events; what the application must
// learn is a change to poll.
//
// Each socket has a send ring and a receive ring (base/ring_view.h) given by a BufferPool. The
// application writes bytes into the send ring and says how far (OnWritten); the socket names them
// in segments, and frees them when acknowledged. Arriving bytes are placed at their offset in the
// receive ring; the socket says how far the stream is complete (SocketView::received), the
// application how far it has read (OnConsumed), which moves the advertised window. A peer that
// sends beyond the window breaks the protocol: its stream is reset.
//
// Opening takes one round trip; data may follow at once (each data segment carries its OPEN until
// the ACCEPT is here). FIN has its offset. Closing with everything sent waits for acknowledgement,
// in the background.
//
// Owner: the stack. Thread: the one that holds the host's lease. Errors: POSIX errno values (0:
// done). Memory: per socket bounded and small while idle; see vns/virtual_socket.h. Cost: nothing
// is scanned per poll.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "base/ring_view.h"
#include "base/rng.h"
#include "base/stream.h"
#include "base/units.h"
#include "netdriver/absence.h"
#include "netdriver/receive_rings.h"
#include "netdriver/session_port.h"
#include "netdriver/stream_table.h"
#include "netscheduler/scheduler.h"
#include "vns/keepalive.h"
#include "vns/socket_class.h"
#include "wire/address.h"

namespace netchannel {

using SocketId = uint32_t;  // index; stable from Create/accept until Close

struct SocketStats;  // vns/status.h
struct SocketStatus;

struct SocketBuffers {
  uint32_t slot = 0;  // the pool's own name
  RingView send;
  RingView receive;
};

// Where the rings of sockets come from: an IPC region, or a test's heap. `owner` is the
// application.
class BufferPool {
 public:
  virtual ~BufferPool() = default;
  virtual std::optional<SocketBuffers> Allocate(uint32_t owner) = 0;
  virtual void Free(uint32_t owner, const SocketBuffers& buffers) = 0;
};

enum class SocketState : uint8_t {
  kIdle,
  kBound,
  kListening,
  kConnecting,
  kConnected,
  kClosed,  // kClosed: `error` or orderly end, nothing more
};

// What an application may see of its socket; copied to it after each change.
struct SocketView {
  SocketState state = SocketState::kIdle;
  int error = 0;                  // errno of a connection that failed; sticky until read
  StreamOffset received = 0;      // bytes below it are complete in the receive ring
  StreamOffset acknowledged = 0;  // bytes below it may be overwritten in the send ring
  bool peer_fin = false;          // `received` is the end of the peer's stream
  AppClass app_class = AppClass::kThroughput;  // in force
  uint32_t accept_ready = 0;                   // kListening: connections that wait
  // `local` is what the socket is bound to, a wildcard included; once it connects, the own address
  // in the peer's family.
  wire::IpEndpoint local, peer;
};

// A probing connect that found no NetChannel: its application will go another way.
struct Fallback {
  uint32_t owner = 0;
  wire::IpEndpoint peer;
  Absence why = Absence::kSilent;
};

struct SocketOptions {
  std::optional<AppClass> app_class;  // nothing: see vns/socket_class.h
  uint8_t weight = 0;                 // 1..255, the share in its class; 0: likewise
  bool reuse_address = false;
  bool probe = false;  // connect() does not wait for a peer that may not speak NetChannel
  bool keepalive = false;
  bool linger = false;
  uint32_t share_group = 0;     // SO_REUSEPORT: the port is shared with those of the group; 0: off
  uint32_t receive_buffer = 0;  // bytes, the window's upper bound; 0: the ring's size
  KeepaliveTimes keepalive_times;
  Duration user_timeout = Duration::Zero();  // zero: the stack's default
  Duration linger_time = Duration::Zero();
};

struct SocketLayerConfig {
  wire::LocalAddresses addresses;
  uint16_t peer_base_port = 0;  // the peers' stacks listen here
  uint16_t ephemeral_first = 32768, ephemeral_last = 60999;
  uint32_t max_sockets = 16384;
  ByteCount initial_window =
      256 * 1024;  // advertised at open; grows to the ring's size while the reader keeps up
  Duration connect_timeout = Duration::Seconds(20);
  Duration default_user_timeout = Duration::Seconds(20);
  Duration time_wait =
      Duration::Millis(0);       // stream ids never repeat, so none is needed; see port_table.h
  bool automatic_class = false;  // by traffic, for sockets of which nobody has said it
};

class SocketLayer final : public ReceiveRings {
 public:
  SocketLayer(const SocketLayerConfig& config, SessionPort* port, Scheduler* scheduler,
              StreamTable* streams, BufferPool* pool, Rng* rng);
  ~SocketLayer() override;

  // Application's calls. All return an errno value; EINPROGRESS from Connect means that the change
  // comes.
  struct Created {
    int error;
    SocketId socket;
    SocketBuffers buffers;
  };
  Created Create(uint32_t owner);
  // 0.0.0.0 takes IPv4 peers only, :: those of both families.
  int Bind(SocketId socket, const wire::IpEndpoint& local);
  int Listen(SocketId socket, uint32_t backlog);
  // The oldest waiting connection; EAGAIN when none. The new socket's buffers belong to the
  // listener's owner.
  Created Accept(SocketId listener);
  // EPROTONOSUPPORT, now or as the change: there is no NetChannel at the peer
  // (netdriver/absence.h).
  int Connect(Time now, SocketId socket, const wire::IpEndpoint& peer);
  enum class Direction : uint8_t { kRead = 1, kWrite = 2, kBoth = 3 };
  int Shutdown(Time now, SocketId socket, Direction how);
  int SetOptions(SocketId socket, const SocketOptions& options);
  const SocketOptions* Options(SocketId socket) const;
  // What the configuration's rules and the map `peers` say of a socket; its own options win.
  void SetClassWishes(SocketId socket, const ClassWish& rule, const ClassWish& peers);
  // The application lets go. Unsent and unacknowledged bytes are still delivered (or the linger
  // rule holds); buffers return to the pool when that is done.
  void Close(Time now, SocketId socket);
  // All sockets of an application that died: aborted.
  void CloseAll(Time now, uint32_t owner);

  // The application wrote up to `tail` / has read up to `head`. Values outside the rings' rules are
  // the application's breach: EPROTO, nothing changes.
  int OnWritten(Time now, SocketId socket, StreamOffset tail);
  int OnConsumed(Time now, SocketId socket, StreamOffset head);

  // The network's side.
  std::optional<ReceiveRoom> RoomOf(SessionHandle session, StreamId stream) override;
  void OnDelivery(Time now, const Delivery& delivery);
  void OnDriverEvent(Time now, const DriverEvent& event);
  // Hands ready bytes to channels: at most `budget` segments. Returns how many.
  size_t Pump(Time now, size_t budget);
  void OnTimer(Time now);
  Time NextTimeout() const;

  // A socket whose view has changed since it was last returned, each once.
  std::optional<SocketId> PollChanged();
  // Connects of probing sockets that found no NetChannel, oldest first. At most kMaxFallbacks wait;
  // at the bound the oldest goes untold.
  std::optional<Fallback> PollFallback();
  // nullptr when there is no such socket. Valid until the socket's next change.
  const SocketView* View(SocketId socket) const;
  // The application saw `error`.
  void ClearError(SocketId socket);

  // The application and the pool's slot that a socket was created with. Sockets that their
  // application has closed have neither.
  std::optional<uint32_t> OwnerOf(SocketId socket) const;
  std::optional<uint32_t> SlotOf(SocketId socket) const;

  // For status output (vns/status.h); control plane, ListSockets walks all sockets.
  SocketStats Stats() const;
  std::vector<SocketStatus> ListSockets() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace netchannel

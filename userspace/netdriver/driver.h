// SPDX-License-Identifier: Apache-2.0
//
// The NetDriver of one host: sessions with other hosts and their channels over the host's lanes. It
// turns received frames into deliveries for the virtual sockets, and enqueued segments into frames.
//
//   frame in:  OnPacket -> wire checks -> token -> channel -> transport -> Deliveries (a value,
//   upwards) byte out:  Enqueue(channel, segment) -> PollTransmit -> transport plan -> packet
//   written into the
//              lane's buffer (header, records, payload copied with its checksum) -> lane Submit
//
// Nothing calls upwards: what happens to a session or to an acknowledged segment is an event to
// poll. Owner: the stack. Thread: the one that holds the host's lease. Time and randomness are
// arguments. Errors: a packet that is refused is counted by DropReason and leaves no state; a
// session that fails is an event with a reason.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/rng.h"
#include "base/stream.h"
#include "base/units.h"
#include "netdriver/device.h"
#include "netdriver/driver_config.h"
#include "netdriver/net_driver.h"
#include "netdriver/next_hops.h"
#include "netdriver/peer_rules.h"
#include "netdriver/stream_table.h"
#include "transport/connection.h"
#include "wire/address.h"
#include "wire/packet_layout.h"

namespace netchannel {

class Driver final : public NetDriver {
 public:
  // `lanes`, `streams` and `hops` outlive the driver. Lane i of `lanes` has index i.
  Driver(const DriverConfig& config, absl::Span<Lane* const> lanes, StreamTable* streams,
         NextHops* hops, Rng* rng, Time now);
  ~Driver() override;

  // The session with the peer's stack at `peer`, starting the handshake when there is none. Comes
  // with kSessionUp (also when it exists: ask IsUp) or kSessionDown.
  absl::StatusOr<SessionHandle> Connect(Time now, const wire::IpEndpoint& peer) override;
  absl::StatusOr<SessionHandle> Probe(Time now, const wire::IpEndpoint& peer) override;
  std::optional<Absence> AbsenceOf(Time now, const wire::IpEndpoint& peer) override;
  bool IsUp(SessionHandle session) const override;
  // Streams that hold the session open. Without any for idle_timeout it is closed.
  void AddReference(SessionHandle session) override;
  void DropReference(Time now, SessionHandle session) override;
  std::optional<Time> LastHeard(SessionHandle session) const override;
  void Ping(Time now, SessionHandle session) override;
  std::optional<wire::IpEndpoint> PeerOf(SessionHandle session) const override;
  // The role bit for stream ids that this host opens in the session (0: client).
  StreamId StreamRole(SessionHandle session) const override;

  // The channels of a session; empty until it is up.
  absl::Span<const ChannelInfo> Channels(SessionHandle session) override;
  // False when the channel is full or gone: nothing was taken.
  bool Enqueue(Time now, SessionHandle session, uint8_t channel, const Segment& segment) override;

  // Makes and removes channels of a living session, while traffic flows and without loss
  // (netdriver/packet_channel.h). False: it is so already, the channel has failed, or it is the
  // last open one of its class.
  bool OpenChannel(SessionHandle session, uint8_t channel);
  bool CloseChannel(SessionHandle session, uint8_t channel);
  // The sessions that are up, a few at a time: at most `most` from where `cursor` stands, which
  // moves on, and begins anew behind the last one.
  void SomeSessions(uint32_t& cursor, size_t most, std::vector<SessionHandle>& out) const;

  // One received frame. Appends what it delivered; the deliveries point into `packet`.
  void OnPacket(Time now, uint32_t lane, const RxPacket& packet, std::vector<Delivery>& out);
  // Writes at most `budget` packets into the lanes, latency class first, and flushes them. Returns
  // how many were written. Has more to send when it returns `budget`.
  size_t PollTransmit(Time now, size_t budget) override;
  void OnTimer(Time now) override;
  // A packet of ours came back. Of a handshake: who probes is done. Of a session, when the peer's
  // kernel says that nobody has the port any more: its stack has died, and the session is down. Its
  // token shows that the error comes from who has seen the packet.
  void OnUnreachable(Time now, const Unreachable& error);
  Time NextTimeout() const override;
  std::optional<DriverEvent> PollEvent() override;

  // Live steering. A lane's class is that of channels to come; its packets leave through `via`'s
  // socket (its own index: its own).
  void SteerLane(uint32_t lane, AppClass app_class, uint32_t via);
  AppClass LaneClass(uint32_t lane) const;
  // Polls since the beginning in which the lane was sent on, and in which it was full.
  void LaneOccupancy(uint32_t lane, uint64_t* polls, uint64_t* full) const;
  uint32_t LaneVia(uint32_t lane) const;
  // Sessions with peers that are denied now end: here with EHOSTUNREACH, there with a CLOSE. New
  // ones begin no more (Absence::kDenied).
  void SetPeerRules(Time now, PeerRules rules);
  const PeerRules& peer_rules() const;

  // Tells all peers that we go (CLOSE), as far as one PollTransmit goes.
  void Shutdown(Time now) override;

  uint64_t drops(DropReason reason) const override;
  // Sessions, connecting ones included.
  size_t session_count() const override;
  // For status output: control plane, allocates.
  std::vector<SessionStatus> Status() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// What happens to a session between its handshake and its end: it comes up with channels, is held
// by references, kept alive, closed when nobody needs it, and goes down with its last channel.
//
// A channel that is silent for the user timeout fails. Whether the channel is at fault or the peer
// is gone is found out meanwhile: while nothing comes from the peer at all, each probe timeout of a
// channel pings over another one. A peer that did not answer there either is gone, with all its
// channels.
//
// Timers. Per session one: keepalive while there are references, else the idle timeout (both count
// from the last packet, so a peer with references keeps our side, too). Per channel one: the
// transport's.
//
// Owner: the driver. Thread: the one that runs it. Errors: events.
#pragma once

#include <cstdint>

#include "base/timer_wheel.h"
#include "netdriver/active_channels.h"
#include "netdriver/driver_config.h"
#include "netdriver/event_queue.h"
#include "netdriver/lane_set.h"
#include "netdriver/session.h"
#include "netdriver/session_table.h"
#include "wire/handshake.h"

namespace netchannel {

class SessionLife {
 public:
  SessionLife(const DriverConfig& config, LaneSet* lanes, SessionTable* sessions,
              ActiveChannels* active, EventQueue* events, Time now);

  // The handshake is complete: `peer` is what the other end said, `session.offers` what we said.
  void BringUp(Time now, Session& session, const wire::Hello& peer);
  // It seems that nobody will answer the handshake.
  void ReportAbsent(const Session& session) { events_->PushAbsent(session.handle); }
  // Removes the session and reports it.
  void TakeDown(Session& session, int error);
  // Removes the session without a word: the host goes.
  void Remove(Session& session);
  // Tells the peer, as far as a packet may go now.
  void SendClose(Time now, Session& session, wire::CloseCode code);

  // Our end of what runs over `lane`: the address of the peer's family. A session has a peer of a
  // family that we have.
  wire::IpEndpoint LocalEnd(const Session& session, uint32_t lane) const;
  // The largest packet that our lanes and the configuration allow in the session's family.
  ByteCount MaxPacketSize(const Session& session) const;

  // Provokes an answer over an open channel that awaits none yet. Those that do are probed by their
  // transport as it is, so when all await one there is nothing to do.
  void Ping(Time now, Session& session);

  void AddReference(Session& session);
  void DropReference(Time now, Session& session);

  // A channel's timer is due.
  void OnChannelTimer(Time now, PacketChannel& channel);
  // Sets the channel's timer to the transport's next timeout, but not before `earliest`.
  void RearmChannel(PacketChannel& channel, Time earliest);
  // A session's timer is due, once it is up.
  void OnSessionTimer(Time now, Session& session);
  // Hands segments of failed channels to open ones with room.
  void PlaceOrphans(Time now, Session& session);

  // While traffic flows. False: it is so already, cannot be, or is the last open one of its class.
  bool OpenChannel(Session& session, uint8_t index);
  bool CloseChannel(Session& session, uint8_t index);

  TimerWheel& session_timers() { return session_timers_; }
  TimerWheel& channel_timers() { return channel_timers_; }
  const TimerWheel& session_timers() const { return session_timers_; }
  const TimerWheel& channel_timers() const { return channel_timers_; }

 private:
  transport::ConnectionConfig ConnectionFor(const Session& session, const wire::Hello& peer) const;
  void FailChannel(Time now, PacketChannel& channel);
  void RestChannel(Time now, PacketChannel& channel);
  void PingAnother(Time now, const PacketChannel& silent);
  // A class keeps an open channel as long as one has not failed.
  void KeepClassOpen(Session& session, AppClass app_class);
  void RearmSession(Session& session);

  const DriverConfig& config_;
  LaneSet* lanes_;
  SessionTable* sessions_;
  ActiveChannels* active_;
  EventQueue* events_;
  TimerWheel session_timers_;
  TimerWheel channel_timers_;
};

}  // namespace netchannel

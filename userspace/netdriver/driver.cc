// SPDX-License-Identifier: Apache-2.0
#include "netdriver/driver.h"

#include <algorithm>
#include <cerrno>

#include "netdriver/active_channels.h"
#include "netdriver/event_queue.h"
#include "netdriver/handshaker.h"
#include "netdriver/lane_set.h"
#include "netdriver/receiver.h"
#include "netdriver/session_life.h"
#include "netdriver/session_table.h"
#include "netdriver/transmitter.h"
#include "wire/packet.h"

namespace netchannel {

// The parts and who knows whom; each says in its header what it does.
struct Driver::Impl {
  Impl(const DriverConfig& config_in, absl::Span<Lane* const> lanes_in, StreamTable* streams,
       NextHops* hops, Rng* rng, Time now)
      : config(config_in),
        lanes(lanes_in),
        sessions(config.max_sessions, rng),
        life(config, &lanes, &sessions, &active, &events, now),
        handshaker(config, &lanes, hops, rng, &sessions, &life, &peer_rules, now),
        receiver(config, lanes.size(), &sessions, &life, &handshaker, &active, &events),
        transmitter(&lanes, streams, hops, &active, &handshaker, &life),
        last_now(now) {}

  ~Impl() {
    for (Session* session : sessions.All()) Remove(*session);
  }

  void Remove(Session& session) {
    handshaker.Forget(session);
    life.Remove(session);
  }

  // After anything that may have given the transmitter something to do.
  void NoteWork(Time now) {
    last_now = now;
    if (!active.empty() || handshaker.wants_to_send()) transmitter.SetHasWork();
  }

  const DriverConfig config;
  LaneSet lanes;
  DropCounters drops;
  EventQueue events;
  PeerRules peer_rules;
  ActiveChannels active;
  SessionTable sessions;
  SessionLife life;
  Handshaker handshaker;
  Receiver receiver;
  Transmitter transmitter;
  Time last_now;
};

Driver::Driver(const DriverConfig& config, absl::Span<Lane* const> lanes, StreamTable* streams,
               NextHops* hops, Rng* rng, Time now)
    : impl_(std::make_unique<Impl>(config, lanes, streams, hops, rng, now)) {}

Driver::~Driver() = default;

absl::StatusOr<SessionHandle> Driver::Connect(Time now, const wire::IpEndpoint& peer) {
  auto session = impl_->handshaker.Connect(now, peer);
  impl_->NoteWork(now);
  return session;
}

absl::StatusOr<SessionHandle> Driver::Probe(Time now, const wire::IpEndpoint& peer) {
  auto session = impl_->handshaker.Probe(now, peer);
  impl_->NoteWork(now);
  return session;
}

std::optional<Absence> Driver::AbsenceOf(Time now, const wire::IpEndpoint& peer) {
  return impl_->handshaker.AbsenceOf(now, peer);
}

bool Driver::IsUp(SessionHandle handle) const {
  const Session* session = impl_->sessions.Find(handle);
  return session != nullptr && session->up;
}

void Driver::AddReference(SessionHandle handle) {
  if (Session* session = impl_->sessions.Find(handle)) impl_->life.AddReference(*session);
}

void Driver::DropReference(Time now, SessionHandle handle) {
  if (Session* session = impl_->sessions.Find(handle)) impl_->life.DropReference(now, *session);
}

std::optional<Time> Driver::LastHeard(SessionHandle handle) const {
  const Session* session = impl_->sessions.Find(handle);
  if (session == nullptr || !session->up) return std::nullopt;
  return session->last_received;
}

void Driver::Ping(Time now, SessionHandle handle) {
  Session* session = impl_->sessions.Find(handle);
  if (session == nullptr || !session->up) return;
  impl_->life.Ping(now, *session);
  impl_->NoteWork(now);
}

std::optional<wire::IpEndpoint> Driver::PeerOf(SessionHandle handle) const {
  const Session* session = impl_->sessions.Find(handle);
  if (session == nullptr) return std::nullopt;
  return session->peer;
}

StreamId Driver::StreamRole(SessionHandle handle) const {
  const Session* session = impl_->sessions.Find(handle);
  return session != nullptr && !session->client ? 1 : 0;
}

absl::Span<const ChannelInfo> Driver::Channels(SessionHandle handle) {
  const Session* session = impl_->sessions.Find(handle);
  if (session == nullptr) return {};
  return session->infos;
}

bool Driver::Enqueue(Time now, SessionHandle handle, uint8_t channel, const Segment& segment) {
  Session* session = impl_->sessions.Find(handle);
  if (session == nullptr || channel >= session->channels.size()) return false;
  PacketChannel& to = *session->channels[channel];
  if (!to.Enqueue(now, segment)) return false;
  impl_->active.Add(to);
  impl_->last_now = now;
  impl_->transmitter.SetHasWork();
  return true;
}

bool Driver::OpenChannel(SessionHandle handle, uint8_t channel) {
  Session* session = impl_->sessions.Find(handle);
  return session != nullptr && impl_->life.OpenChannel(*session, channel);
}

bool Driver::CloseChannel(SessionHandle handle, uint8_t channel) {
  Session* session = impl_->sessions.Find(handle);
  if (session == nullptr || !impl_->life.CloseChannel(*session, channel)) return false;
  impl_->transmitter.SetHasWork();
  return true;
}

void Driver::SomeSessions(uint32_t& cursor, size_t most, std::vector<SessionHandle>& out) const {
  cursor = impl_->sessions.Visit(cursor, most, [&out](const Session& session) {
    if (session.up) out.push_back(session.handle);
  });
}

void Driver::OnPacket(Time now, uint32_t lane, const RxPacket& packet, std::vector<Delivery>& out) {
  const auto dropped = impl_->receiver.OnPacket(now, lane, packet, out);
  if (dropped) impl_->drops.Count(*dropped);
  impl_->NoteWork(now);
}

size_t Driver::PollTransmit(Time now, size_t budget) {
  impl_->last_now = now;
  return impl_->transmitter.Poll(now, budget);
}

void Driver::OnTimer(Time now) {
  SessionLife& life = impl_->life;
  while (Timer* timer = life.session_timers().PopExpired(now)) {
    Session& session = *static_cast<Session*>(timer->owner());
    if (session.up) {
      life.OnSessionTimer(now, session);
    } else {
      impl_->handshaker.OnSessionTimer(now, session);
    }
  }
  while (Timer* timer = life.channel_timers().PopExpired(now)) {
    life.OnChannelTimer(now, *static_cast<PacketChannel*>(timer->owner()));
  }
  impl_->NoteWork(now);
}

void Driver::OnUnreachable(Time now, const Unreachable& error) {
  wire::PacketHeader header;
  const bool data =
      error.quoted >= wire::kHeaderSize &&
      wire::PacketHeader::Parse(wire::Bytes(error.header), &header) == wire::PacketError::kNone &&
      header.type == wire::PacketType::kData;
  if (!data) {
    impl_->handshaker.OnUnreachable(now, error);
    return;
  }
  Session* session = impl_->sessions.FindByPeerToken(error.destination.address, header.token);
  if (session != nullptr && error.port) impl_->life.TakeDown(*session, ECONNRESET);
}

Time Driver::NextTimeout() const {
  const Transmitter& transmitter = impl_->transmitter;
  if (transmitter.has_work()) return impl_->last_now;
  const SessionLife& life = impl_->life;
  return std::min({transmitter.retry_time(), life.session_timers().NextDeadline(),
                   life.channel_timers().NextDeadline()});
}

std::optional<DriverEvent> Driver::PollEvent() { return impl_->events.Pop(); }

void Driver::SteerLane(uint32_t lane, AppClass app_class, uint32_t via) {
  impl_->lanes.SetClass(lane, app_class);
  impl_->lanes.Route(lane, via);
}

AppClass Driver::LaneClass(uint32_t lane) const { return impl_->lanes.class_of(lane); }

void Driver::LaneOccupancy(uint32_t lane, uint64_t* polls, uint64_t* full) const {
  const LaneSet::Occupancy occupancy = impl_->lanes.occupancy(lane);
  *polls = occupancy.polls;
  *full = occupancy.full;
}

uint32_t Driver::LaneVia(uint32_t lane) const { return impl_->lanes.via(lane); }

void Driver::SetPeerRules(Time now, PeerRules rules) {
  impl_->peer_rules = std::move(rules);
  impl_->lanes.BeginPoll();
  for (Session* session : impl_->sessions.All()) {
    if (!impl_->peer_rules.Denies(session->peer.address)) continue;
    if (session->up) impl_->life.SendClose(now, *session, wire::CloseCode::kShutdown);
    impl_->handshaker.Forget(*session);
    impl_->life.TakeDown(*session, EHOSTUNREACH);
  }
  impl_->lanes.FlushAll();
  impl_->NoteWork(now);
}

const PeerRules& Driver::peer_rules() const { return impl_->peer_rules; }

void Driver::Shutdown(Time now) {
  impl_->lanes.BeginPoll();
  for (Session* session : impl_->sessions.All()) {
    impl_->life.SendClose(now, *session, wire::CloseCode::kShutdown);
    impl_->Remove(*session);
  }
  impl_->lanes.FlushAll();
}

uint64_t Driver::drops(DropReason reason) const { return impl_->drops[reason]; }

size_t Driver::session_count() const { return impl_->sessions.size(); }

std::vector<SessionStatus> Driver::Status() const {
  std::vector<SessionStatus> rows;
  for (const Session* session : impl_->sessions.All()) rows.push_back(StatusOf(*session));
  return rows;
}

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "netdriver/session_life.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/packet_layout.h"

namespace netchannel {
namespace {

// Probe timeouts double, so one of a silent channel lies between the first of these shares of the
// user timeout and twice it; what answers the ping then is not silent at the second.
constexpr int64_t kPingAfter = 4;  // 1/4
constexpr Duration GoneAfter(Duration user_timeout) { return user_timeout * 7 / 8; }

bool AwaitsAnswer(const PacketChannel& channel) {
  return channel.connection() != nullptr && channel.connection()->bytes_in_flight() > 0;
}

// The configuration's packet sizes are those for IPv4.
constexpr ByteCount kIpv6Excess = wire::kIpv6HeaderSize - wire::kIpv4HeaderSize;

}  // namespace

SessionLife::SessionLife(const DriverConfig& config, LaneSet* lanes, SessionTable* sessions,
                         ActiveChannels* active, EventQueue* events, Time now)
    : config_(config),
      lanes_(lanes),
      sessions_(sessions),
      active_(active),
      events_(events),
      session_timers_(now),
      channel_timers_(now) {}

wire::IpEndpoint SessionLife::LocalEnd(const Session& session, uint32_t lane) const {
  return {*config_.addresses.For(session.peer.address),
          static_cast<uint16_t>(config_.base_port + lane)};
}

ByteCount SessionLife::MaxPacketSize(const Session& session) const {
  const bool v4 = session.peer.address.is_v4();
  const ByteCount configured =
      std::max(config_.connection.max_packet_size, kIpv6Excess) - (v4 ? 0 : kIpv6Excess);
  return std::clamp(std::min(configured, lanes_->MaxPacketSize(v4)), wire::kMinPacketSize,
                    wire::kMaxPacketSize);
}

transport::ConnectionConfig SessionLife::ConnectionFor(const Session& session,
                                                       const wire::Hello& peer) const {
  transport::ConnectionConfig config = config_.connection;
  config.congestion = static_cast<transport::CongestionAlgorithm>(session.congestion);
  config.max_packet_size = std::min<ByteCount>(MaxPacketSize(session), peer.max_packet_size);
  config.min_packet_size = std::min(config.min_packet_size, config.max_packet_size);
  config.max_packets_in_flight = std::min(config.max_packets_in_flight, peer.rx_capacity);
  return config;
}

void SessionLife::BringUp(Time now, Session& session, const wire::Hello& peer) {
  session.up = true;
  session.attempt.reset();
  session.since = session.last_received = session.last_ping = session.unused_since = now;
  session.connection = ConnectionFor(session, peer);
  session.infos.resize(session.offer_count);
  std::array<uint8_t, kAppClasses> made{};
  session.channels.reserve(session.offer_count);
  for (uint8_t i = 0; i < session.offer_count; ++i) {
    const LaneOffer& own = session.offers[i];
    const ChannelPlan plan{.index = i,
                           .app_class = own.app_class,
                           .lane = own.lane,
                           .token = own.token,
                           .peer_token = peer.channels[i].token,
                           .local = LocalEnd(session, own.lane),
                           .remote = {session.peer.address, peer.channels[i].lane_port}};
    const bool open = made[static_cast<size_t>(own.app_class)]++ < config_.open_per_class;
    session.channels.push_back(
        std::make_unique<PacketChannel>(&session, plan, &session.connection, &session.path,
                                        &session.infos[i], config_.channel_backlog_limit, open));
  }
  sessions_->RegisterPeerTokens(session);
  RearmSession(session);
  events_->PushUp(session.handle);
}

void SessionLife::TakeDown(Session& session, int error) {
  events_->PushDown(session.handle, error);
  Remove(session);
}

void SessionLife::Remove(Session& session) {
  session_timers_.Cancel(session.timer);
  for (const auto& channel : session.channels) {
    channel_timers_.Cancel(channel->timer);
    active_->Remove(*channel);
  }
  sessions_->Remove(session);
}

void SessionLife::SendClose(Time now, Session& session, wire::CloseCode code) {
  for (const auto& channel : session.channels) {
    if (!channel->is_open()) continue;
    channel->TransmitClose(now, *lanes_, code);
    return;
  }
}

void SessionLife::AddReference(Session& session) {
  if (++session.references == 1 && session.up) RearmSession(session);
}

void SessionLife::DropReference(Time now, Session& session) {
  if (session.references == 0 || --session.references > 0) return;
  session.unused_since = now;
  if (session.up) RearmSession(session);
}

void SessionLife::RearmSession(Session& session) {
  const Time deadline =
      session.references > 0
          ? std::max(session.last_received, session.last_ping) + config_.keepalive_interval
          : std::max(session.last_received, session.unused_since) + config_.idle_timeout;
  session_timers_.Schedule(session.timer, deadline);
}

void SessionLife::OnSessionTimer(Time now, Session& session) {
  if (session.references > 0) {
    const Time heard = std::max(session.last_received, session.last_ping);
    if (now - heard >= config_.keepalive_interval) Ping(now, session);
  } else if (now - std::max(session.last_received, session.unused_since) >= config_.idle_timeout) {
    SendClose(now, session, wire::CloseCode::kIdle);
    TakeDown(session, 0);
    return;
  }
  RearmSession(session);
}

void SessionLife::Ping(Time now, Session& session) {
  session.last_ping = now;
  for (const auto& channel : session.channels) {
    if (!channel->is_open() || AwaitsAnswer(*channel)) continue;
    channel->EnqueuePing(now);
    active_->Add(*channel);
    return;
  }
}

void SessionLife::RearmChannel(PacketChannel& channel, Time earliest) {
  if (channel.connection() == nullptr) return;  // it has been closed and rests
  Time next = channel.connection()->NextTimeout();
  // In flight: the transport finds out first what becomes of it.
  if (channel.connection()->bytes_in_flight() == 0) next = std::min(next, channel.rest_at());
  channel_timers_.Schedule(channel.timer, std::max(next, earliest));
}

void SessionLife::OnChannelTimer(Time now, PacketChannel& channel) {
  if (channel.connection() == nullptr) return;
  transport::Connection& connection = *channel.connection();
  const uint64_t probes = connection.stats().ptos;
  connection.OnTimer(now);
  if (connection.state() == transport::ConnectionState::kDead) {
    FailChannel(now, channel);
    return;
  }
  if (now >= channel.rest_at() && connection.bytes_in_flight() == 0) {
    RestChannel(now, channel);
    return;
  }
  if (connection.stats().ptos != probes) PingAnother(now, channel);
  active_->Add(channel);
}

void SessionLife::RestChannel(Time now, PacketChannel& channel) {
  active_->Remove(channel);
  channel.Rest(channel.session().orphans);
  PlaceOrphans(now, channel.session());
}

bool SessionLife::OpenChannel(Session& session, uint8_t index) {
  if (index >= session.channels.size()) return false;
  PacketChannel& channel = *session.channels[index];
  if (channel.failed() || channel.is_open()) return false;
  channel.Open();
  return true;
}

bool SessionLife::CloseChannel(Session& session, uint8_t index) {
  if (index >= session.channels.size()) return false;
  PacketChannel& channel = *session.channels[index];
  if (!channel.is_open()) return false;
  const bool last = std::none_of(session.infos.begin(), session.infos.end(), [&](const auto& info) {
    return info.open && info.app_class == channel.app_class() && info.index != index;
  });
  if (last) return false;
  channel.Close();
  // So that its timer, which knows of the rest from here on, is set.
  if (channel.connection() != nullptr) active_->Add(channel);
  return true;
}

void SessionLife::KeepClassOpen(Session& session, AppClass app_class) {
  PacketChannel* spare = nullptr;
  for (const auto& channel : session.channels) {
    if (channel->app_class() != app_class || channel->failed()) continue;
    if (channel->is_open()) return;
    if (spare == nullptr) spare = channel.get();
  }
  if (spare != nullptr) spare->Open();
}

void SessionLife::PingAnother(Time now, const PacketChannel& silent) {
  Session& session = silent.session();
  const Duration silence = now - session.last_received;
  if (silence < config_.connection.user_timeout / kPingAfter) return;
  for (const auto& channel : session.channels) {
    if (channel.get() == &silent || channel->failed() || AwaitsAnswer(*channel)) continue;
    channel->EnqueuePing(now);
    active_->Add(*channel);
    return;
  }
}

void SessionLife::FailChannel(Time now, PacketChannel& channel) {
  Session& session = channel.session();
  channel.SetFailed();
  channel_timers_.Cancel(channel.timer);
  active_->Remove(channel);
  const bool last = std::all_of(session.channels.begin(), session.channels.end(),
                                [](const auto& other) { return other->failed(); });
  const bool gone = now - session.last_received >= GoneAfter(config_.connection.user_timeout);
  if (last || gone) {
    TakeDown(session, ETIMEDOUT);
    return;
  }
  KeepClassOpen(session, channel.app_class());
  while (const auto segment = channel.connection()->TakeUnacknowledged()) {
    session.orphans.push_back(*segment);
  }
  PlaceOrphans(now, session);
}

void SessionLife::PlaceOrphans(Time now, Session& session) {
  size_t placed = 0;
  size_t turn = 0;
  size_t refused = 0;
  const size_t channels = session.channels.size();
  while (placed < session.orphans.size() && refused < channels) {
    PacketChannel& channel = *session.channels[turn++ % channels];
    if (channel.EnqueueMoved(now, session.orphans[placed])) {
      active_->Add(channel);
      ++placed;
      refused = 0;
    } else {
      ++refused;
    }
  }
  session.orphans.erase(session.orphans.begin(),
                        session.orphans.begin() + static_cast<ptrdiff_t>(placed));
}

}  // namespace netchannel

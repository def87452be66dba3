// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/session_life.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace netchannel::tcp {

void SessionLife::RefreshInfo(Session& session, const Connection& connection) {
  ChannelInfo& info = session.infos[connection.info];
  info.backlog = connection.sender.backlog();
  info.capacity = connection.sender.capacity();
}

void SessionLife::RebuildInfos(Session& session) {
  session.infos.clear();
  for (const Channel& channel : session.all()) {
    Connection* const connection = channel.connection.get();
    if (connection == nullptr) continue;
    connection->info = session.infos.size();
    session.infos.push_back({.index = connection->index, .app_class = connection->app_class});
    RefreshInfo(session, *connection);
  }
}

void SessionLife::Attach(Time now, Session& session, std::unique_ptr<Connection> connection) {
  Channel& channel = session.channels[connection->index];
  if (channel.connection != nullptr) {
    while (const auto segment = channel.connection->sender.TakeUnacknowledged()) {
      session.orphans.push_back(*segment);
    }
    core_.Bury(std::move(channel.connection));
  }
  Connection& attached = *connection;
  attached.session = &session;
  attached.phase = Connection::Phase::kChannel;
  core_.greeting_timers.Cancel(attached.timer);
  SetClass(attached.fd.get(), attached.app_class);
  channel.connection = std::move(connection);
  channel.dial_at = Time::Infinite();
  channel.dial_pause = Duration::Zero();
  session.last_received = now;
  RebuildInfos(session);
  PlaceOrphans(session);
  core_.Schedule(attached);
}

void SessionLife::BringUp(Time now, Session& session) {
  session.up = true;
  session.since = session.last_received = session.last_ping = session.unused_since = now;
  Rearm(session);
  core_.events.PushUp(session.handle);
}

void SessionLife::Fail(Time now, Connection& connection, int error) {
  Session& session = *connection.session;
  Channel& channel = session.channels[connection.index];
  while (const auto segment = connection.sender.TakeUnacknowledged()) {
    session.orphans.push_back(*segment);
  }
  core_.Bury(std::move(channel.connection));
  RebuildInfos(session);
  if (session.infos.empty()) {
    TakeDown(session, error == ETIMEDOUT ? ETIMEDOUT : ECONNRESET);
    return;
  }
  if (session.client) {
    PlanDial(now, channel);
    Rearm(session);
  }
  PlaceOrphans(session);
}

void SessionLife::PlanDial(Time now, Channel& channel) {
  channel.dial_pause = channel.dial_pause == Duration::Zero()
                           ? kFirstDialPause
                           : std::min(channel.dial_pause * 2, kMaxDialPause);
  channel.dial_at = now + channel.dial_pause;
}

void SessionLife::TakeDown(Session& session, int error) {
  core_.events.PushDown(session.handle, error);
  Remove(session);
}

void SessionLife::Remove(Session& session) {
  core_.session_timers.Cancel(session.timer);
  for (Channel& channel : session.all()) {
    core_.Bury(std::move(channel.connection));
    core_.Bury(std::move(channel.dial));
  }
  core_.sessions.Remove(session);
}

void SessionLife::SendClose(Session& session, wire::CloseCode code) {
  for (const Channel& channel : session.all()) {
    if (channel.connection == nullptr || !channel.connection->writable) continue;
    RecordSender& sender = channel.connection->sender;
    sender.RequestClose(code);
    while (sender.Send(channel.connection->fd.get(), *core_.streams) ==
           RecordSender::Result::kMore) {
    }
    return;
  }
}

void SessionLife::Ping(Time now, Session& session) {
  session.last_ping = now;
  if (session.infos.empty()) return;
  const ChannelInfo& next = session.infos[session.ping_turn++ % session.infos.size()];
  Connection& connection = *session.channels[next.index].connection;
  connection.sender.RequestPing();
  core_.Schedule(connection);
}

void SessionLife::AddReference(Session& session) {
  if (++session.references == 1 && session.up) Rearm(session);
}

void SessionLife::DropReference(Time now, Session& session) {
  if (session.references == 0 || --session.references > 0) return;
  session.unused_since = now;
  if (session.up) Rearm(session);
}

void SessionLife::Rearm(Session& session) {
  Time deadline =
      session.references > 0
          ? std::max(session.last_received, session.last_ping) + core_.config.keepalive_interval
          : std::max(session.last_received, session.unused_since) + core_.config.idle_timeout;
  for (const Channel& channel : session.all()) deadline = std::min(deadline, channel.dial_at);
  core_.session_timers.Schedule(session.timer, deadline);
}

bool SessionLife::OnTimer(Time now, Session& session) {
  const Time used = std::max(session.last_received, session.unused_since);
  if (session.references == 0 && now - used >= core_.config.idle_timeout) {
    SendClose(session, wire::CloseCode::kIdle);
    TakeDown(session, 0);
    return false;
  }
  const Time heard = std::max(session.last_received, session.last_ping);
  if (session.references > 0 && now - heard >= core_.config.keepalive_interval) {
    Ping(now, session);
  }
  const auto channels = session.all();
  return std::any_of(channels.begin(), channels.end(),
                     [now](const Channel& channel) { return channel.dial_at <= now; });
}

void SessionLife::PlaceOrphans(Session& session) {
  size_t placed = 0, turn = 0, refused = 0;
  while (placed < session.orphans.size() && refused < session.infos.size()) {
    const ChannelInfo& info = session.infos[turn++ % session.infos.size()];
    Connection& connection = *session.channels[info.index].connection;
    if (!connection.sender.EnqueueMoved(session.orphans[placed])) {
      ++refused;
      continue;
    }
    RefreshInfo(session, connection);
    core_.Schedule(connection);
    ++placed;
    refused = 0;
  }
  session.orphans.erase(session.orphans.begin(),
                        session.orphans.begin() + static_cast<ptrdiff_t>(placed));
}

}  // namespace netchannel::tcp

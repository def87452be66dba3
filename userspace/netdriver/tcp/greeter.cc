// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/greeter.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace netchannel::tcp {
namespace {

// What an application is told of a connection that could not be made.
int AsReported(int error) {
  return error == ECONNREFUSED || error == ETIMEDOUT ? error : EHOSTUNREACH;
}

}  // namespace

// A stack on a loopback address has its peers on others; any other stack's loopback is itself.
std::optional<Absence> Greeter::Exclude(const wire::IpAddress& peer) const {
  if (peer.is_unspecified() || core_.config.addresses.Has(peer)) return Absence::kOwnAddress;
  const auto own = core_.config.addresses.For(peer);
  if (!own.has_value()) return peer.is_loopback() ? Absence::kOwnAddress : Absence::kNoFamily;
  if (peer.is_loopback() && !own->is_loopback()) return Absence::kOwnAddress;
  if (!core_.config.networks.Contain(peer)) return Absence::kOutsideNetworks;
  return std::nullopt;
}

std::optional<Absence> Greeter::AbsenceOf(Time now, const wire::IpEndpoint& peer) const {
  if (const auto excluded = Exclude(peer.address)) return excluded;
  return absent_.Find(now, peer);
}

absl::StatusOr<Session*> Greeter::Begin(Time now, const wire::IpEndpoint& peer) {
  if (Session* known = core_.sessions.FindByPeer(peer)) return known;
  if (peer.port == 0) return absl::InvalidArgumentError("a peer's port is not 0");
  if (Exclude(peer.address)) {
    return absl::UnimplementedError("no NetChannel peer can be at " + peer.ToString());
  }
  Session* session = core_.sessions.Create(peer, /*client=*/true);
  if (session == nullptr) {
    return absl::ResourceExhaustedError("the limit of sessions is reached (max_sessions)");
  }
  session->attempt.give_up = now + core_.config.handshake_timeout;
  session->channel_count = 1;
  session->channels[0].dial_at = now;
  return session;
}

void Greeter::RearmAttempt(Session& session) {
  const Attempt& attempt = session.attempt;
  core_.session_timers.Schedule(
      session.timer, std::min({attempt.give_up, attempt.probe_until, session.channels[0].dial_at}));
}

absl::StatusOr<Session*> Greeter::Connect(Time now, const wire::IpEndpoint& peer) {
  auto session = Begin(now, peer);
  if (!session.ok() || (*session)->up) return session;
  (*session)->attempt.patient = true;
  RearmAttempt(**session);
  return session;
}

absl::StatusOr<Session*> Greeter::Probe(Time now, const wire::IpEndpoint& peer) {
  const Session* known = core_.sessions.FindByPeer(peer);
  const bool up = known != nullptr && known->up;
  if (!up && absent_.Find(now, peer)) {
    return absl::UnimplementedError(peer.ToString() + " was found not to speak NetChannel");
  }
  auto session = Begin(now, peer);
  if (!session.ok() || (*session)->up) return session;
  (*session)->attempt.probe_until =
      std::min((*session)->attempt.probe_until, now + core_.config.probe_time);
  RearmAttempt(**session);
  return session;
}

void Greeter::Dial(Time now, Session& session, uint8_t index) {
  Channel& channel = session.channels[index];
  channel.dial_at = Time::Infinite();
  Dialed dialed =
      tcp::Dial(*core_.config.addresses.For(session.peer.address), session.peer, core_.options);
  if (!dialed.fd.valid()) {
    OnDialFailed(now, session, index, dialed.error);
    return;
  }
  channel.dial = std::make_unique<Connection>(std::move(dialed.fd), session.peer,
                                              Connection::Phase::kConnecting,
                                              core_.config.channel_backlog_limit);
  channel.dial->session = &session;
  channel.dial->index = index;
  channel.dial->app_class = ClassOfChannel(index);
  core_.greeting_timers.Schedule(channel.dial->timer, now + core_.config.handshake_timeout);
  if (!core_.poller.Add(channel.dial->fd.get(), channel.dial.get())) {
    OnDialFailed(now, session, index, errno);
  }
}

void Greeter::OnDialFailed(Time now, Session& session, uint8_t index, int error) {
  Channel& channel = session.channels[index];
  core_.Bury(std::move(channel.dial));
  if (session.up) {
    life_.PlanDial(now, channel);
    life_.Rearm(session);
    return;
  }
  session.attempt.error = AsReported(error);
  if (!session.attempt.patient) {
    GiveUpOn(now, session, error == 0 ? Absence::kRejected : Absence::kUnreachable);
    return;
  }
  // The peer's stack may be about to start.
  absent_.Remember(now, session.peer, Absence::kUnreachable);
  core_.events.PushAbsent(session.handle);
  channel.dial_pause = channel.dial_pause == Duration::Zero()
                           ? kFirstRetry
                           : std::min(channel.dial_pause * 2, kMaxRetry);
  channel.dial_at = now + channel.dial_pause;
  RearmAttempt(session);
}

void Greeter::GiveUpOn(Time now, Session& session, Absence why) {
  absent_.Remember(now, session.peer, why);
  life_.TakeDown(session, EPROTONOSUPPORT);
}

void Greeter::OnSessionTimer(Time now, Session& session) {
  const SessionHandle handle = session.handle;
  if (!session.up) {
    Attempt& attempt = session.attempt;
    if (now >= attempt.give_up) {
      life_.TakeDown(session, attempt.error != 0 ? attempt.error : ETIMEDOUT);
      return;
    }
    if (now >= attempt.probe_until) {
      attempt.probe_until = Time::Infinite();
      absent_.Remember(now, session.peer, Absence::kSilent);
      core_.events.PushAbsent(handle);
    }
    RearmAttempt(session);
  }
  for (uint8_t i = 0; i < session.channel_count; ++i) {
    if (session.channels[i].dial_at > now) continue;
    Dial(now, session, i);
    if (core_.sessions.Find(handle) == nullptr) return;
  }
  session.up ? life_.Rearm(session) : RearmAttempt(session);
}

void Greeter::OnGreetingTimer(Time now, Connection& connection) {
  Drop(now, connection, ETIMEDOUT, DropReason::kBadHandshake);
}

bool Greeter::Accept(Time now, int listener) {
  for (;;) {
    Accepted accepted = tcp::Accept(listener);
    if (!accepted.fd.valid()) {
      const bool exhausted = accepted.error == EMFILE || accepted.error == ENFILE ||
                             accepted.error == ENOBUFS || accepted.error == ENOMEM;
      if (accepted.error == EAGAIN || exhausted) return !exhausted;
      continue;  // that one connection is gone already
    }
    if (strangers_.size() == kMaxStrangers) {
      core_.drops.Count(DropReason::kReplyLimit);
      core_.Bury(TakeStranger(*strangers_.front()));
    }
    auto stranger = std::make_unique<Connection>(std::move(accepted.fd), accepted.peer,
                                                 Connection::Phase::kAwaitHello,
                                                 core_.config.channel_backlog_limit);
    if (!core_.poller.Add(stranger->fd.get(), stranger.get())) return false;
    core_.greeting_timers.Schedule(stranger->timer, now + core_.config.handshake_timeout);
    strangers_.push_back(std::move(stranger));
  }
}

void Greeter::Advance(Time now) {
  // Each at most once: what can go on still is put back with its next event.
  for (size_t left = core_.greeting.size(); left > 0 && !core_.greeting.empty(); --left) {
    Connection& connection = *core_.greeting.PopFront();
    const bool connected =
        connection.phase != Connection::Phase::kConnecting || FinishConnecting(now, connection);
    if (connected && connection.readable) ReadGreeting(now, connection);
  }
}

bool Greeter::FinishConnecting(Time now, Connection& connection) {
  if (!connection.writable) return false;
  Session& session = *connection.session;
  if (const int error = TakeError(connection.fd.get()); error != 0) {
    OnDialFailed(now, session, connection.index, error);
    return false;
  }
  std::array<std::byte, kGreetingSize> hello;
  Hello{.channel_count = session.up ? session.channel_count : core_.config.channel_limit(),
        .channel = connection.index,
        .app_class = connection.app_class,
        .base_port = core_.config.base_port,
        .token = session.token}
      .Build(hello.data());
  // The first bytes of a connection: there is room.
  if (send(connection.fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(hello.size())) {
    OnDialFailed(now, session, connection.index, errno);
    return false;
  }
  connection.phase = Connection::Phase::kAwaitWelcome;
  return true;
}

bool Greeter::ReadGreeting(Time now, Connection& connection) {
  const size_t missing = kGreetingSize - connection.greeted;
  const ssize_t got = recv(connection.fd.get(), connection.greeting.data() + connection.greeted,
                           missing, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    connection.readable = false;
    return false;
  }
  if (got <= 0) {
    Drop(now, connection, got < 0 ? errno : 0, DropReason::kBadHandshake);
    return false;
  }
  connection.greeted += static_cast<size_t>(got);
  if (connection.greeted < kGreetingSize) {
    core_.Schedule(connection);
    return false;
  }
  if (connection.phase == Connection::Phase::kAwaitWelcome) {
    OnWelcome(now, connection);
  } else {
    OnHello(now, connection);
  }
  return true;
}

void Greeter::OnWelcome(Time now, Connection& connection) {
  Session& session = *connection.session;
  const uint8_t index = connection.index;
  const auto welcome = Welcome::Parse(connection.greeting);
  if (!welcome.has_value() || welcome->channel != index) {
    core_.drops.Count(DropReason::kBadHandshake);
    OnDialFailed(now, session, index, 0);
    return;
  }
  if (welcome->verdict != Verdict::kAccepted) {
    if (session.up) {
      OnDialFailed(now, session, index, 0);
    } else if (welcome->verdict == Verdict::kBusy) {
      life_.TakeDown(session, ECONNREFUSED);
    } else {
      GiveUpOn(now, session, Absence::kRejected);
    }
    return;
  }
  const bool first = !session.up;
  const bool fits = first ? welcome->channel_count <= core_.config.channel_limit()
                          : welcome->token == session.token;
  if (!fits) {
    core_.drops.Count(DropReason::kBadHandshake);
    OnDialFailed(now, session, index, 0);
    return;
  }
  if (first) {
    absent_.Forget(session.peer);
    session.token = welcome->token;
    session.channel_count = welcome->channel_count;
    for (uint8_t i = 1; i < session.channel_count; ++i) session.channels[i].dial_at = now;
    life_.BringUp(now, session);
  }
  life_.Attach(now, session, std::move(session.channels[index].dial));
  if (first) life_.Rearm(session);
}

void Greeter::OnHello(Time now, Connection& connection) {
  const auto hello = Hello::Parse(connection.greeting);
  if (!hello.has_value()) {
    Drop(now, connection, 0, DropReason::kBadHandshake);
    return;
  }
  if (hello->version_min > kVersion || hello->version_max < kVersion) {
    Reject(connection, Verdict::kNoCommonVersion, DropReason::kBadVersion);
    return;
  }
  if (!core_.config.networks.Contain(connection.peer.address)) {
    Reject(connection, Verdict::kDenied, DropReason::kDenied);
    return;
  }
  if (hello->token == 0) {
    Admit(now, connection, *hello);
    return;
  }
  Session* session = core_.sessions.FindByToken(hello->token);
  const bool known = session != nullptr && session->peer.address == connection.peer.address &&
                     hello->channel < session->channel_count;
  if (!known) {
    Reject(connection, Verdict::kUnknownSession, DropReason::kUnknownToken);
    return;
  }
  Join(now, connection, *hello, *session);
}

void Greeter::Admit(Time now, Connection& connection, const Hello& hello) {
  const wire::IpEndpoint peer{connection.peer.address, hello.base_port};
  Session* session = core_.sessions.Create(peer, /*client=*/false);
  if (session == nullptr) {
    Reject(connection, Verdict::kBusy, DropReason::kSessionLimit);
    return;
  }
  while (!core_.sessions.SetToken(*session, core_.rng->Next())) {
  }
  session->channel_count = std::min(hello.channel_count, core_.config.channel_limit());
  absent_.Forget(peer);
  life_.BringUp(now, *session);
  Join(now, connection, hello, *session);
  if (session->infos.empty()) life_.TakeDown(*session, ECONNRESET);
}

void Greeter::Join(Time now, Connection& connection, const Hello& hello, Session& session) {
  connection.index = hello.channel;
  connection.app_class = hello.app_class;
  auto joining = TakeStranger(connection);
  if (!SendWelcome(*joining, session)) {
    core_.Bury(std::move(joining));
    return;
  }
  life_.Attach(now, session, std::move(joining));
}

bool Greeter::SendWelcome(const Connection& connection, const Session& session) {
  std::array<std::byte, kGreetingSize> welcome;
  Welcome{
      .channel_count = session.channel_count, .channel = connection.index, .token = session.token}
      .Build(welcome.data());
  return send(connection.fd.get(), welcome.data(), welcome.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(welcome.size());
}

void Greeter::Reject(Connection& connection, Verdict verdict, DropReason reason) {
  core_.drops.Count(reason);
  std::array<std::byte, kGreetingSize> welcome;
  Welcome{.verdict = verdict, .channel_count = 0}.Build(welcome.data());
  // Nothing is lost when it does not arrive: the connection ends all the same.
  (void)send(connection.fd.get(), welcome.data(), welcome.size(), MSG_NOSIGNAL);
  core_.Bury(TakeStranger(connection));
}

std::unique_ptr<Connection> Greeter::TakeStranger(Connection& connection) {
  const auto at = std::find_if(strangers_.begin(), strangers_.end(),
                               [&](const auto& one) { return one.get() == &connection; });
  auto taken = std::move(*at);
  strangers_.erase(at);
  return taken;
}

void Greeter::Drop(Time now, Connection& connection, int error, DropReason reason) {
  if (connection.phase != Connection::Phase::kAwaitHello) {
    OnDialFailed(now, *connection.session, connection.index, error);
    return;
  }
  core_.drops.Count(reason);
  core_.Bury(TakeStranger(connection));
}

}  // namespace netchannel::tcp

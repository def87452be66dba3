// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/tcp_driver.h"

#include <algorithm>
#include <utility>

#include "netdriver/tcp/core.h"
#include "netdriver/tcp/greeter.h"
#include "netdriver/tcp/session_life.h"
#include "netdriver/tcp/status.h"

namespace netchannel {

using tcp::Connection;
using tcp::RecordReceiver;
using tcp::RecordSender;

namespace {

// The classes in the order in which they are served.
constexpr size_t kServiceOrder[] = {static_cast<size_t>(AppClass::kLatency),
                                    static_cast<size_t>(AppClass::kThroughput)};

// An acknowledgement is due after so many bytes: a quarter of the default send ring, so that a
// writer never waits for one while bytes are under way.
constexpr uint64_t kAcknowledgeBytes = 128 * 1024;

// How long the listener rests when the process has no descriptor left for a connection.
constexpr Duration kAcceptPause = Duration::Millis(100);

// CUBIC is what a configuration says that says nothing: the kernel may allow another one only to
// who has no privilege. DCTCP somebody has asked for.
tcp::SocketOptions OptionsOf(const DriverConfig& config) {
  const bool dctcp = config.connection.congestion == transport::CongestionAlgorithm::kDctcp;
  return {.user_timeout = config.connection.user_timeout,
          .keepalive_interval = config.keepalive_interval,
          .congestion = dctcp ? "dctcp" : "cubic",
          .congestion_required = dctcp};
}

}  // namespace

struct TcpDriver::Impl {
  Impl(const DriverConfig& config, StreamTable* streams, Rng* rng, tcp::Poller poller, Time now)
      : core(config, streams, rng, std::move(poller), now), last_now(now) {}

  ~Impl() {
    for (tcp::Session* session : core.sessions.All()) life.Remove(*session);
  }

  struct Listener {
    UniqueFd fd;
    bool ready = false;
  };

  absl::Status Listen(const std::optional<wire::IpAddress>& address);
  void Note(const epoll_event& event);
  bool HasWaiting() const {
    return std::any_of(listeners.begin(), listeners.end(),
                       [](const auto& listener) { return listener->ready; });
  }
  void AcceptAll(Time now);
  Connection* NextReady();
  void AfterReceive(Time now, Connection& connection, RecordReceiver::Result result);
  void Owe(Time now, Connection& connection);
  // Sends all that the kernel takes, in at most `budget` calls. Returns how many.
  size_t SendOn(Time now, Connection& connection, size_t budget);

  tcp::Core core;
  tcp::SessionLife life{&core};
  tcp::Greeter greeter{&core, &life};
  std::vector<std::unique_ptr<Listener>> listeners;  // one a family
  Time accept_at;                                    // not before
  Time last_now;
};

absl::Status TcpDriver::Impl::Listen(const std::optional<wire::IpAddress>& address) {
  if (!address.has_value()) return absl::OkStatus();
  auto fd = tcp::Listen({*address, core.config.base_port}, core.options);
  if (!fd.ok()) return fd.status();
  listeners.push_back(std::make_unique<Listener>(Listener{*std::move(fd)}));
  if (core.poller.Add(listeners.back()->fd.get(), listeners.back().get())) return absl::OkStatus();
  return absl::ResourceExhaustedError("channels over TCP: epoll_ctl on the listener failed");
}

absl::StatusOr<std::unique_ptr<TcpDriver>> TcpDriver::Open(const DriverConfig& config,
                                                           StreamTable* streams, Rng* rng,
                                                           Time now) {
  auto poller = tcp::Poller::Create();
  if (!poller.ok()) return poller.status();
  auto impl = std::make_unique<Impl>(config, streams, rng, *std::move(poller), now);
  impl->core.options = OptionsOf(config);
  wire::IpAddress v6;  // any: it names the family
  const auto own_v6 = config.addresses.For(v6);
  const auto own_v4 = config.addresses.For(wire::IpAddress::V4(0));
  for (const auto& address : {own_v4, own_v6}) {
    if (absl::Status status = impl->Listen(address); !status.ok()) return status;
  }
  return std::unique_ptr<TcpDriver>(new TcpDriver(std::move(impl)));
}

TcpDriver::TcpDriver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TcpDriver::~TcpDriver() = default;

// ---- sessions ----

absl::StatusOr<SessionHandle> TcpDriver::Connect(Time now, const wire::IpEndpoint& peer) {
  const auto session = impl_->greeter.Connect(now, peer);
  if (!session.ok()) return session.status();
  return (*session)->handle;
}

absl::StatusOr<SessionHandle> TcpDriver::Probe(Time now, const wire::IpEndpoint& peer) {
  const auto session = impl_->greeter.Probe(now, peer);
  if (!session.ok()) return session.status();
  return (*session)->handle;
}

std::optional<Absence> TcpDriver::AbsenceOf(Time now, const wire::IpEndpoint& peer) {
  return impl_->greeter.AbsenceOf(now, peer);
}

bool TcpDriver::IsUp(SessionHandle handle) const {
  const tcp::Session* session = impl_->core.sessions.Find(handle);
  return session != nullptr && session->up;
}

void TcpDriver::AddReference(SessionHandle handle) {
  if (tcp::Session* session = impl_->core.sessions.Find(handle)) impl_->life.AddReference(*session);
}

void TcpDriver::DropReference(Time now, SessionHandle handle) {
  if (tcp::Session* session = impl_->core.sessions.Find(handle)) {
    impl_->life.DropReference(now, *session);
  }
}

std::optional<Time> TcpDriver::LastHeard(SessionHandle handle) const {
  const tcp::Session* session = impl_->core.sessions.Find(handle);
  if (session == nullptr || !session->up) return std::nullopt;
  return session->last_received;
}

void TcpDriver::Ping(Time now, SessionHandle handle) {
  tcp::Session* session = impl_->core.sessions.Find(handle);
  if (session == nullptr || !session->up) return;
  impl_->life.Ping(now, *session);
  impl_->last_now = now;
}

std::optional<wire::IpEndpoint> TcpDriver::PeerOf(SessionHandle handle) const {
  const tcp::Session* session = impl_->core.sessions.Find(handle);
  if (session == nullptr) return std::nullopt;
  return session->peer;
}

StreamId TcpDriver::StreamRole(SessionHandle handle) const {
  const tcp::Session* session = impl_->core.sessions.Find(handle);
  return session != nullptr && !session->client ? 1 : 0;
}

absl::Span<const ChannelInfo> TcpDriver::Channels(SessionHandle handle) {
  const tcp::Session* session = impl_->core.sessions.Find(handle);
  if (session == nullptr || !session->up) return {};
  return session->infos;
}

bool TcpDriver::Enqueue(Time now, SessionHandle handle, uint8_t channel, const Segment& segment) {
  tcp::Session* session = impl_->core.sessions.Find(handle);
  if (session == nullptr || channel >= session->channel_count) return false;
  Connection* connection = session->channels[channel].connection.get();
  if (connection == nullptr || !connection->sender.Enqueue(segment)) return false;
  tcp::SessionLife::RefreshInfo(*session, *connection);
  impl_->core.Schedule(*connection);
  impl_->last_now = now;
  return true;
}

// ---- in ----

void TcpDriver::Impl::Note(const epoll_event& event) {
  for (const auto& listener : listeners) {
    if (event.data.ptr != listener.get()) continue;
    listener->ready = true;
    return;
  }
  auto& connection = *static_cast<Connection*>(event.data.ptr);
  const bool over = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  connection.hangup |= over;
  connection.readable |= over || (event.events & EPOLLIN) != 0;
  connection.writable |= over || (event.events & EPOLLOUT) != 0;
  core.Schedule(connection);
}

void TcpDriver::Impl::AcceptAll(Time now) {
  for (const auto& listener : listeners) {
    if (listener->ready) listener->ready = !greeter.Accept(now, listener->fd.get());
  }
  if (HasWaiting()) accept_at = now + kAcceptPause;
}

void TcpDriver::Poll(Time now) {
  Impl& impl = *impl_;
  impl.last_now = now;
  impl.core.EmptyGraves();
  for (const epoll_event& event : impl.core.poller.Poll()) impl.Note(event);
  if (impl.HasWaiting() && now >= impl.accept_at) impl.AcceptAll(now);
  if (!impl.core.greeting.empty()) impl.greeter.Advance(now);
}

Connection* TcpDriver::Impl::NextReady() {
  for (const size_t app_class : kServiceOrder) {
    if (Connection* connection = core.ready[app_class].PopFront()) return connection;
  }
  return nullptr;
}

bool TcpDriver::ReceiveNext(Time now, ReceiveRings& rings, std::vector<Delivery>& out) {
  Impl& impl = *impl_;
  impl.core.EmptyGraves();
  Connection* connection = impl.NextReady();
  if (connection == nullptr) return false;
  const auto result =
      connection->receiver.Receive(connection->fd.get(), connection->session->handle, rings, out);
  impl.AfterReceive(now, *connection, result);
  return true;
}

void TcpDriver::Impl::AfterReceive(Time now, Connection& connection,
                                   RecordReceiver::Result result) {
  tcp::Session& session = *connection.session;
  session.last_received = now;
  if (const auto position = connection.receiver.TakeAcknowledged()) {
    if (!connection.sender.OnAcknowledged(*position, session.handle, core.events)) {
      core.drops.Count(DropReason::kBadAck);
      life.Fail(now, connection, ECONNRESET);
      return;
    }
    if (!session.orphans.empty()) life.PlaceOrphans(session);
  }
  switch (result) {
    case RecordReceiver::Result::kDrained:
      connection.readable = connection.hangup;
      break;
    case RecordReceiver::Result::kMore:
      break;
    case RecordReceiver::Result::kClosed:
      life.TakeDown(session, ECONNRESET);
      return;
    case RecordReceiver::Result::kMalformed:
      core.drops.Count(DropReason::kBadRecord);
      life.Fail(now, connection, ECONNRESET);
      return;
    case RecordReceiver::Result::kEnd:
      life.Fail(now, connection, 0);
      return;
    case RecordReceiver::Result::kFailed:
      life.Fail(now, connection, connection.receiver.error());
      return;
  }
  connection.sender.SetReceived(connection.receiver.position());
  if (connection.receiver.TakeEliciting()) Owe(now, connection);
  tcp::SessionLife::RefreshInfo(session, connection);
  core.Schedule(connection);
}

void TcpDriver::Impl::Owe(Time now, Connection& connection) {
  if (connection.sender.unacknowledged_received() >= kAcknowledgeBytes) {
    connection.sender.RequestAcknowledgement();
    return;
  }
  if (tcp::Core::OwingList::IsLinked(connection)) return;
  connection.acknowledge_at = now + core.config.connection.max_ack_delay;
  core.owing.PushBack(connection);
}

int TcpDriver::wait_fd() const { return impl_->core.poller.fd(); }

// ---- out ----

size_t TcpDriver::Impl::SendOn(Time now, Connection& connection, size_t budget) {
  tcp::Session& session = *connection.session;
  auto result = RecordSender::Result::kMore;
  size_t calls = 0;
  while (result == RecordSender::Result::kMore && calls < budget) {
    result = connection.sender.Send(connection.fd.get(), *core.streams);
    ++calls;
  }
  if (result == RecordSender::Result::kFailed) {
    life.Fail(now, connection, connection.sender.error());
    return calls;
  }
  if (result == RecordSender::Result::kBlocked) connection.writable = false;
  tcp::SessionLife::RefreshInfo(session, connection);
  if (!session.orphans.empty()) life.PlaceOrphans(session);
  if (result == RecordSender::Result::kMore) core.Schedule(connection);
  return calls;
}

size_t TcpDriver::PollTransmit(Time now, size_t budget) {
  impl_->last_now = now;
  impl_->core.EmptyGraves();
  size_t sent = 0;
  for (const size_t app_class : kServiceOrder) {
    auto& active = impl_->core.active[app_class];
    for (size_t left = active.size(); left > 0 && sent < budget && !active.empty(); --left) {
      sent += impl_->SendOn(now, *active.PopFront(), budget - sent);
    }
  }
  return sent;
}

// ---- time ----

void TcpDriver::OnTimer(Time now) {
  Impl& impl = *impl_;
  impl.last_now = now;
  while (!impl.core.owing.empty() && impl.core.owing.front()->acknowledge_at <= now) {
    Connection& connection = *impl.core.owing.PopFront();
    connection.sender.RequestAcknowledgement();
    impl.core.Schedule(connection);
  }
  while (Timer* timer = impl.core.greeting_timers.PopExpired(now)) {
    impl.greeter.OnGreetingTimer(now, *static_cast<Connection*>(timer->owner()));
  }
  while (Timer* timer = impl.core.session_timers.PopExpired(now)) {
    tcp::Session& session = *static_cast<tcp::Session*>(timer->owner());
    const SessionHandle handle = session.handle;
    if (session.up) {
      const bool dial = impl.life.OnTimer(now, session);
      if (impl.core.sessions.Find(handle) == nullptr) continue;
      if (!dial) {
        impl.life.Rearm(session);
        continue;
      }
    }
    impl.greeter.OnSessionTimer(now, session);
  }
}

Time TcpDriver::NextTimeout() const {
  const tcp::Core& core = impl_->core;
  if (core.HasWork()) return impl_->last_now;
  Time next = std::min(core.session_timers.NextDeadline(), core.greeting_timers.NextDeadline());
  if (impl_->HasWaiting()) next = std::min(next, impl_->accept_at);
  if (!core.owing.empty()) next = std::min(next, core.owing.front()->acknowledge_at);
  return next;
}

std::optional<DriverEvent> TcpDriver::PollEvent() { return impl_->core.events.Pop(); }

void TcpDriver::Shutdown(Time) {
  for (tcp::Session* session : impl_->core.sessions.All()) {
    impl_->life.SendClose(*session, wire::CloseCode::kShutdown);
    impl_->life.Remove(*session);
  }
}

uint64_t TcpDriver::drops(DropReason reason) const { return impl_->core.drops[reason]; }

size_t TcpDriver::session_count() const { return impl_->core.sessions.size(); }

std::vector<SessionStatus> TcpDriver::Status() const {
  std::vector<SessionStatus> rows;
  for (const tcp::Session* session : impl_->core.sessions.All())
    rows.push_back(tcp::StatusOf(*session));
  return rows;
}

}  // namespace netchannel

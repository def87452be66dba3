// SPDX-License-Identifier: Apache-2.0
#include "vns/stream_opening.h"

#include <algorithm>
#include <cerrno>

namespace netchannel {
namespace {

int ErrorOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return ENOBUFS;
    case absl::StatusCode::kPermissionDenied:
      return EACCES;
    case absl::StatusCode::kUnimplemented:
      return EPROTONOSUPPORT;
    default:
      return EHOSTUNREACH;
  }
}

// TCP repeats a SYN after one second, because it cannot know why there is no answer. Here the peer
// says that its program is behind with accept(), and that takes less.
constexpr Duration kFirstRetry = Duration::Millis(2);
constexpr Duration kLastRetry = Duration::Seconds(1);
constexpr uint8_t kMaxDoublings = 9;  // from the first to above the last

}  // namespace

int StreamOpening::Connect(Time now, VirtualSocket& socket, const wire::IpEndpoint& peer) {
  switch (socket.state) {
    case SocketState::kIdle:
    case SocketState::kBound:
      break;
    case SocketState::kConnecting:
      return EALREADY;
    case SocketState::kConnected:
    case SocketState::kListening:
      return EISCONN;
    case SocketState::kClosed:
      if (const int error = StartOver(socket); error != 0) return error;
  }
  if (peer.port == 0) return ECONNREFUSED;
  // A stack has no channel to itself, and none to a family in which it has no address.
  const wire::LocalAddresses& own = core_.config.addresses;
  const bool reachable =
      !peer.address.is_unspecified() && !own.Has(peer.address) && own.For(peer.address).has_value();
  if (!reachable) return NoChannelTo(now, socket, peer);
  if (const int error = TakeNames(socket, peer); error != 0) return error;
  const auto session = FindSession(now, socket, peer.address);
  if (!session.ok()) {
    GiveNamesBack(socket, peer);
    const int error = ErrorOf(session.status());
    return error == EPROTONOSUPPORT ? NoChannelTo(now, socket, peer) : error;
  }
  socket.opener = true;
  socket.state = SocketState::kConnecting;
  socket.stream_state = StreamState::kWaitSession;
  socket.progress_at = now;
  socket.refusals = 0;
  socket.send.Open(socket.buffers.send.size, kEarlyDataLimit, SendBuffer::Begin::kNotYetAccepted);
  OpenReceiveBuffer(socket);
  Enter(now, *session);
  core_.Join(socket, *session);
  core_.ArmTimer(socket);
  core_.MarkChanged(socket);
  if (core_.port->IsUp(*session)) BeginOpen(now, socket);
  return EINPROGRESS;
}

absl::StatusOr<SessionHandle> StreamOpening::FindSession(Time now, const VirtualSocket& socket,
                                                         const wire::IpAddress& peer) {
  const wire::IpEndpoint stack{peer, core_.config.peer_base_port};
  return socket.options.probe ? core_.port->Probe(now, stack) : core_.port->Connect(now, stack);
}

int StreamOpening::NoChannelTo(Time now, const VirtualSocket& socket,
                               const wire::IpEndpoint& peer) {
  const auto why = core_.port->AbsenceOf(now, {peer.address, core_.config.peer_base_port});
  core_.NoteFallback(socket, peer, why.value_or(Absence::kSilent));
  return EPROTONOSUPPORT;
}

// A failed connect may be repeated on the same socket, as on Linux, unless bytes have moved.
int StreamOpening::StartOver(VirtualSocket& socket) {
  const bool untouched = socket.send.written() == 0 && socket.receive.received() == 0 &&
                         !socket.send.fin_requested() && !socket.receive.complete();
  if (!untouched || !socket.opener || socket.stream_state != StreamState::kNone) return EINVAL;
  core_.ReleaseNames(socket);
  socket.error = 0;
  return 0;
}

int StreamOpening::TakeNames(VirtualSocket& socket, const wire::IpEndpoint& peer) {
  int error = 0;
  if (socket.hold.port != 0) {
    error = core_.ports.Connect(socket.hold, peer);
  } else {
    error = core_.ports.BindAndConnect(peer, SharingOf(socket.options), socket.hold);
  }
  if (error != 0) return error;
  socket.local_address = *core_.config.addresses.For(peer.address);
  socket.peer = peer;
  socket.tuple_held = true;
  return 0;
}

// A port that was chosen for this connection goes back, too: the next one may be of another family.
void StreamOpening::GiveNamesBack(VirtualSocket& socket, const wire::IpEndpoint& peer) {
  if (socket.hold.for_connect) {
    core_.ReleaseNames(socket);
    return;
  }
  core_.ports.Disconnect(socket.hold.port, peer);
  socket.tuple_held = false;
}

SessionStreams& StreamOpening::Enter(Time now, SessionHandle session) {
  if (const SessionStreams* older = core_.sessions.FindOlder(session)) {
    ending_.OnSessionDown(now, older->handle, ECONNRESET);
  }
  return core_.sessions.Get(session);
}

void StreamOpening::OnSessionUp(Time now, SessionHandle session) {
  const SessionStreams* streams = core_.sessions.Find(session);
  if (streams == nullptr) return;
  VirtualSocket* next = streams->sockets.front();
  while (next != nullptr) {
    VirtualSocket& socket = *next;
    next = socket.session_link.next;  // BeginOpen may take the socket off the list
    if (socket.stream_state == StreamState::kWaitSession) BeginOpen(now, socket);
  }
}

void StreamOpening::OnPeerAbsent(Time now, SessionHandle session) {
  const SessionStreams* streams = core_.sessions.Find(session);
  VirtualSocket* next = streams == nullptr ? nullptr : streams->sockets.front();
  while (next != nullptr) {
    VirtualSocket& socket = *next;
    next = socket.session_link.next;
    if (socket.stream_state != StreamState::kWaitSession || !socket.options.probe) continue;
    const int error = NoChannelTo(now, socket, socket.peer);
    ending_.Fail(now, socket, error);
  }
}

void StreamOpening::NoteAbsence(Time now, SessionHandle session) {
  const SessionStreams* streams = core_.sessions.Find(session);
  if (streams == nullptr) return;
  for (const VirtualSocket& socket : streams->sockets) NoChannelTo(now, socket, socket.peer);
}

void StreamOpening::OnSessionDown(Time now, SessionHandle session, int error) {
  if (error == EPROTONOSUPPORT) NoteAbsence(now, session);
  IntrusiveList<VirtualSocket, &VirtualSocket::session_link> again;
  SessionStreams* streams = error == ECONNRESET ? core_.sessions.Find(session) : nullptr;
  VirtualSocket* next = streams == nullptr ? nullptr : streams->sockets.front();
  while (next != nullptr) {
    VirtualSocket& socket = *next;
    next = socket.session_link.next;
    if (!MayOpenAgain(socket)) continue;
    if (socket.stream.valid()) core_.Unbind(socket);
    core_.Leave(now, socket, false);
    again.PushBack(socket);
  }
  ending_.OnSessionDown(now, session, error);
  while (VirtualSocket* socket = again.PopFront()) OpenAgain(now, *socket);
}

bool StreamOpening::MayOpenAgain(const VirtualSocket& socket) {
  const bool nothing_came = socket.receive.received() == 0 && !socket.receive.has_unread();
  const bool not_accepted =
      socket.stream_state == StreamState::kOpening || socket.stream_state == StreamState::kWaitRoom;
  return not_accepted && socket.send.untouched() && nothing_came;
}

void StreamOpening::OpenReceiveBuffer(VirtualSocket& socket) const {
  const ByteCount window = std::max(core_.config.initial_window, kEarlyDataLimit);
  socket.receive.Open(socket.buffers.receive, window, MaxWindowOf(socket.options));
}

// The connect timeout goes on from the first attempt.
void StreamOpening::OpenAgain(Time now, VirtualSocket& socket) {
  const auto session = FindSession(now, socket, socket.peer.address);
  if (!session.ok()) {
    ending_.EnterClosed(socket, ErrorOf(session.status()));
    return;
  }
  StartAnew(socket, StreamState::kWaitSession);
  Enter(now, *session);
  core_.Join(socket, *session);
  core_.ArmTimer(socket);
  if (core_.port->IsUp(*session)) BeginOpen(now, socket);
}

void StreamOpening::StartAnew(VirtualSocket& socket, StreamState state) {
  const bool discarding = socket.receive.discarding();
  socket.send.Rewind(kEarlyDataLimit);
  OpenReceiveBuffer(socket);
  if (discarding) socket.receive.Discard();
  socket.stream_state = state;
}

bool StreamOpening::TryAgainLater(Time now, VirtualSocket& socket, wire::ResetCode code) {
  const bool open = code == wire::ResetCode::kBacklogFull &&
                    socket.stream_state == StreamState::kOpening && socket.receive.received() == 0;
  if (!open) return false;
  core_.Unbind(socket);
  StartAnew(socket, StreamState::kWaitRoom);
  const int doublings = std::min(socket.refusals, kMaxDoublings);
  socket.refusals = std::min<uint8_t>(socket.refusals, kMaxDoublings) + 1;
  const Duration wait = std::min(kFirstRetry * (int64_t{1} << doublings), kLastRetry);
  core_.timers.Schedule(socket.timer, std::min(now + wait, core_.DeadlineOf(socket)));
  return true;
}

void StreamOpening::OnTimer(Time now, VirtualSocket& socket) {
  if (now >= core_.DeadlineOf(socket)) {
    ending_.OnTimer(now, socket);
    return;
  }
  core_.ArmTimer(socket);
  BeginOpen(now, socket);
}

void StreamOpening::BeginOpen(Time now, VirtualSocket& socket) {
  SessionStreams* session = core_.sessions.Find(socket.session);
  const StreamId id = session->TakeId(core_.port->StreamRole(socket.session));
  if (const int error = core_.Bind(socket, id); error != 0) {
    ending_.Fail(now, socket, error);
    return;
  }
  socket.stream_state = StreamState::kOpening;
  core_.AddControl(socket, kTellOpen);
  core_.RefreshReady(socket);
}

void StreamOpening::OnOpen(Time now, const Delivery& d) {
  if (VirtualSocket* known = core_.stream_map.Find(d.session, d.stream)) {
    if (known->stream_state == StreamState::kEstablished) known->send.RaiseLimit(d.receive_limit);
    return;
  }
  const bool lawful = SessionStreams::RoleOf(d.stream) != core_.port->StreamRole(d.session) &&
                      SessionStreams::NumberOf(d.stream) != 0 && d.source_port != 0;
  if (!lawful) {
    core_.stats.violations += 1;
    return;
  }
  SessionStreams& session = Enter(now, d.session);
  if (session.Seen(d.stream)) return;  // late and again: its stream has lived
  const bool admissible = session.MarkSeen(d.stream);
  const wire::ResetCode code = admissible ? Admit(now, d) : wire::ResetCode::kNoMemory;
  if (code == wire::ResetCode::kNone) return;
  core_.stats.refused += 1;
  RejectUnknown(now, d.session, d.stream, code);
}

VirtualSocket* StreamOpening::ChooseListener(absl::Span<const uint32_t> listeners) {
  for (size_t i = 0; i < listeners.size(); ++i) {
    VirtualSocket* candidate = core_.sockets.Find(listeners[listener_turn_++ % listeners.size()]);
    if (!candidate->listener->full()) return candidate;
  }
  return nullptr;
}

wire::ResetCode StreamOpening::Admit(Time now, const Delivery& d) {
  const auto peer_stack = core_.port->PeerOf(d.session);
  if (!peer_stack.has_value()) return wire::ResetCode::kNoMemory;
  const auto listeners = core_.ports.Listeners(d.destination_port, peer_stack->address);
  if (listeners.empty()) return wire::ResetCode::kRefused;
  VirtualSocket* const chosen = ChooseListener(listeners);
  if (chosen == nullptr) return wire::ResetCode::kBacklogFull;
  VirtualSocket& listener = *chosen;
  VirtualSocket* socket = core_.sockets.Allocate();
  if (socket == nullptr) return wire::ResetCode::kNoMemory;
  if (!core_.AllocateBuffers(*socket, listener.owner)) {
    core_.sockets.Free(*socket);
    return wire::ResetCode::kNoMemory;
  }
  socket->options = listener.options;
  socket->traffic_class.opened_as_latency = d.app_class == AppClass::kLatency;
  core_.RefreshClass(*socket);
  socket->peer = {peer_stack->address, d.source_port};
  socket->local_address = *core_.config.addresses.For(peer_stack->address);
  socket->hold =
      core_.ports.Share(d.destination_port, peer_stack->address, SharingOf(listener.options));
  socket->send.Open(socket->buffers.send.size, d.receive_limit, SendBuffer::Begin::kAccepted);
  OpenReceiveBuffer(*socket);
  core_.Join(*socket, d.session);
  const bool too_small = socket->buffers.receive.size < kEarlyDataLimit;
  if (too_small || core_.Bind(*socket, d.stream) != 0) {
    core_.Leave(now, *socket, true);
    core_.ReleaseIfOver(*socket);
    return wire::ResetCode::kNoMemory;
  }
  socket->state = SocketState::kConnected;
  socket->stream_state = StreamState::kEstablished;
  socket->progress_at = now;
  socket->held = true;
  socket->in_backlog = true;
  listener.listener->waiting.PushBack(*socket);
  core_.ArmTimer(*socket);
  core_.AddControl(*socket, kTellAccept);
  core_.MarkChanged(listener);
  core_.stats.accepts += 1;
  return wire::ResetCode::kNone;
}

void StreamOpening::OnAccept(Time now, const Delivery& d) {
  VirtualSocket* socket = core_.stream_map.Find(d.session, d.stream);
  if (socket == nullptr) {
    RejectUnknown(now, d.session, d.stream, wire::ResetCode::kGone);
    return;
  }
  if (socket->stream_state == StreamState::kResetting) return;
  if (!socket->opener) {
    core_.stats.violations += 1;
    return;
  }
  socket->send.RaiseLimit(d.receive_limit);
  if (socket->stream_state == StreamState::kOpening) {
    socket->send.OnAccepted();
    socket->stream_state = StreamState::kEstablished;
    socket->state = SocketState::kConnected;
    socket->progress_at = now;
    core_.stats.connects += 1;
    core_.MarkChanged(*socket);
  }
  core_.RefreshReady(*socket);
  if (ending_.OnProgress(now, *socket)) core_.ArmTimer(*socket);
}

void StreamOpening::Forbid(Time now, SessionHandle session, StreamId id) {
  if (SessionStreams::RoleOf(id) == core_.port->StreamRole(session)) return;
  SessionStreams& streams = Enter(now, session);
  if (!streams.MarkSeen(id)) core_.stats.violations += 1;
}

void StreamOpening::RejectUnknown(Time now, SessionHandle session, StreamId id,
                                  wire::ResetCode code) {
  VirtualSocket* socket = core_.sockets.AllocateForReset();
  if (socket == nullptr) {
    core_.stats.resets_dropped += 1;
    return;
  }
  Enter(now, session);
  core_.Join(*socket, session);
  if (core_.Bind(*socket, id) != 0) {
    core_.stats.resets_dropped += 1;
    core_.Leave(now, *socket, true);
    core_.ReleaseIfOver(*socket);
    return;
  }
  core_.Rebind(*socket, code);
}

}  // namespace netchannel

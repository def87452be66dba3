// SPDX-License-Identifier: Apache-2.0
#include "vns/stream_ending.h"

#include <cerrno>
#include <utility>

namespace netchannel {
namespace {

int ErrorOf(wire::ResetCode code, bool opening) {
  switch (code) {
    case wire::ResetCode::kRefused:
    case wire::ResetCode::kBacklogFull:
    case wire::ResetCode::kNoMemory:
      return opening ? ECONNREFUSED : ECONNRESET;
    case wire::ResetCode::kTimedOut:
      return ETIMEDOUT;
    default:
      return ECONNRESET;
  }
}

}  // namespace

int StreamEnding::Shutdown(Time now, VirtualSocket& socket, SocketLayer::Direction how) {
  if (socket.state == SocketState::kListening) {  // wakes those who wait in accept(), as on Linux
    StopListening(now, socket);
    socket.state = SocketState::kBound;
    core_.MarkChanged(socket);
    return 0;
  }
  if (socket.state != SocketState::kConnected) return ENOTCONN;
  const auto bits = static_cast<uint8_t>(how);
  if ((bits & static_cast<uint8_t>(SocketLayer::Direction::kRead)) != 0) {
    socket.read_shut = true;
    socket.receive.Discard();
    core_.RefreshWindow(socket);
    core_.MarkChanged(socket);
  }
  if ((bits & static_cast<uint8_t>(SocketLayer::Direction::kWrite)) != 0) {
    socket.send.RequestFin();
    core_.RefreshReady(socket);
  }
  return 0;
}

void StreamEnding::StopListening(Time now, VirtualSocket& socket) {
  core_.ports.StopListening(socket.hold, socket.id);
  while (VirtualSocket* waiting = socket.listener->waiting.PopFront()) {
    waiting->in_backlog = false;
    Abort(now, *waiting);
  }
  socket.listener.reset();
}

void StreamEnding::Close(Time now, VirtualSocket& socket) {
  if (socket.listener != nullptr) StopListening(now, socket);
  const bool hard = socket.options.linger && socket.options.linger_time <= Duration::Zero();
  const bool nothing_to_deliver = socket.connecting() && socket.send.written() == 0;
  if (hard || nothing_to_deliver) {
    Abort(now, socket);
    return;
  }
  socket.held = false;
  if (core_.ReleaseIfOver(socket)) return;
  if (socket.orphan()) BecomeOrphan(now, socket);
}

void StreamEnding::BecomeOrphan(Time now, VirtualSocket& socket) {
  if (socket.changed_link.linked) core_.changed.Remove(socket);
  if (!socket.read_shut && socket.receive.has_unread()) {
    socket.reset_when_drained = true;
  } else {
    socket.send.RequestFin();
  }
  socket.receive.Discard();
  core_.RefreshWindow(socket);
  core_.RefreshReady(socket);
  if (socket.stream_state == StreamState::kEstablished) socket.progress_at = now;
  if (OnProgress(now, socket)) core_.ArmTimer(socket);
}

void StreamEnding::CloseAll(Time now, uint32_t owner) {
  for (SocketId id = 0; id < core_.sockets.high_water(); ++id) {
    VirtualSocket* socket = core_.sockets.Find(id);
    if (socket == nullptr || socket->owner != owner || !socket->has_buffers) continue;
    if (socket->in_backlog) continue;  // goes with its listener
    if (socket->listener != nullptr) StopListening(now, *socket);
    Abort(now, *socket);
  }
}

void StreamEnding::Abort(Time now, VirtualSocket& socket) {
  socket.held = false;
  switch (socket.stream_state) {
    case StreamState::kNone:
    case StreamState::kResetting:
      break;
    case StreamState::kWaitSession:
    case StreamState::kWaitRoom:
      Finish(now, socket, true);
      break;
    case StreamState::kOpening:
    case StreamState::kEstablished:
      core_.Rebind(socket, wire::ResetCode::kAborted);
      break;
  }
  core_.ReleaseIfOver(socket);
}

// The stream leaves all tables.
void StreamEnding::Finish(Time now, VirtualSocket& socket, bool session_lives) {
  core_.timers.Cancel(socket.timer);
  if (socket.stream.valid()) core_.Unbind(socket);
  core_.Leave(now, socket, session_lives);
}

void StreamEnding::EnterClosed(VirtualSocket& socket, int error) {
  socket.state = SocketState::kClosed;
  socket.error = error;
  core_.MarkChanged(socket);
  core_.ReleaseIfOver(socket);
}

void StreamEnding::Fail(Time now, VirtualSocket& socket, int error, bool session_lives) {
  Finish(now, socket, session_lives);
  EnterClosed(socket, error);
}

void StreamEnding::FailWithReset(VirtualSocket& socket, int error, wire::ResetCode code) {
  core_.timers.Cancel(socket.timer);
  core_.Rebind(socket, code);
  EnterClosed(socket, error);
}

bool StreamEnding::OnProgress(Time now, VirtualSocket& socket) {
  if (socket.stream_state != StreamState::kEstablished) return true;
  if (socket.send.complete() && socket.receive.complete() && !socket.reset_when_drained) {
    Fail(now, socket, 0);
    return false;
  }
  if (socket.held || !socket.send.drained()) return true;
  if (socket.reset_when_drained) {
    FailWithReset(socket, ECONNRESET, wire::ResetCode::kAborted);
    return false;
  }
  if (socket.send.complete()) core_.FreeBuffers(socket);
  return true;
}

void StreamEnding::OnPeerReset(Time now, VirtualSocket& socket, wire::ResetCode code) {
  core_.stats.resets_received += 1;
  // The peer's end forgot the stream after it had both FINs, and met a late copy of something of
  // ours.
  const bool over_for_the_peer =
      code == wire::ResetCode::kGone && socket.send.fin_sent() && socket.receive.complete();
  if (over_for_the_peer) socket.send.AcknowledgeAll();
  const bool opening = socket.stream_state == StreamState::kOpening;
  const bool ours_too = socket.stream_state == StreamState::kResetting;
  const int error = ours_too ? socket.error : over_for_the_peer ? 0 : ErrorOf(code, opening);
  Fail(now, socket, error);
}

void StreamEnding::OnResetDelivered(Time now, VirtualSocket& socket) {
  Finish(now, socket, true);
  core_.ReleaseIfOver(socket);
}

void StreamEnding::OnSessionDown(Time now, SessionHandle session, int error) {
  SessionStreams* streams = core_.sessions.Find(session);
  if (streams == nullptr) return;
  if (!streams->sockets.empty()) core_.stats.sessions_lost += 1;
  while (VirtualSocket* socket = streams->sockets.front()) {
    const bool resetting = socket->stream_state == StreamState::kResetting;
    const bool established = socket->stream_state == StreamState::kEstablished;
    int reported = error != 0 ? error : ECONNRESET;
    if (established && reported == ECONNREFUSED) reported = ECONNRESET;
    Fail(now, *socket, resetting ? socket->error : reported, false);
  }
  core_.sessions.Erase(session);
}

void StreamEnding::OnTimer(Time now, VirtualSocket& socket) {
  if (core_.DeadlineOf(socket) > now && core_.KeepAlive(now, socket)) {
    core_.ArmTimer(socket);
    return;
  }
  core_.stats.timeouts += 1;
  if (!socket.stream.valid()) {  // the peer knows nothing of it
    Fail(now, socket, ETIMEDOUT);
    return;
  }
  // An orphan that only waited for the peer's FIN: all was delivered, but what the peer may still
  // send has no reader, and it must not believe otherwise.
  const bool delivered = socket.orphan() && socket.send.complete();
  FailWithReset(socket, ETIMEDOUT,
                delivered ? wire::ResetCode::kAborted : wire::ResetCode::kTimedOut);
}

}  // namespace netchannel

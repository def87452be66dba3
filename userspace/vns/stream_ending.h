// SPDX-License-Identifier: Apache-2.0
//
// How streams end: half-close, close() with its linger rules, resets, timeouts, and the loss of a
// session.
//
// close() gives the socket up at once, and the stream goes on as an orphan until all that was
// written is acknowledged:
//   - nothing unread:  FIN behind the last byte; the buffers return when it is acknowledged, the
//   stream ends
//                      with the peer's FIN, or with RESET(kAborted) kOrphanTimeout after the last
//                      sign of progress;
//   - data unread, or data that arrives later: the peer's bytes are lost, so it gets
//   RESET(kAborted) as with
//                      TCP, but behind our own bytes, not instead of them;
//   - SO_LINGER of 0:  RESET(kAborted) at once.
// An orphan that makes no progress for kOrphanTimeout (or the user timeout, while bytes are in
// flight) is reset.
//
// The session sends keepalives for all its streams, and its end is reported to each of them. A
// socket that wants to know sooner asks after the peer itself (vns/keepalive.h), and ends alone.
//
// Thread: one at a time. Errors: errno values.
#pragma once

#include "vns/socket_core.h"

namespace netchannel {

class StreamEnding {
 public:
  explicit StreamEnding(SocketCore* core) : core_(*core) {}

  // From the application.
  int Shutdown(Time now, VirtualSocket& socket, SocketLayer::Direction how);
  void Close(Time now, VirtualSocket& socket);
  // Everything that uses the memory of `owner` ends now.
  void CloseAll(Time now, uint32_t owner);

  // The stream is over with `error`, and the peer knows (or is gone). May free the socket.
  void Fail(Time now, VirtualSocket& socket, int error, bool session_lives = true);
  // The socket, which has no stream any more, is over with `error`. May free it.
  void EnterClosed(VirtualSocket& socket, int error);
  // The stream is over with `error`, and the peer is told why. May free the socket's buffers, not
  // itself.
  void FailWithReset(VirtualSocket& socket, int error, wire::ResetCode code);
  // Something was acknowledged or arrived: the stream may have ended, an orphan may be done. False
  // when the socket may be gone.
  bool OnProgress(Time now, VirtualSocket& socket);
  // The peer reset the stream.
  void OnPeerReset(Time now, VirtualSocket& socket, wire::ResetCode code);
  // Our RESET has arrived.
  void OnResetDelivered(Time now, VirtualSocket& socket);
  void OnSessionDown(Time now, SessionHandle session, int error);
  void OnTimer(Time now, VirtualSocket& socket);

 private:
  void Abort(Time now, VirtualSocket& socket);
  void Finish(Time now, VirtualSocket& socket, bool session_lives);
  void BecomeOrphan(Time now, VirtualSocket& socket);
  void StopListening(Time now, VirtualSocket& socket);

  SocketCore& core_;
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// How streams begin. The opener: connect() finds or starts the session with the peer's stack; once
// it is up the stream gets its id and OPEN goes out, alone or in front of the first data. The
// acceptor: an OPEN for a listening port becomes a connection at once, as in TCP, and waits in the
// listener's queue for accept(); any other OPEN is refused with a RESET. A full queue refuses, too,
// but says so: the opener goes on trying until its connect timeout, as TCP repeats its SYN.
//
// Thread: one at a time. Errors: errno values.
#pragma once

#include "vns/socket_core.h"
#include "vns/stream_ending.h"

namespace netchannel {

class StreamOpening {
 public:
  StreamOpening(SocketCore* core, StreamEnding* ending) : core_(*core), ending_(*ending) {}

  int Connect(Time now, VirtualSocket& socket, const wire::IpEndpoint& peer);
  // Nobody will answer, it seems: those who only probe are done. The others go on waiting.
  void OnPeerAbsent(Time now, SessionHandle session);
  void OnSessionUp(Time now, SessionHandle session);
  // Streams that were not accepted yet are opened again in a new session, if the peer is only
  // another one than before (it restarted, or closed the idle session while our OPEN was on its
  // way): for them nothing has happened yet. The others end.
  void OnSessionDown(Time now, SessionHandle session, int error);

  // The listener's queue was full. False when the stream is not one that may try again.
  bool TryAgainLater(Time now, VirtualSocket& socket, wire::ResetCode code);
  // Of a socket in kWaitRoom.
  void OnTimer(Time now, VirtualSocket& socket);

  void OnOpen(Time now, const Delivery& delivery);
  void OnAccept(Time now, const Delivery& delivery);
  // A record for a stream that is not there: tells the peer so, once until that has arrived.
  void RejectUnknown(Time now, SessionHandle session, StreamId id, wire::ResetCode code);
  // The stream must not be opened any more, should its OPEN come yet.
  void Forbid(Time now, SessionHandle session, StreamId id);

 private:
  absl::StatusOr<SessionHandle> FindSession(Time now, const VirtualSocket& socket,
                                            const wire::IpAddress& peer);
  int StartOver(VirtualSocket& socket);
  int TakeNames(VirtualSocket& socket, const wire::IpEndpoint& peer);
  void GiveNamesBack(VirtualSocket& socket, const wire::IpEndpoint& peer);
  // EPROTONOSUPPORT, and why.
  int NoChannelTo(Time now, const VirtualSocket& socket, const wire::IpEndpoint& peer);
  // Its handshake has found that the peer does not speak NetChannel.
  void NoteAbsence(Time now, SessionHandle session);
  void BeginOpen(Time now, VirtualSocket& socket);
  static bool MayOpenAgain(const VirtualSocket& socket);
  void OpenAgain(Time now, VirtualSocket& socket);
  // As after connect(), but what was written stays.
  void StartAnew(VirtualSocket& socket, StreamState state);
  void OpenReceiveBuffer(VirtualSocket& socket) const;
  SessionStreams& Enter(Time now, SessionHandle session);
  // The next of them in turn that has room; nullptr when none has.
  VirtualSocket* ChooseListener(absl::Span<const uint32_t> listeners);
  wire::ResetCode Admit(Time now, const Delivery& delivery);

  SocketCore& core_;
  StreamEnding& ending_;
  uint32_t listener_turn_ = 0;
};

}  // namespace netchannel

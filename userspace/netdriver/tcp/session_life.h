// SPDX-License-Identifier: Apache-2.0
//
// What happens to a session from its first channel to its end: connections become its channels,
// fail and are made anew, are kept alive, and go when nobody needs them.
//
// A connection that fails hands what its peer has not acknowledged to the session's other channels;
// bytes that arrive twice are placed twice at the same offset. With the last connection the session
// is over, and says why: ETIMEDOUT when the peer is silent (the kernel's user timeout), else
// ECONNRESET.
//
// Owner: the driver. Thread: the one that runs it. Errors: events.
#pragma once

#include <cstdint>
#include <memory>

#include "netdriver/tcp/core.h"
#include "wire/packet_layout.h"

namespace netchannel::tcp {

class SessionLife {
 public:
  explicit SessionLife(Core* core) : core_(*core) {}

  // The greeting is over: the connection is the channel of its index, in the place of one that has
  // failed without our notice.
  void Attach(Time now, Session& session, std::unique_ptr<Connection> connection);
  void BringUp(Time now, Session& session);
  // A channel's connection is over. `error`: an errno, or 0 when the peer has ended it.
  void Fail(Time now, Connection& connection, int error);
  // Removes the session and reports it.
  void TakeDown(Session& session, int error);
  // Removes it without a word.
  void Remove(Session& session);
  void SendClose(Session& session, wire::CloseCode code);

  // Provokes an answer, each time over the next channel: a peer is not silent because one is.
  void Ping(Time now, Session& session);

  void AddReference(Session& session);
  void DropReference(Time now, Session& session);
  // The timer of a session that is up. True: connections are to be opened (Channel::dial_at).
  bool OnTimer(Time now, Session& session);
  void Rearm(Session& session);
  // The connection of a channel is to be opened (again).
  void PlanDial(Time now, Channel& channel);

  void PlaceOrphans(Session& session);
  // After anything that moves its backlog.
  static void RefreshInfo(Session& session, const Connection& connection);

 private:
  static constexpr Duration kFirstDialPause = Duration::Millis(100);
  static constexpr Duration kMaxDialPause = Duration::Seconds(30);

  static void RebuildInfos(Session& session);

  Core& core_;
};

}  // namespace netchannel::tcp

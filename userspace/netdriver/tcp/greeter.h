// SPDX-License-Identifier: Apache-2.0
//
// How TCP connections become channels: dials, accepts, says HELLO and WELCOME, and makes sessions.
//
//   client                          server
//   connect                ----->   accept
//   HELLO(token 0)         ----->   a new session, with a token that nobody can guess
//   session, channel 0     <-----   WELCOME(token)
//   HELLO(token, index)    ----->   one more channel of the session; again for each
//                          <-----   WELCOME
//
// TCP has shown that the peer has its address; the token shows that a further connection comes from
// who has the session. It also finds out which peers do not speak NetChannel (Absence), as the
// Handshaker does over packets.
//
// Owner: the driver. Thread: the one that runs it. Errors: DropReason for what strangers send,
// events for sessions. Bounds: kMaxStrangers connections that have not greeted; each has the
// handshake timeout.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "netdriver/absence.h"
#include "netdriver/absent_peers.h"
#include "netdriver/tcp/core.h"
#include "netdriver/tcp/session_life.h"

namespace netchannel::tcp {

class Greeter {
 public:
  Greeter(Core* core, SessionLife* life)
      : core_(*core), life_(*life), absent_(core->config.absent_time) {}

  ~Greeter() {
    for (auto& stranger : strangers_) core_.Bury(std::move(stranger));
  }

  absl::StatusOr<Session*> Connect(Time now, const wire::IpEndpoint& peer);
  absl::StatusOr<Session*> Probe(Time now, const wire::IpEndpoint& peer);
  std::optional<Absence> AbsenceOf(Time now, const wire::IpEndpoint& peer) const;

  // Takes the connections that wait at `listener`. False: the process has no descriptors or memory
  // left for one; try again later.
  bool Accept(Time now, int listener);
  // Goes on with those in the core's list.
  void Advance(Time now);
  // The timer of a session that is connecting, or has connections to open.
  void OnSessionTimer(Time now, Session& session);
  // The time of a connection's greeting is over.
  void OnGreetingTimer(Time now, Connection& connection);

 private:
  // A host's peers connect once; more than these at once are a flood, whose oldest have to go.
  static constexpr size_t kMaxStrangers = 256;
  // As over packets: the usual reason for a refusal is a stack that is about to start.
  static constexpr Duration kFirstRetry = Duration::Millis(20);
  static constexpr Duration kMaxRetry = Duration::Millis(250);

  std::optional<Absence> Exclude(const wire::IpAddress& peer) const;
  // The session that we have opened with `peer`, or a new one that is being opened.
  absl::StatusOr<Session*> Begin(Time now, const wire::IpEndpoint& peer);
  void RearmAttempt(Session& session);
  void Dial(Time now, Session& session, uint8_t index);
  // A dial has come to nothing: `error` is an errno, 0 when the peer has hung up.
  void OnDialFailed(Time now, Session& session, uint8_t index, int error);
  void GiveUpOn(Time now, Session& session, Absence why);

  // Each: whether the connection is still there and may go on at once.
  bool FinishConnecting(Time now, Connection& connection);
  bool ReadGreeting(Time now, Connection& connection);
  void OnWelcome(Time now, Connection& connection);
  void OnHello(Time now, Connection& connection);
  void Admit(Time now, Connection& connection, const Hello& hello);
  void Join(Time now, Connection& connection, const Hello& hello, Session& session);
  bool SendWelcome(const Connection& connection, const Session& session);
  void Reject(Connection& connection, Verdict verdict, DropReason reason);
  // The connection of a stranger ends, or becomes a session's.
  std::unique_ptr<Connection> TakeStranger(Connection& connection);
  void Drop(Time now, Connection& connection, int error, DropReason reason);

  Core& core_;
  SessionLife& life_;
  AbsentPeers absent_;
  std::vector<std::unique_ptr<Connection>> strangers_;  // oldest first
};

}  // namespace netchannel::tcp

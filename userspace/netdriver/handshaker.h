// SPDX-License-Identifier: Apache-2.0
//
// Carries out the handshake (handshake.h says how it goes): builds and reads its packets, makes
// sessions, gives each its tokens and lanes.
//
// Strangers are answered without state (ReplyQueue, CookieJar). A session exists from our own
// Connect on, or from an INIT with a good cookie. Our INITs wait in a list until they can be sent:
// for a lane's buffer, for the next hop.
//
// It also finds out which peers do not speak NetChannel (Absence), and remembers it for who asks
// with Probe. An ICMP error is taken for an answer when it is about the INIT of an attempt of ours:
// who forges one without seeing our packets can make a connection fall back, and no more.
//
// Owner: the driver. Thread: the one that runs it. Errors: DropReason for packets, events for
// sessions.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "base/intrusive_list.h"
#include "base/rng.h"
#include "netdriver/absence.h"
#include "netdriver/absent_peers.h"
#include "netdriver/cookie_jar.h"
#include "netdriver/driver_config.h"
#include "netdriver/drop_reason.h"
#include "netdriver/lane_set.h"
#include "netdriver/peer_rules.h"
#include "netdriver/reply_queue.h"
#include "netdriver/session.h"
#include "netdriver/session_life.h"
#include "netdriver/session_table.h"
#include "wire/handshake.h"

namespace netchannel {

class Handshaker {
 public:
  Handshaker(const DriverConfig& config, LaneSet* lanes, NextHops* hops, Rng* rng,
             SessionTable* sessions, SessionLife* life, const PeerRules* peers, Time now);
  ~Handshaker();

  absl::StatusOr<SessionHandle> Connect(Time now, const wire::IpEndpoint& peer);
  absl::StatusOr<SessionHandle> Probe(Time now, const wire::IpEndpoint& peer);
  std::optional<Absence> AbsenceOf(Time now, const wire::IpEndpoint& peer);

  // A handshake packet in one piece, checksum verified. nullopt when it was used.
  std::optional<DropReason> OnPacket(Time now, wire::PacketType type, wire::Bytes packet,
                                     const ReturnPath& back);
  // A packet of a version that we do not speak: an INIT is told which ones we do.
  std::optional<DropReason> OnOtherVersion(wire::Bytes packet, const ReturnPath& back);
  void OnUnreachable(Time now, const Unreachable& error);
  // Data with a token that is nobody's: its sender is told, kMaxStalePerSecond times a second.
  void AnswerStale(Time now, uint64_t token, const ReturnPath& back);

  // The timer of a session that is connecting.
  void OnSessionTimer(Time now, Session& session);
  // Before a session is removed while it connects.
  void Forget(Session& session);

  // Sends answers and INITs, at most `budget`. Returns how many.
  size_t Transmit(Time now, size_t budget);
  // Something would be sent by Transmit, were there a buffer.
  bool wants_to_send() const { return !replies_.empty() || init_ready_; }

 private:
  static constexpr uint32_t kMaxStalePerSecond = 100;

  std::optional<DropReason> OnInit(Time now, wire::Bytes packet, const ReturnPath& back);
  std::optional<DropReason> OnCookie(Time now, wire::Bytes packet, const ReturnPath& back);
  std::optional<DropReason> OnAccept(Time now, wire::Bytes packet, const ReturnPath& back);
  std::optional<DropReason> OnReject(Time now, wire::Bytes packet, const ReturnPath& back);

  std::optional<DropReason> AnswerInit(Time now, const wire::Init& init,
                                       const wire::IpEndpoint& peer, Session* known,
                                       InitVerdict verdict, const ReturnPath& back);
  // Why there can be no session with `peer`, whatever it says.
  std::optional<Absence> Exclude(const wire::IpAddress& peer);
  // Our attempt at `peer`, in a new session if need be.
  absl::StatusOr<Session*> Attempt(Time now, const wire::IpEndpoint& peer);
  // Ends our attempt: the peer will not speak NetChannel with us.
  void GiveUpOn(Time now, Session& session, Absence why);
  // Makes the server's side of a session and answers; `session` is fresh or our own attempt.
  std::optional<DropReason> Accept(Time now, Session& session, const wire::Init& init,
                                   const ReturnPath& back);
  template <typename Message>
  std::optional<DropReason> Answer(const Message& message, const ReturnPath& back);

  // Our session that is connecting to where an answer came from, with its nonce.
  Session* FindAttempt(uint64_t nonce, const ReturnPath& back) const;
  // Lanes and tokens for `count` channels of the classes that `class_of(i)` says.
  template <typename ClassOf>
  void OfferLanes(Session& session, uint8_t count, ClassOf class_of);
  wire::Hello HelloOf(const Session& session) const;
  // False when lane 0 is blocked.
  bool SendInit(Session& session);
  void QueueInit(Session& session);

  const DriverConfig& config_;
  LaneSet* lanes_;
  NextHops* hops_;
  Rng* rng_;
  SessionTable* sessions_;
  SessionLife* life_;
  const PeerRules* peers_;
  AbsentPeers absent_;
  CookieJar cookies_;
  ReplyQueue replies_;
  IntrusiveList<Session, &Session::waiting_to_send> waiting_;
  bool init_ready_ = false;    // an INIT waits for a buffer, not for its next hop
  uint64_t hops_version_ = 0;  // of the next hops, when waiting_ was last gone through
  Time stale_window_;
  uint32_t stale_count_ = 0;
};

}  // namespace netchannel

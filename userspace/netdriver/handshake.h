// SPDX-License-Identifier: Apache-2.0
//
// How two hosts come to a session, without I/O: the client's attempt as a state machine, and the
// server's judgement as a function of what it knows. userspace/wire/README.md has the messages.
//
//   client                         server
//   INIT(nonce)            ----->
//                          <-----  COOKIE(nonce, cookie)     the server keeps nothing
//   INIT(nonce, cookie)    ----->  session
//   session                <-----  ACCEPT(nonce)             again for each INIT of the same nonce
//
// Both may open at the same time: each then is a client, and the server's side of each must choose.
// The INIT with the larger nonce wins; its receiver gives up its own attempt and becomes the
// server.
//
// Thread: values. Errors: none; a judgement says what to do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/units.h"
#include "wire/handshake.h"

namespace netchannel {

// The client's side: when to send INIT, with which cookie, and when to give up.
class ClientHandshake {
 public:
  // A round trip on a local network takes well under a millisecond; the usual reason for silence is
  // a peer that is not there yet.
  static constexpr Duration kFirstRetry = Duration::Millis(20);
  // As the transport's probes: a path that loses a fifth of its packets needs several attempts at
  // two round trips each.
  static constexpr Duration kMaxRetry = Duration::Millis(250);

  enum class Action : uint8_t {
    kNone,
    kSendInit,
    kSilent,  // the probe time is over: OnSilent
    kGiveUp,
  };

  ClientHandshake(Time now, uint64_t nonce, Duration timeout)
      : nonce_(nonce), give_up_(now + timeout), next_send_(now) {}

  uint64_t nonce() const { return nonce_; }
  // What the next INIT carries.
  const std::optional<wire::Cookie>& cookie() const { return cookie_; }

  // Somebody wants to know by `until` whether the peer answers at all.
  void ProbeUntil(Time now, Time until);
  // Somebody waits until the attempt gives up.
  void WaitPatiently(Time now);
  bool patient() const { return patient_; }
  // Where nobody is patient no more INITs are sent, but an answer that comes late still counts.
  void OnSilent();
  // Sends INITs again, if they had been stopped.
  void Resume(Time now);

  // The INIT was sent, or could not be and is tried again as if it had been lost.
  void OnInitSent(Time now);
  // Only the first cookie is answered at once: a server that refuses each one gets INITs at the
  // pace of retransmission, not of the network.
  void OnCookie(Time now, const wire::Cookie& cookie);

  Action Poll(Time now) const;
  Time NextTimeout() const { return std::min(next_send_, deadline()); }
  // The next time to act when no INIT is to be sent.
  Time deadline() const { return std::min(probe_until_, give_up_); }
  bool asking() const { return !next_send_.is_infinite(); }

 private:
  uint64_t nonce_;
  Time give_up_;
  Time next_send_;
  Time probe_until_ = Time::Infinite();
  bool patient_ = false;
  Duration retry_ = kFirstRetry;
  std::optional<wire::Cookie> cookie_;
};

// What the server knows of the peer's session.
struct KnownSession {
  bool connecting = false;  // our own attempt; `nonce` is ours
  bool client = false;      // we opened it
  uint64_t nonce = 0;       // of the INIT that made it
  Time since = {};          // up since
};

enum class InitVerdict : uint8_t {
  kSendCookie,    // a stranger, or a cookie that does not count
  kCreate,        // a new session
  kAdopt,         // our own attempt yields to the peer's
  kIgnore,        // the peer's attempt will yield to ours
  kRepeatAccept,  // the ACCEPT was lost
  kReplace,       // the peer has started anew: the session that we know is dead
};

// `cookie_made` is when we made the INIT's cookie, nullopt when it has none or a bad one. `known`
// is nullptr when there is no session. A cookie that is not younger than the session cannot replace
// it: that INIT may be a replay.
InitVerdict JudgeInit(uint64_t nonce, std::optional<Time> cookie_made, const KnownSession* known);

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// The sessions of a host, found in O(1) by handle, by peer, by the token of a packet to us, and
// (for STALE) by the token of a packet to a peer. Nothing is ever scanned but for status and
// shutdown.
//
// Tokens are ours and random, so their own bits are the hash. The peers' tokens are the peers'
// choice: they are hashed with absl's seed and with the peer's address, so that one peer cannot
// name another's.
//
// Owner: the driver. Thread: the one that runs it. Errors: Create gives nullptr at the limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/rng.h"
#include "netdriver/session.h"
#include "netdriver/session_slots.h"
#include "wire/address.h"

namespace netchannel {

class SessionTable {
 public:
  struct ChannelRef {
    Session* session = nullptr;
    uint8_t channel = 0;
  };

  SessionTable(uint32_t max_sessions, Rng* rng) : rng_(rng), slots_(max_sessions) {}

  // A new session with `peer`, which has none. nullptr when there are max_sessions.
  Session* Create(const wire::IpEndpoint& peer);
  // Forgets the session and its tokens, and destroys it. Its timers and list links must be clear.
  void Remove(Session& session);

  Session* Find(SessionHandle handle) const { return slots_.Find(handle); }
  Session* FindByPeer(const wire::IpEndpoint& peer) const;
  // The session and channel that `token` was given to; session is nullptr when it was to none.
  ChannelRef FindByToken(uint64_t token) const {
    const auto found = tokens_.find(token);
    return found == tokens_.end() ? ChannelRef{} : found->second;
  }
  // The session in which we send with `token` to `address`.
  Session* FindByPeerToken(const wire::IpAddress& address, uint64_t token) const;

  // Gives the session `count` fresh tokens in its offers; takes back those it had.
  void IssueTokens(Session& session, uint8_t count);
  // Takes back the tokens from `count` on: the peer wants fewer channels.
  void TrimTokens(Session& session, uint8_t count);
  // What FindByPeerToken answers from. After the channels were made.
  void RegisterPeerTokens(Session& session);

  size_t size() const { return slots_.size(); }
  size_t token_count() const { return tokens_.size() + peer_tokens_.size(); }
  // Calls `see` for at most `most` slots' sessions from slot `from` on; where to go on: 0 behind
  // the last.
  template <typename F>
  uint32_t Visit(uint32_t from, size_t most, F see) const {
    return slots_.Visit(from, most, see);
  }
  // In the order of slots; control plane.
  std::vector<Session*> All() const { return slots_.All(); }

 private:
  struct TokenHash {
    size_t operator()(uint64_t token) const { return token; }
  };
  using PeerToken = std::pair<wire::IpAddress, uint64_t>;

  Rng* rng_;
  SessionSlots<Session> slots_;
  absl::flat_hash_map<wire::IpEndpoint, Session*> by_peer_;
  absl::flat_hash_map<uint64_t, ChannelRef, TokenHash> tokens_;
  absl::flat_hash_map<PeerToken, Session*> peer_tokens_;
};

}  // namespace netchannel

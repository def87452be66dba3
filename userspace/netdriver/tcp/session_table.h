// SPDX-License-Identifier: Apache-2.0
//
// The sessions over TCP of a host, found in O(1) by handle, by token (a connection that joins) and,
// those that this host has opened, by peer.
//
// Owner: the driver. Thread: the one that runs it. Errors: Create gives nullptr at the limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "netdriver/session_slots.h"
#include "netdriver/tcp/session.h"

namespace netchannel::tcp {

class SessionTable {
 public:
  explicit SessionTable(uint32_t max_sessions) : slots_(max_sessions) {}

  // nullptr when there are max_sessions, or a client's session with `peer`.
  Session* Create(const wire::IpEndpoint& peer, bool client) {
    if (client && by_peer_.contains(peer)) return nullptr;
    Session* const session = slots_.Create();
    if (session == nullptr) return nullptr;
    session->peer = peer;
    session->client = client;
    if (client) by_peer_.emplace(peer, session);
    return session;
  }

  // A server's token: false when it is taken.
  bool SetToken(Session& session, uint64_t token) {
    if (token == 0 || !by_token_.emplace(token, &session).second) return false;
    session.token = token;
    return true;
  }

  // Forgets and destroys it. Its connections are gone, its timer is clear.
  void Remove(Session& session) {
    if (session.client) {
      by_peer_.erase(session.peer);
    } else {
      by_token_.erase(session.token);
    }
    slots_.Remove(session);
  }

  Session* Find(SessionHandle handle) const { return slots_.Find(handle); }
  Session* FindByPeer(const wire::IpEndpoint& peer) const {
    const auto found = by_peer_.find(peer);
    return found == by_peer_.end() ? nullptr : found->second;
  }
  Session* FindByToken(uint64_t token) const {
    const auto found = by_token_.find(token);
    return found == by_token_.end() ? nullptr : found->second;
  }

  size_t size() const { return slots_.size(); }
  std::vector<Session*> All() const { return slots_.All(); }

 private:
  SessionSlots<Session> slots_;
  absl::flat_hash_map<wire::IpEndpoint, Session*> by_peer_;  // clients
  absl::flat_hash_map<uint64_t, Session*> by_token_;         // servers
};

}  // namespace netchannel::tcp

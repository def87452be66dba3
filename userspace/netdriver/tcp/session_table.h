// SPDX-License-Identifier: Apache-2.0
//
// The sessions over TCP of a host, found in O(1) by handle, by token (a connection that joins) and,
// those that this host has opened, by peer.
//
// Owner: the driver. Thread: the one that runs it. Errors: Create gives nullptr at the limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "netdriver/tcp/session.h"

namespace netchannel::tcp {

class SessionTable {
 public:
  explicit SessionTable(uint32_t max_sessions) : max_sessions_(max_sessions) {}

  // nullptr when there are max_sessions, or a client's session with `peer`.
  Session* Create(const wire::IpEndpoint& peer, bool client) {
    if (size() >= max_sessions_) return nullptr;
    if (client && by_peer_.contains(peer)) return nullptr;
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    if (++slot.generation == 0) slot.generation = 1;
    slot.session = std::make_unique<Session>();
    slot.session->handle = {index, slot.generation};
    slot.session->peer = peer;
    slot.session->client = client;
    if (client) by_peer_.emplace(peer, slot.session.get());
    return slot.session.get();
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
    const uint32_t index = session.handle.slot;
    slots_[index].session.reset();
    free_.push_back(index);
  }

  Session* Find(SessionHandle handle) const {
    if (handle.slot >= slots_.size() || !handle.valid()) return nullptr;
    const Slot& slot = slots_[handle.slot];
    return slot.generation == handle.generation ? slot.session.get() : nullptr;
  }
  Session* FindByPeer(const wire::IpEndpoint& peer) const {
    const auto found = by_peer_.find(peer);
    return found == by_peer_.end() ? nullptr : found->second;
  }
  Session* FindByToken(uint64_t token) const {
    const auto found = by_token_.find(token);
    return found == by_token_.end() ? nullptr : found->second;
  }

  size_t size() const { return slots_.size() - free_.size(); }
  std::vector<Session*> All() const {
    std::vector<Session*> all;
    for (const Slot& slot : slots_) {
      if (slot.session != nullptr) all.push_back(slot.session.get());
    }
    return all;
  }

 private:
  struct Slot {
    uint32_t generation = 0;
    std::unique_ptr<Session> session;
  };

  const uint32_t max_sessions_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<wire::IpEndpoint, Session*> by_peer_;  // clients
  absl::flat_hash_map<uint64_t, Session*> by_token_;         // servers
};

}  // namespace netchannel::tcp

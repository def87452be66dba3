// SPDX-License-Identifier: Apache-2.0
#include "netdriver/session_table.h"

namespace netchannel {

Session* SessionTable::Create(const wire::IpEndpoint& peer) {
  if (size() >= max_sessions_) return nullptr;
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  if (++slot.generation == 0) slot.generation = 1;
  slot.session = std::make_unique<Session>();
  slot.session->handle = SessionHandle{index, slot.generation};
  slot.session->peer = peer;
  by_peer_.emplace(peer, slot.session.get());
  return slot.session.get();
}

void SessionTable::Remove(Session& session) {
  TrimTokens(session, 0);
  for (const auto& channel : session.channels) {
    const auto found = peer_tokens_.find({session.peer.address, channel->plan().peer_token});
    if (found != peer_tokens_.end() && found->second == &session) peer_tokens_.erase(found);
  }
  by_peer_.erase(session.peer);
  const uint32_t index = session.handle.slot;
  slots_[index].session.reset();
  free_.push_back(index);
}

Session* SessionTable::FindByPeer(const wire::IpEndpoint& peer) const {
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? nullptr : found->second;
}

Session* SessionTable::FindByPeerToken(const wire::IpAddress& address, uint64_t token) const {
  const auto found = peer_tokens_.find({address, token});
  return found == peer_tokens_.end() ? nullptr : found->second;
}

void SessionTable::IssueTokens(Session& session, uint8_t count) {
  TrimTokens(session, 0);
  while (session.offer_count < count) {
    const uint64_t token = rng_->Next();
    const ChannelRef ref{&session, session.offer_count};
    // 0 is no token; one that is taken already will not come twice.
    if (token == 0 || !tokens_.emplace(token, ref).second) continue;
    session.offers[session.offer_count++].token = token;
  }
}

void SessionTable::TrimTokens(Session& session, uint8_t count) {
  while (session.offer_count > count) tokens_.erase(session.offers[--session.offer_count].token);
}

void SessionTable::RegisterPeerTokens(Session& session) {
  for (const auto& channel : session.channels) {
    peer_tokens_.emplace(PeerToken{session.peer.address, channel->plan().peer_token}, &session);
  }
}

std::vector<Session*> SessionTable::All() const {
  std::vector<Session*> all;
  for (const Slot& slot : slots_) {
    if (slot.session != nullptr) all.push_back(slot.session.get());
  }
  return all;
}

}  // namespace netchannel

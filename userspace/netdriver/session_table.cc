// SPDX-License-Identifier: Apache-2.0
#include "netdriver/session_table.h"

namespace netchannel {

Session* SessionTable::Create(const wire::IpEndpoint& peer) {
  Session* const session = slots_.Create();
  if (session == nullptr) return nullptr;
  session->peer = peer;
  by_peer_.emplace(peer, session);
  return session;
}

void SessionTable::Remove(Session& session) {
  TrimTokens(session, 0);
  for (const auto& channel : session.channels) {
    const auto found = peer_tokens_.find({session.peer.address, channel->plan().peer_token});
    if (found != peer_tokens_.end() && found->second == &session) peer_tokens_.erase(found);
  }
  by_peer_.erase(session.peer);
  slots_.Remove(session);
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

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
#include "netdriver/absent_peers.h"

namespace netchannel {

void AbsentPeers::Remember(Time now, const wire::IpEndpoint& peer, Absence why) {
  while (!by_age_.empty() && by_age_.front()->until <= now) Remove(*by_age_.front());
  Forget(peer);
  if (peers_.size() == kMaxPeers) Remove(*by_age_.front());
  Entry& entry = peers_[peer];
  entry.peer = peer;
  entry.why = why;
  entry.until = now + remembered_;
  by_age_.PushBack(entry);
}

void AbsentPeers::Forget(const wire::IpEndpoint& peer) {
  if (const auto found = peers_.find(peer); found != peers_.end()) Remove(found->second);
}

void AbsentPeers::Remove(Entry& entry) {
  by_age_.Remove(entry);
  const wire::IpEndpoint peer = entry.peer;  // erase's key must outlive the entry
  peers_.erase(peer);
}

std::optional<Absence> AbsentPeers::Find(Time now, const wire::IpEndpoint& peer) const {
  const auto found = peers_.find(peer);
  if (found == peers_.end() || found->second.until <= now) return std::nullopt;
  return found->second.why;
}

}  // namespace netchannel

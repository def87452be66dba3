// SPDX-License-Identifier: Apache-2.0
//
// The peers that were found not to speak NetChannel, each for a while: so that only the first of
// many connections to such a peer pays for asking.
//
// Bounds: an entry lives for the time given at construction, or until the peer is heard; at
// kMaxPeers the oldest goes, and is asked again when it is wanted. Owner: the handshaker. Thread:
// the one that runs the driver. Errors: none.
#pragma once

#include <cstddef>
#include <optional>

#include "absl/container/node_hash_map.h"
#include "base/intrusive_list.h"
#include "base/units.h"
#include "netdriver/absence.h"
#include "wire/address.h"

namespace netchannel {

class AbsentPeers {
 public:
  // Some 150 bytes each. A host has connections to fewer hosts than that within the time.
  static constexpr size_t kMaxPeers = 4096;

  explicit AbsentPeers(Duration remembered) : remembered_(remembered) {}
  ~AbsentPeers() { by_age_.Clear(); }
  AbsentPeers(const AbsentPeers&) = delete;
  AbsentPeers& operator=(const AbsentPeers&) = delete;

  void Remember(Time now, const wire::IpEndpoint& peer, Absence why);
  void Forget(const wire::IpEndpoint& peer);
  std::optional<Absence> Find(Time now, const wire::IpEndpoint& peer) const;
  size_t size() const { return peers_.size(); }

 private:
  struct Entry {
    wire::IpEndpoint peer;
    Absence why = Absence::kSilent;
    Time until;
    ListLink<Entry> link;
  };

  void Remove(Entry& entry);

  Duration remembered_;
  absl::node_hash_map<wire::IpEndpoint, Entry> peers_;
  IntrusiveList<Entry, &Entry::link> by_age_;  // oldest first, so the first to end, too
};

}  // namespace netchannel

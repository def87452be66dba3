// SPDX-License-Identifier: Apache-2.0
//
// The map `peers` as userspace sees it: what is said of peers by prefix, the longest one that fits
// counts. The XDP program drops what denied peers send; this is for what begins at our end.
//
// Thread: values, one at a time. Errors: none. Cost: Match looks at each rule (the map holds at
// most 4096); it is asked once a connection, and once a session when the rules have changed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/stream.h"
#include "netdriver/peer_networks.h"
#include "wire/address.h"

namespace netchannel {

struct PeerRule {
  IpPrefix prefix;
  bool deny = false;
  std::optional<AppClass> app_class;  // of sockets that choose none
  uint8_t weight = 0;                 // 0: nothing is said
  bool operator==(const PeerRule&) const = default;
};

class PeerRules {
 public:
  PeerRules() = default;
  // `deny_unknown`: peers that no rule fits are denied.
  PeerRules(std::vector<PeerRule> rules, bool deny_unknown)
      : rules_(std::move(rules)), deny_unknown_(deny_unknown) {
    std::stable_sort(rules_.begin(), rules_.end(), [](const PeerRule& a, const PeerRule& b) {
      return a.prefix.bits > b.prefix.bits;
    });
  }

  // nullptr: none fits.
  const PeerRule* Match(const wire::IpAddress& peer) const {
    for (const PeerRule& rule : rules_) {
      if (rule.prefix.Contains(peer)) return &rule;
    }
    return nullptr;
  }
  bool Denies(const wire::IpAddress& peer) const {
    const PeerRule* rule = Match(peer);
    return rule != nullptr ? rule->deny : deny_unknown_;
  }

  const std::vector<PeerRule>& rules() const { return rules_; }
  bool operator==(const PeerRules&) const = default;

 private:
  std::vector<PeerRule> rules_;  // the longest prefix first
  bool deny_unknown_ = false;
};

}  // namespace netchannel

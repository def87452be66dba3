// SPDX-License-Identifier: Apache-2.0
#include "vns/port_table.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace netchannel {

namespace {

size_t FamilyOf(const wire::IpAddress& address) { return address.is_v4() ? 0 : 1; }

constexpr uint8_t BitOf(size_t family) { return static_cast<uint8_t>(1u << family); }

// In which families a socket is reached that is bound to `local`.
uint8_t FamiliesOf(const wire::IpAddress& local) {
  constexpr uint8_t kBoth = BitOf(0) | BitOf(1);
  return local == wire::IpAddress{} ? kBoth : BitOf(FamilyOf(local));
}

}  // namespace

template <typename Take>
std::optional<uint16_t> PortTable::SearchEphemeral(Take take) {
  const uint32_t count = uint32_t{config_.ephemeral_last} - config_.ephemeral_first + 1;
  const auto start = static_cast<uint32_t>(rng_->Below(count));
  for (uint32_t i = 0; i < count; ++i) {
    const auto port = static_cast<uint16_t>(config_.ephemeral_first + (start + i) % count);
    if (take(port)) return port;
  }
  return std::nullopt;
}

template <typename Condition>
bool PortTable::AllUses(uint16_t port, uint8_t families, Condition condition) const {
  const auto it = uses_.find(port);
  if (it == uses_.end()) return true;
  for (size_t family = 0; family < kFamilies; ++family) {
    if ((families & BitOf(family)) != 0 && !condition(it->second[family])) return false;
  }
  return true;
}

void PortTable::Add(const PortHold& hold) {
  Uses& uses = uses_[hold.port];
  for (size_t family = 0; family < kFamilies; ++family) {
    if ((hold.families & BitOf(family)) == 0) continue;
    Use& use = uses[family];
    use.holders += 1;
    use.reusing += hold.reuse ? 1 : 0;
    use.for_connect += hold.for_connect ? 1 : 0;
    if (use.sharing == 0) use.share_group = hold.share_group;
    if (hold.share_group != 0 && hold.share_group == use.share_group) use.sharing += 1;
  }
}

int PortTable::Bind(const wire::IpEndpoint& local, const PortSharing& sharing, PortHold& out) {
  const bool ours = local.address.is_unspecified() || config_.addresses.Has(local.address);
  if (!ours) return EADDRNOTAVAIL;
  PortHold hold{.port = local.port,
                .families = FamiliesOf(local.address),
                .reuse = sharing.reuse,
                .share_group = sharing.share_group};
  const auto admits = [this, &hold](uint16_t port, const PortSharing& too) {
    return AllUses(port, hold.families, [&](const Use& use) { return use.Admits(too); });
  };
  if (hold.port == 0) {
    const auto port = SearchEphemeral([&](uint16_t p) { return admits(p, {}); });
    if (!port.has_value()) return EADDRINUSE;
    hold.port = *port;
  } else if (!admits(hold.port, sharing)) {
    return EADDRINUSE;
  }
  Add(hold);
  out = hold;
  return 0;
}

int PortTable::BindAndConnect(const wire::IpEndpoint& peer, const PortSharing& sharing,
                              PortHold& out) {
  const uint8_t families = BitOf(FamilyOf(peer.address));
  const auto port = SearchEphemeral([&](uint16_t p) {
    const bool unbound =
        AllUses(p, families, [](const Use& use) { return use.for_connect == use.holders; });
    return unbound && connected_.insert({p, peer}).second;
  });
  if (!port.has_value()) return EADDRNOTAVAIL;
  out = {.port = *port,
         .families = families,
         .reuse = sharing.reuse,
         .share_group = sharing.share_group,
         .for_connect = true};
  Add(out);
  return 0;
}

PortHold PortTable::Share(uint16_t port, const wire::IpAddress& peer, const PortSharing& sharing) {
  const PortHold hold{.port = port,
                      .families = BitOf(FamilyOf(peer)),
                      .reuse = sharing.reuse,
                      .share_group = sharing.share_group};
  Add(hold);
  return hold;
}

void PortTable::Release(const PortHold& hold) {
  if (hold.port == 0) return;
  const auto it = uses_.find(hold.port);
  assert(it != uses_.end());
  uint32_t holders = 0;
  for (size_t family = 0; family < kFamilies; ++family) {
    Use& use = it->second[family];
    if ((hold.families & BitOf(family)) != 0) {
      use.holders -= 1;
      use.reusing -= hold.reuse ? 1 : 0;
      use.for_connect -= hold.for_connect ? 1 : 0;
      if (hold.share_group != 0 && hold.share_group == use.share_group) use.sharing -= 1;
    }
    holders += use.holders;
  }
  if (holders == 0) uses_.erase(it);
}

int PortTable::Connect(const PortHold& hold, const wire::IpEndpoint& peer) {
  if ((hold.families & BitOf(FamilyOf(peer.address))) == 0) return EAFNOSUPPORT;
  return connected_.insert({hold.port, peer}).second ? 0 : EADDRNOTAVAIL;
}

int PortTable::Listen(const PortHold& hold, uint32_t listener) {
  const bool free = AllUses(hold.port, hold.families, [&](const Use& use) {
    const bool alone = use.listeners.empty() || use.listeners[0] == listener;
    return alone || use.SharedBy(hold.share_group);
  });
  if (!free) return EADDRINUSE;
  Uses& uses = uses_[hold.port];
  for (size_t family = 0; family < kFamilies; ++family) {
    if ((hold.families & BitOf(family)) == 0) continue;
    auto& listeners = uses[family].listeners;
    if (std::find(listeners.begin(), listeners.end(), listener) == listeners.end()) {
      listeners.push_back(listener);
    }
  }
  return 0;
}

void PortTable::StopListening(const PortHold& hold, uint32_t listener) {
  const auto it = uses_.find(hold.port);
  assert(it != uses_.end());
  for (size_t family = 0; family < kFamilies; ++family) {
    if ((hold.families & BitOf(family)) == 0) continue;
    auto& listeners = it->second[family].listeners;
    listeners.erase(std::remove(listeners.begin(), listeners.end(), listener), listeners.end());
  }
}

absl::Span<const uint32_t> PortTable::Listeners(uint16_t port, const wire::IpAddress& peer) const {
  const auto it = uses_.find(port);
  if (it == uses_.end()) return {};
  return it->second[FamilyOf(peer)].listeners;
}

}  // namespace netchannel

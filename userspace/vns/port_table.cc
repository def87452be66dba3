// SPDX-License-Identifier: Apache-2.0
#include "vns/port_table.h"

#include <cassert>
#include <cerrno>

namespace netchannel {

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

void PortTable::Add(const PortHold& hold) {
  Use& use = uses_[hold.port];
  use.holders += 1;
  use.reusing += hold.reuse ? 1 : 0;
  use.for_connect += hold.for_connect ? 1 : 0;
}

int PortTable::Bind(const wire::IpEndpoint& local, bool reuse, PortHold& out) {
  if (!local.address.is_unspecified() && local.address != config_.address) return EADDRNOTAVAIL;
  PortHold hold{.port = local.port, .reuse = reuse};
  if (hold.port == 0) {
    const auto port = SearchEphemeral([this](uint16_t p) { return !uses_.contains(p); });
    if (!port.has_value()) return EADDRINUSE;
    hold.port = *port;
  } else if (const auto it = uses_.find(hold.port); it != uses_.end()) {
    const Use& use = it->second;
    const bool may_share = reuse && use.reusing == use.holders && !use.listener.has_value();
    if (!may_share) return EADDRINUSE;
  }
  Add(hold);
  out = hold;
  return 0;
}

int PortTable::BindAndConnect(const wire::IpEndpoint& peer, bool reuse, PortHold& out) {
  const auto port = SearchEphemeral([this, &peer](uint16_t p) {
    const auto it = uses_.find(p);
    if (it != uses_.end() && it->second.for_connect != it->second.holders) return false;
    return connected_.insert({p, peer}).second;
  });
  if (!port.has_value()) return EADDRNOTAVAIL;
  out = {.port = *port, .reuse = reuse, .for_connect = true};
  Add(out);
  return 0;
}

PortHold PortTable::Share(uint16_t port, bool reuse) {
  const PortHold hold{.port = port, .reuse = reuse};
  Add(hold);
  return hold;
}

void PortTable::Release(const PortHold& hold) {
  if (hold.port == 0) return;
  const auto it = uses_.find(hold.port);
  assert(it != uses_.end());
  Use& use = it->second;
  use.holders -= 1;
  use.reusing -= hold.reuse ? 1 : 0;
  use.for_connect -= hold.for_connect ? 1 : 0;
  if (use.holders == 0) uses_.erase(it);
}

int PortTable::Connect(uint16_t port, const wire::IpEndpoint& peer) {
  return connected_.insert({port, peer}).second ? 0 : EADDRNOTAVAIL;
}

int PortTable::Listen(uint16_t port, uint32_t listener) {
  Use& use = uses_[port];
  if (use.listener.has_value() && use.listener != listener) return EADDRINUSE;
  use.listener = listener;
  return 0;
}

void PortTable::StopListening(uint16_t port) {
  const auto it = uses_.find(port);
  if (it != uses_.end()) it->second.listener.reset();
}

std::optional<uint32_t> PortTable::Listener(uint16_t port) const {
  const auto it = uses_.find(port);
  return it != uses_.end() ? it->second.listener : std::nullopt;
}

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// Who holds which local port, by the rules of POSIX (XSH bind, listen, connect) as Linux applies
// them:
//   - each address family has ports of its own. A host has one address a family, so a bind to the
//     family's wildcard and one to the address are the same; :: takes the port in both families, as
//     a dual-stack socket does (RFC 3493 section 3.7), 0.0.0.0 only in IPv4;
//   - a port of a family has one holder, or several that all asked to reuse it (SO_REUSEADDR) and
//   of
//     which none listens, or several that all asked to share it (SO_REUSEPORT) and are of one user:
//     they may all listen, and take new connections in turn;
//   - connections that a listener accepted hold its port too, in their family;
//   - an unbound socket that connects gets a port that nobody bound, unique for its destination; so
//   a host
//     has as many connections to one server as there are ephemeral ports, and as many to the next.
// No TIME_WAIT: a stream's id is never used twice in a session, so nothing late can be taken for a
// new connection's, and a port is free once its last holder is.
//
// Thread: one at a time. Errors: errno values. Cost: hash lookups; choosing an ephemeral port tries
// ports one after another from a random one (RFC 6056 algorithm 1), which is short while most are
// free.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "base/rng.h"
#include "wire/address.h"

namespace netchannel {

// How a socket asks for a port: see PortHold.
struct PortSharing {
  bool reuse = false;
  uint32_t share_group = 0;
};

// What a socket holds of the port table; given back as it was got.
struct PortHold {
  uint16_t port = 0;         // 0: nothing
  uint8_t families = 0;      // in which it is held, a bit each: 1 IPv4, 2 IPv6
  bool reuse = false;        // the holder lets others that say the same have the port too
  uint32_t share_group = 0;  // so do those of one group, listening or not; 0: it does not share
  bool for_connect = false;  // chosen for one destination; other destinations may share it
};

class PortTable {
 public:
  struct Config {
    wire::LocalAddresses addresses;
    uint16_t ephemeral_first = 32768, ephemeral_last = 60999;  // inclusive; Linux's default
  };
  PortTable(const Config& config, Rng* rng) : config_(config), rng_(rng) {}

  // Port 0: an ephemeral one that nobody holds in that family, or in both for ::.
  // EADDRNOTAVAIL: not our address, EADDRINUSE.
  int Bind(const wire::IpEndpoint& local, const PortSharing& sharing, PortHold& out);
  // An ephemeral port for an unbound socket that connects to `peer`, and the connection.
  // EADDRNOTAVAIL when none is left.
  int BindAndConnect(const wire::IpEndpoint& peer, const PortSharing& sharing, PortHold& out);
  // One more holder of a port: a connection from `peer` that was accepted on it.
  PortHold Share(uint16_t port, const wire::IpAddress& peer, const PortSharing& sharing);
  void Release(const PortHold& hold);

  // A bound socket connects. EAFNOSUPPORT: it is bound in the other family; EADDRNOTAVAIL: the same
  // port is connected to the same peer already.
  int Connect(const PortHold& hold, const wire::IpEndpoint& peer);
  void Disconnect(uint16_t port, const wire::IpEndpoint& peer) { connected_.erase({port, peer}); }

  // A holder starts to listen, as `listener`, in all families of its hold. EADDRINUSE when another
  // listens in one of them that does not share with it.
  int Listen(const PortHold& hold, uint32_t listener);
  // Precondition: the holder listens.
  void StopListening(const PortHold& hold, uint32_t listener);
  // Who takes connections from `peer` to `port`; empty: nobody. Valid until the next change.
  absl::Span<const uint32_t> Listeners(uint16_t port, const wire::IpAddress& peer) const;

  size_t held_ports() const { return uses_.size(); }

 private:
  static constexpr size_t kFamilies = 2;

  // Of a port in one family.
  struct Use {
    uint32_t holders = 0;
    uint32_t reusing = 0;      // those of the holders that asked to reuse
    uint32_t for_connect = 0;  // those of the holders whose hold says so
    uint32_t share_group = 0;  // of the first holder that has one
    uint32_t sharing = 0;      // those of the holders that are of it
    absl::InlinedVector<uint32_t, 1> listeners;

    bool SharedBy(uint32_t group) const {
      return group != 0 && group == share_group && sharing == holders;
    }
    bool Admits(const PortSharing& too) const {
      return holders == 0 || SharedBy(too.share_group) ||
             (too.reuse && reusing == holders && listeners.empty());
    }
  };
  using Uses = std::array<Use, kFamilies>;

  void Add(const PortHold& hold);
  // True when `condition(use)` holds of the port in each of the families. It holds of a port that
  // nobody has.
  template <typename Condition>
  bool AllUses(uint16_t port, uint8_t families, Condition condition) const;
  // Calls `take(port)` for each ephemeral port from a random one on, until it returns true.
  template <typename Take>
  std::optional<uint16_t> SearchEphemeral(Take take);

  Config config_;
  Rng* rng_;
  absl::flat_hash_map<uint16_t, Uses> uses_;  // of ports that somebody holds
  absl::flat_hash_set<std::pair<uint16_t, wire::IpEndpoint>> connected_;
};

}  // namespace netchannel

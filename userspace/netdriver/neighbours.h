// SPDX-License-Identifier: Apache-2.0
//
// Next hops as the kernel sees them: its routes, gateways, VLAN devices and neighbour table,
// followed as they change. NetChannel keeps no ARP or neighbour discovery of its own.
//
// Answers are cached by destination. The first Find asks the kernel (KernelRoutes, some 30 µs) and
// makes it resolve the neighbour; Poll() reads its change notices from a non-blocking multicast
// socket and moves version() when an answer may have changed. A notice that was lost (ENOBUFS)
// empties the cache. A neighbour that goes stale is solicited again, so that a peer which moved is
// noticed although the kernel itself sends it nothing.
//
// Thread: the one that runs the driver; Poll() when fd() is readable. Errors: Open says what
// failed; why a destination has no next hop is told by Explain().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "netdriver/kernel_routes.h"
#include "netdriver/next_hops.h"
#include "wire/address.h"
#include "wire/ethernet.h"

struct nl_sock;
struct nl_msg;
struct nlmsghdr;

namespace netchannel {

class NetlinkNextHops final : public NextHops {
 public:
  // `interface` is the ifindex that this stack's lanes send on.
  static absl::StatusOr<std::unique_ptr<NetlinkNextHops>> Open(int interface);
  ~NetlinkNextHops() override;
  NetlinkNextHops(const NetlinkNextHops&) = delete;
  NetlinkNextHops& operator=(const NetlinkNextHops&) = delete;

  std::optional<LinkHeader> Find(const wire::IpAddress& destination) override;
  uint64_t version() const override { return version_; }
  bool Reaches(const wire::IpAddress& destination) override;

  // Readable when Poll() has something to do.
  int fd() const;
  // Takes in what has changed. Never blocks.
  void Poll();

  // Why Find has no answer, or OK. Asks the kernel again; control plane.
  absl::Status Explain(const wire::IpAddress& destination);

 private:
  // What is known of one destination. Without a route there is nothing to solicit; the next change
  // of a route or link makes us ask again.
  struct Entry {
    bool has_route = false;
    RouteAnswer route;
    LinkAnswer link;
    std::optional<LinkHeader> header;  // nullopt while the neighbour is unresolved
  };

  // One destination costs some 150 bytes; beyond this many the cache starts anew.
  static constexpr size_t kMaxEntries = 65536;

  NetlinkNextHops(int interface, std::unique_ptr<KernelRoutes> routes, nl_sock* events)
      : interface_(interface), routes_(std::move(routes)), events_(events) {}
  static int OnMessage(nl_msg* message, void* self);
  void OnNeighbour(nlmsghdr* header);
  void Forget();
  // What is cached, or is now. Valid until the next call.
  const Entry& Look(const wire::IpAddress& destination);
  absl::StatusOr<Entry> Ask(const wire::IpAddress& destination);
  void Apply(const wire::IpAddress& destination, const NeighbourAnswer& answer, Entry& entry);

  int interface_;
  std::unique_ptr<KernelRoutes> routes_;
  nl_sock* events_;
  uint64_t version_ = 1;
  absl::flat_hash_map<wire::IpAddress, Entry> entries_;
};

// The header of a frame to `destination`: link addresses, tags, and the EtherType of its IP family.
LinkHeader BuildLinkHeader(const wire::MacAddress& to, const LinkAnswer& link,
                           const wire::IpAddress& destination);

}  // namespace netchannel

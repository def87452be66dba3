// SPDX-License-Identifier: Apache-2.0
//
// Questions to the kernel's routing, by rtnetlink (man 7 rtnetlink), one request and one reply
// each: which next hop has a destination, what link header does an interface put on, which link
// address has a neighbour. The kernel answers them synchronously, in some 10 µs.
//
// Thread: one at a time. Errors: absl::Status with the object and what to do about it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wire/address.h"
#include "wire/ethernet.h"

struct nl_sock;

namespace netchannel {

struct RouteAnswer {
  wire::IpAddress next_hop;  // the gateway, or the destination itself when it is on the link
  int interface = 0;         // ifindex of the output
};

struct LinkAnswer {
  wire::MacAddress source{};
  absl::InlinedVector<wire::VlanTag, wire::kMaxVlanTags> tags;  // outermost first
};

struct NeighbourAnswer {
  std::optional<wire::MacAddress> address;  // nullopt while the kernel resolves or has failed to
  bool stale = false;  // usable, but no one has confirmed it for a while (RFC 4861 section 7.3.2)
};

class KernelRoutes {
 public:
  static absl::StatusOr<std::unique_ptr<KernelRoutes>> Open();
  ~KernelRoutes();
  KernelRoutes(const KernelRoutes&) = delete;
  KernelRoutes& operator=(const KernelRoutes&) = delete;

  // NotFound when there is no unicast route to `destination`.
  absl::StatusOr<RouteAnswer> Route(const wire::IpAddress& destination);

  // What a frame that leaves `output` looks like on `port`: `output` is `port` itself, or a VLAN
  // device (or one on another) above it. FailedPrecondition when frames of `output` do not leave
  // through `port`.
  absl::StatusOr<LinkAnswer> Link(int output, int port);

  NeighbourAnswer Neighbour(int interface, const wire::IpAddress& next_hop);

  // Makes the kernel resolve the neighbour, or confirm one that is stale. The answer comes as a
  // multicast RTM_NEWNEIGH. Needs CAP_NET_ADMIN, or else sends an empty UDP datagram to the discard
  // port (RFC 863).
  void Solicit(int interface, const wire::IpAddress& next_hop);

 private:
  explicit KernelRoutes(nl_sock* socket) : socket_(socket) {}
  bool SolicitByNetlink(int interface, const wire::IpAddress& next_hop);

  nl_sock* socket_;
};

}  // namespace netchannel

// SPDX-License-Identifier: Apache-2.0
//
// libnl's objects to our values and back. Owning pointers for libnl's reference-counted objects.
// Thread: any. Errors: nullopt for what is not an IP or Ethernet address.
#pragma once

#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>

#include <memory>
#include <optional>

#include "netdriver/kernel_routes.h"
#include "wire/address.h"
#include "wire/ethernet.h"

namespace netchannel::netlink {

template <auto kFree>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Address = std::unique_ptr<nl_addr, Deleter<nl_addr_put>>;
using Message = std::unique_ptr<nl_msg, Deleter<nlmsg_free>>;
using Route = std::unique_ptr<rtnl_route, Deleter<rtnl_route_put>>;
using Link = std::unique_ptr<rtnl_link, Deleter<rtnl_link_put>>;
using Neighbour = std::unique_ptr<rtnl_neigh, Deleter<rtnl_neigh_put>>;

Address ToNetlink(const wire::IpAddress& address);
std::optional<wire::IpAddress> ToIpAddress(nl_addr* address);
std::optional<wire::MacAddress> ToMacAddress(nl_addr* address);
// What a neighbour entry's state says about sending to it now.
NeighbourAnswer ToAnswer(rtnl_neigh* neighbour);

}  // namespace netchannel::netlink
